package elastic

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
)

// nodeTimes are how long nodes are waited for; tests shorten them.
type nodeTimes struct {
	silence time.Duration // without an answer's first byte, after which the node is probed
	probe   time.Duration // that a probe may take
	revive  time.Duration // between probes of a node that is down
}

func defaultNodeTimes() nodeTimes {
	return nodeTimes{silence: 3 * time.Second, probe: time.Second, revive: 2 * time.Second}
}

// leastSilence is too short for any network that a cluster is reached by.
const leastSilence = 50 * time.Millisecond

// errSilent is why a request was given up before its time.
var errSilent error = reason.Text("the node has accepted the request and answers nothing, not even a probe")

// nodes sends each request to one of the cluster's nodes, in turn. A node that
// cannot be connected to, breaks a request off, or answers neither a request nor a
// probe is down: no request meets it until a probe (HEAD /) is answered. A node
// that answers probes may take for a search as long as the search may take.
//
// A request that has not been sent goes to the other nodes, and one that is safe
// to repeat is sent to one other node at most. That a caller left or a request's
// own deadline came says nothing about the node.
type nodes struct {
	all       []*node
	times     nodeTimes
	transport http.RoundTripper
	authorize func(*http.Request)
	turn      atomic.Uint64

	ctx      context.Context //nolint:containedctx // of the probes, which end with close
	stop     context.CancelFunc
	mu       sync.Mutex // of what nodes are in
	reviving sync.WaitGroup
}

type node struct {
	url  *url.URL
	down bool // nodes.mu

	probing  sync.Mutex // one probe at a time
	probed   time.Time  // when the last one ended
	answered bool       // what it told
}

func newNodes(o Options, transport http.RoundTripper) *nodes {
	n := &nodes{times: defaultNodeTimes(), transport: transport, authorize: o.authorize}
	n.ctx, n.stop = context.WithCancel(context.Background())
	for _, u := range addresses(o) {
		n.all = append(n.all, &node{url: u})
	}
	return n
}

// close ends the waiting for nodes that are down.
func (n *nodes) close() {
	n.mu.Lock()
	n.stop()
	n.mu.Unlock()
	n.reviving.Wait()
}

// through is elastictransport.InterceptorFunc. The request's URL ends as that of
// the node that was asked last, which its span tells.
func (n *nodes) through(next elastictransport.RoundTripFunc) elastictransport.RoundTripFunc {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			defer func() { _ = r.Body.Close() }()
		}
		path := r.URL.Path
		var tried []*node
		for repeated := false; ; {
			to := n.pick(tried)
			r.URL.Scheme, r.URL.Host, r.URL.Path = to.url.Scheme, to.url.Host, to.url.Path+path
			res, err := n.attempt(r, to, next)
			if err == nil {
				n.mark(to, false) //nolint:contextcheck // probes outlive the request
				return res, nil
			}
			if hasEnded(r.Context()) {
				return nil, err
			}
			n.mark(to, true) //nolint:contextcheck // probes outlive the request
			tried = append(tried, to)
			if !neverSent(err) {
				if repeated || !isRepeatable(r.Context()) {
					return nil, err
				}
				repeated = true
			}
			if len(tried) == len(n.all) || r.Body != nil && r.GetBody == nil {
				return nil, err
			}
		}
	}
}

// pick is the next node that has not been tried, one that is down only if all are.
func (n *nodes) pick(tried []*node) (picked *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first := n.turn.Add(1) - 1
	for i := range n.all {
		candidate := n.all[(first+uint64(i))%uint64(len(n.all))]
		switch {
		case slices.Contains(tried, candidate):
		case !candidate.down:
			return candidate
		case picked == nil:
			picked = candidate
		}
	}
	return picked
}

// mark notes what a node is. One that is down is probed until it answers.
func (n *nodes) mark(to *node, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	revive := down && !to.down && len(n.all) > 1 && n.ctx.Err() == nil
	to.down = down
	if revive {
		n.reviving.Go(func() { n.revive(to) })
	}
}

