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

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/reason"
)

// nodeTimes are the waiting times for nodes; tests shorten them.
type nodeTimes struct {
	silence time.Duration // without the first byte of an answer, after which the node is probed
	probe   time.Duration // the timeout of a probe
	revive  time.Duration // the pause between probes of a node that is down
}

func defaultNodeTimes() nodeTimes {
	return nodeTimes{silence: 3 * time.Second, probe: time.Second, revive: 2 * time.Second}
}

// leastSilence is a lower limit for a wait: any network to a cluster may need that
// long.
const leastSilence = 50 * time.Millisecond

// mostHedges is the largest number of requests that are sent to two nodes at a time
// because the first node is slow.
const mostHedges = 8

// errSilent is the reason why a request was cancelled before its deadline.
var errSilent error = reason.Text("the node has accepted the request and answers nothing, not even a probe")

// nodes sends each request to one of the cluster's nodes, in turn. A node is down
// when it cannot be connected to, breaks off a request, or answers neither a
// request nor a probe. It then gets no request until it answers a probe (HEAD /). A
// node that answers probes may use the whole time of a search. When half of that
// time is over, the search is also sent to another node, and the first answer
// counts.
//
// A request that was not sent, or that is safe to repeat, is tried on one other node,
// after a short random pause and as far as budget.Retries allows. Nothing is repeated
// because of an answer, whatever its status. If the caller leaves, or the
// request's own deadline passes, that says nothing about the node.
type nodes struct {
	all       []*node
	times     nodeTimes
	transport http.RoundTripper
	authorize func(*http.Request)
	turn      atomic.Uint64

	hedges  chan struct{} // see hedge
	retries *budget.Retries

	ctx      context.Context //nolint:containedctx // of the probes; close ends it
	stop     context.CancelFunc
	mu       sync.Mutex // guards the state of the nodes
	reviving sync.WaitGroup
}

type node struct {
	url      *url.URL
	down     bool // guarded by nodes.mu
	failures int  // how often it went down since it last answered a request; guarded by nodes.mu

	probing  sync.Mutex // one probe at a time
	probed   time.Time  // end of the last probe
	answered bool       // result of the last probe
}

func newNodes(o Options, transport http.RoundTripper) *nodes {
	n := &nodes{times: defaultNodeTimes(), transport: transport, authorize: o.authorize, hedges: make(chan struct{}, mostHedges), retries: budget.NewRetries()}
	n.ctx, n.stop = context.WithCancel(context.Background())
	for _, u := range addresses(o) {
		n.all = append(n.all, &node{url: u})
	}
	return n
}

// close stops the probes of nodes that are down and waits for them.
func (n *nodes) close() {
	n.mu.Lock()
	n.stop()
	n.mu.Unlock()
	n.reviving.Wait()
}

// through is an elastictransport.InterceptorFunc. Afterwards the request's URL is
// that of the last used node, which the span shows.
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

// sending is one request and its attempts on one or two nodes.
type sending struct {
	*nodes

	next     elastictransport.RoundTripFunc
	request  *http.Request
	path     string // without the path of the node's URL
	tried    []*node
	sent     int // number of times that a node may have received it
	running  map[*node]context.CancelCauseFunc
	outcomes chan attempted // has room for all
	hedging  bool
}

// attempted is the result of an attempt.
type attempted struct {
	to  *node
	res *http.Response
	err error
}

const (
	// mostTried is the largest number of nodes that a request is tried on.
	mostTried = 2
	// mostPause bounds the random pause before a request is repeated, so that those
	// that a node has broken off do not reach another one at the same moment.
	mostPause = 50 * time.Millisecond
)

func (s *sending) send() (*http.Response, error) {
	s.retries.Attempt()
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
			if len(s.running) == 0 && (s.sent == 0 || isRepeatable(s.request.Context())) {
				s.repeat()
			}
			if len(s.running) == 0 {
				return nil, o.err
			}
		}
	}
}

// repeat tries the request on another node, if it may.
func (s *sending) repeat() {
	if len(s.tried) >= min(mostTried, len(s.all)) || !s.retries.Allow() {
		return
	}
	if pause.Jittered(s.request.Context(), mostPause) {
		s.start()
	}
}

