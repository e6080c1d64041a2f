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

// mostHedges is how many requests may be on their way to two nodes because the
// first is slow.
const mostHedges = 8

// errSilent is why a request was given up before its time.
var errSilent error = reason.Text("the node has accepted the request and answers nothing, not even a probe")

// nodes sends each request to one of the cluster's nodes, in turn. A node that
// cannot be connected to, breaks a request off, or answers neither a request nor a
// probe is down: no request meets it until a probe (HEAD /) is answered. A node
// that answers probes may take for a search as long as the search may take; when
// half of that time is over, another node is sent it too, and the first answer
// counts.
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

	hedges chan struct{} // see hedge

	ctx      context.Context //nolint:containedctx // of the probes, which end with close
	stop     context.CancelFunc
	mu       sync.Mutex // of what nodes are in
	reviving sync.WaitGroup
}

type node struct {
	url      *url.URL
	down     bool // nodes.mu
	failures int  // times that it went down since it last answered a request; nodes.mu

	probing  sync.Mutex // one probe at a time
	probed   time.Time  // when the last one ended
	answered bool       // what it told
}

func newNodes(o Options, transport http.RoundTripper) *nodes {
	n := &nodes{times: defaultNodeTimes(), transport: transport, authorize: o.authorize, hedges: make(chan struct{}, mostHedges)}
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
		s := sending{nodes: n, next: next, request: r, path: r.URL.Path, outcomes: make(chan attempted, len(n.all))}
		defer s.leave()
		return s.send()
	}
}

// sending is one request, on its way to one node, or to two.
type sending struct {
	*nodes

	next     elastictransport.RoundTripFunc
	request  *http.Request
	path     string // without the node's own
	tried    []*node
	sent     int // times that a node may have received it
	running  map[*node]context.CancelCauseFunc
	outcomes chan attempted // with room for all
	hedging  bool
}

// attempted is what became of an attempt.
type attempted struct {
	to  *node
	res *http.Response
	err error
}

// mostSent is how many nodes are sent a request that is safe to repeat.
const mostSent = 2

func (s *sending) send() (*http.Response, error) {
	s.start()
	late, stop := s.half()
	defer stop()
	for {
		select {
		case <-late:
			s.hedge()
		case o := <-s.outcomes:
			delete(s.running, o.to)
			if o.err == nil {
				s.answeredBy(o.to)
				return o.res, nil
			}
			if hasEnded(s.request.Context()) {
				return nil, o.err
			}
			s.mark(o.to, true)
			if neverSent(o.err) {
				s.sent--
			}
			if s.sent == 0 || isRepeatable(s.request.Context()) && s.sent < mostSent {
				s.start()
			}
			if len(s.running) == 0 {
				return nil, o.err
			}
		}
	}
}

// start sends the request to the next node, if there is one.
func (s *sending) start() {
	to := s.pick(s.tried)
	if to == nil || len(s.tried) > 0 && s.request.Body != nil && s.request.GetBody == nil {
		return
	}
	at := *s.request.URL // each attempt has its own: one that is given up may be read still
	at.Scheme, at.Host, at.Path = to.url.Scheme, to.url.Host, to.url.Path+s.path
	s.request.URL = &at
	ctx, cancel := context.WithCancelCause(s.request.Context())
	if s.running == nil {
		s.running = map[*node]context.CancelCauseFunc{}
	}
	s.running[to] = cancel
	s.tried = append(s.tried, to)
	s.sent++
	attempt := s.request.WithContext(ctx)
	if len(s.all) == 1 { // nobody else can answer first
		s.outcomes <- s.attempt(attempt, to, cancel, s.next)
		return
	}
	go func() { s.outcomes <- s.attempt(attempt, to, cancel, s.next) }()
}

// half is when half of the request's time is over, if another node may be sent it.
func (s *sending) half() (<-chan time.Time, func()) {
	ctx := s.request.Context()
	deadline, ok := ctx.Deadline()
	if !ok || len(s.all) == 1 || !isRepeatable(ctx) {
		return nil, func() {}
	}
	timer := time.NewTimer(max(time.Until(deadline)/2, leastSilence)) //nolint:mnd // half
	return timer.C, func() { timer.Stop() }
}

// hedge sends the request to another node beside the one that has it and, though
// it answers probes, not answered yet. It is bounded in number: where all searches
// are slow, twice as many help nobody.
func (s *sending) hedge() {
	if s.sent >= mostSent {
		return
	}
	select {
	case s.hedges <- struct{}{}:
		s.hedging = true
		s.start()
	default:
	}
}

// answeredBy marks the nodes that had more time and have not answered.
func (s *sending) answeredBy(to *node) {
	s.mark(to, false)
	for _, earlier := range s.tried[:slices.Index(s.tried, to)] {
		if s.running[earlier] != nil {
			s.mark(earlier, true)
		}
	}
}

// leave gives up what is still under way.
func (s *sending) leave() {
	if s.hedging {
		<-s.hedges
	}
	if len(s.running) == 0 {
		return
	}
	for _, cancel := range s.running {
		cancel(nil)
	}
	go func() {
		for range s.running {
			if o := <-s.outcomes; o.err == nil {
				_ = o.res.Body.Close()
			}
		}
	}()
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
	went := down && !to.down
	to.down = down
	switch {
	case !down:
		to.failures = 0
	case went:
		to.failures++
	}
	if went && len(n.all) > 1 && n.ctx.Err() == nil {
		rest := n.times.revive << min(to.failures-1, mostDoublings)
		n.reviving.Go(func() { n.revive(to, rest) })
	}
}

// mostDoublings of the time between probes are for a node that answers probes and
// no requests.
const mostDoublings = 5

func (n *nodes) revive(to *node, rest time.Duration) {
	every := time.NewTicker(rest)
	defer every.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-every.C:
		}
		if !n.isDown(to) { // it has answered a request, as all were down
			return
		}
		if n.answers(to) {
			n.mu.Lock()
			to.down = false // whether it answers requests too, the next one tells
			n.mu.Unlock()
			return
		}
	}
}

func (n *nodes) isDown(to *node) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return to.down
}

// attempt sends the request to the node, and gives it up when the node is silent.
func (n *nodes) attempt(r *http.Request, to *node, cancel context.CancelCauseFunc, next elastictransport.RoundTripFunc) attempted {
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			cancel(nil)
			return attempted{to: to, err: err}
		}
		r.Body = body
	}
	answered := n.listen(r.Context(), to, cancel)
	res, err := next(r)
	answered()
	silent := errors.Is(context.Cause(r.Context()), errSilent)
	if err == nil && !silent {
		res.Body = &attemptBody{ReadCloser: res.Body, end: cancel}
		return attempted{to: to, res: res}
	}
	cancel(nil)
	if err == nil {
		_ = res.Body.Close()
	}
	if silent {
		err = errSilent
	}
	return attempted{to: to, err: err}
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