func (n *nodes) revive(to *node) {
	every := time.NewTicker(n.times.revive)
	defer every.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-every.C:
		}
		n.mu.Lock()
		down := to.down
		n.mu.Unlock()
		if !down { // it has answered a request, as all were down
			return
		}
		if n.answers(to) {
			n.mark(to, false)
			return
		}
	}
}

// attempt sends the request to the node, and gives it up when the node is silent.
func (n *nodes) attempt(r *http.Request, to *node, next elastictransport.RoundTripFunc) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	sent := r.WithContext(ctx)
	at := *r.URL // what is given up may be read still
	sent.URL = &at
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			cancel(nil)
			return nil, err
		}
		sent.Body = body
	}
	answered := n.listen(ctx, to, cancel)
	res, err := next(sent)
	answered()
	silent := errors.Is(context.Cause(ctx), errSilent)
	if err == nil && !silent {
		res.Body = &attemptBody{ReadCloser: res.Body, end: cancel}
		return res, nil
	}
	cancel(nil)
	if err == nil {
		_ = res.Body.Close()
	}
	if silent {
		err = errSilent
	}
	return nil, err
}

// attemptBody ends its attempt when it is closed.
type attemptBody struct {
	io.ReadCloser

	end context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *attemptBody) Close() error {
	defer b.end(nil)
	return b.ReadCloser.Close()
}

// listen probes the node while no answer comes, until answered is called. When the
// node does not answer that either, it ends the attempt, with errSilent.
func (n *nodes) listen(ctx context.Context, to *node, end context.CancelCauseFunc) (answered func()) {
	if len(n.all) == 1 { // there is no other one to ask
		return func() {}
	}
	silence := n.times.silence
	if deadline, ok := ctx.Deadline(); ok {
		const share = 4 // the probe and another node need time too
		silence = min(silence, max(time.Until(deadline)/share, leastSilence))
	}
	var mu sync.Mutex
	var done bool
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(silence, func() {
		if ctx.Err() != nil {
			return
		}
		alive := n.answers(to) //nolint:contextcheck // what it finds is of use to others too
		mu.Lock()
		defer mu.Unlock()
		switch {
		case done || ctx.Err() != nil:
		case alive:
			timer.Reset(silence)
		default:
			end(errSilent)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		timer.Stop()
	}
}

// answers probes a node. Whoever comes while another one does takes over what that
// one finds.
func (n *nodes) answers(to *node) bool {
	asked := time.Now()
	to.probing.Lock()
	defer to.probing.Unlock()
	if to.probed.After(asked) {
		return to.answered
	}
	to.answered = n.probe(to)
	to.probed = time.Now()
	return to.answered
}

// probe asks for nothing. Any answer but a gateway's error is one of the node:
// credentials may be too weak for it.
func (n *nodes) probe(to *node) bool {
	ctx, cancel := context.WithTimeout(n.ctx, n.times.probe)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, to.url.JoinPath("/").String(), http.NoBody)
	if err != nil {
		return false
	}
	n.authorize(r)
	res, err := n.transport.RoundTrip(r)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode < http.StatusInternalServerError
}

// neverSent: no byte has reached Elasticsearch, so that trying another node is
// safe for writes too.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// hasEnded also where a connection has noticed the context's deadline before the
// context has: both have a timer of their own.
func hasEnded(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

type repeatable struct{}

// markRepeatable is the context of a request that two nodes may be sent.
func markRepeatable(ctx context.Context, request esapi.Request) context.Context {
	if !isRead(request) {
		return ctx
	}
	return context.WithValue(ctx, repeatable{}, true)
}

func isRepeatable(ctx context.Context) bool { return ctx.Value(repeatable{}) != nil }

// isRead tells requests that change nothing, or, as a point in time that is opened
// twice, nothing that does not end by itself.
func isRead(request esapi.Request) bool {
	switch request.(type) {
	case esapi.SearchRequest, esapi.MgetRequest, esapi.OpenPointInTimeRequest, esapi.ClosePointInTimeRequest,
		esapi.IndicesGetRequest, esapi.IndicesGetMappingRequest, esapi.IndicesGetSettingsRequest, esapi.IndicesStatsRequest,
		esapi.IndicesRefreshRequest, esapi.CatIndicesRequest, esapi.InfoRequest:
		return true
	}
	return false
}