// start sends the request to the next node, if there is one.
func (s *sending) start() {
	to := s.pick(s.tried)
	if to == nil || len(s.tried) > 0 && s.request.Body != nil && s.request.GetBody == nil {
		return
	}
	at := *s.request.URL // a copy for each attempt: a cancelled one may still read its URL
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
	if len(s.all) == 1 { // no other node can answer first
		s.outcomes <- s.attempt(attempt, to, cancel, s.next)
		return
	}
	go func() { s.outcomes <- s.attempt(attempt, to, cancel, s.next) }()
}

// half returns a channel that fires when half of the request's time is over. It
// never fires if no other node may get the request.
func (s *sending) half() (<-chan time.Time, func()) {
	ctx := s.request.Context()
	deadline, ok := ctx.Deadline()
	if !ok || len(s.all) == 1 || !isRepeatable(ctx) {
		return nil, func() {}
	}
	timer := time.NewTimer(max(time.Until(deadline)/2, leastSilence)) //nolint:mnd // half
	return timer.C, func() { timer.Stop() }
}

// hedge also sends the request to a second node, when the first one answers probes
// but has not answered the request. The number of such requests is limited: if all
// searches are slow, twice as many do not help.
func (s *sending) hedge() {
	if len(s.tried) >= mostTried {
		return
	}
	select {
	case s.hedges <- struct{}{}:
		if !s.retries.Allow() {
			<-s.hedges
			return
		}
		s.hedging = true
		s.start()
	default:
	}
}

// answeredBy marks the nodes as down that had more time than to and have not
// answered.
func (s *sending) answeredBy(to *node) {
	s.mark(to, false)
	for _, earlier := range s.tried[:slices.Index(s.tried, to)] {
		if s.running[earlier] != nil {
			s.mark(earlier, true)
		}
	}
}

// leave cancels the running attempts.
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

// pick returns the next node that was not tried. It returns one that is down only
// if all others are down too.
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

// mark sets the state of a node. A node that is down is probed until it answers.
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

// mostDoublings limits how often the pause between probes doubles, for a node that
// answers probes and no requests.
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
		if !n.isDown(to) { // it has answered a request, which it got because all nodes were down
			return
		}
		if n.answers(to) {
			n.mu.Lock()
			to.down = false // the next request shows whether it answers requests too
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

// attempt sends the request to the node, and cancels it when the node is silent.
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

// attemptBody is a response body that ends its attempt when it is closed.
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
// node does not answer the probe either, it ends the attempt with errSilent.
func (n *nodes) listen(ctx context.Context, to *node, end context.CancelCauseFunc) (answered func()) {
	if len(n.all) == 1 { // there is no other node to use
		return func() {}
	}
	silence := n.times.silence
	if deadline, ok := ctx.Deadline(); ok {
		const share = 4 // leave time for the probe and for another node
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
		alive := n.answers(to) //nolint:contextcheck // others use the result too
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

// answers probes a node. Concurrent callers share one probe and its result.
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

// probe sends HEAD /. Any answer except a gateway error comes from the node itself,
// also a refusal because the credentials are too weak.
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

// neverSent reports that no byte reached Elasticsearch, so that another node may be
// tried for writes too.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// hasEnded reports whether the context has ended. A connection may notice the
// deadline before the context does, since each has its own timer.
func hasEnded(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

type repeatable struct{}

// markRepeatable returns a context that marks a request as safe to send to two
// nodes.
func markRepeatable(ctx context.Context, request esapi.Request) context.Context {
	if !isRead(request) {
		return ctx
	}
	return context.WithValue(ctx, repeatable{}, true)
}

func isRepeatable(ctx context.Context) bool { return ctx.Value(repeatable{}) != nil }

// isRead reports whether a request changes nothing lasting. A point in time that is
// opened twice counts as such, since it expires by itself.
func isRead(request esapi.Request) bool {
	switch request.(type) {
	case esapi.SearchRequest, esapi.MgetRequest, esapi.OpenPointInTimeRequest, esapi.ClosePointInTimeRequest,
		esapi.IndicesGetRequest, esapi.IndicesGetMappingRequest, esapi.IndicesGetSettingsRequest, esapi.IndicesStatsRequest,
		esapi.IndicesRefreshRequest, esapi.CatIndicesRequest, esapi.InfoRequest:
		return true
	}
	return false
}
