package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// refusedJoins is how often a request loads again because the account whose load it
// has joined was refused.
const refusedJoins = 3

// load waits for the parts to be loaded, by calls under way or ones that it
// starts. It ends with the first failure.
func (c *Cache) load(ctx context.Context, r *request, missing []*lookup) error {
	if len(missing) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // nobody waits: start nothing
	}
	defer func() {
		for _, l := range missing {
			if l.call != nil {
				c.flights.leave(l.call)
			}
		}
	}()
	if err := c.start(ctx, r, missing); err != nil {
		return err
	}
	err := c.wait(ctx, r, missing)
	// A load that was refused because of its account's share says nothing about the
	// account of a caller who joined it.
	for range refusedJoins {
		again := c.refusedToOthers(r, missing, err)
		if len(again) == 0 {
			break
		}
		if err := c.start(ctx, r, again); err != nil {
			return err
		}
		err = c.wait(ctx, r, again)
	}
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		// A part has failed, or took all the time that there is. Who asks again is not
		// to share what may be the same failure of the other.
		for _, l := range missing {
			if l.leader {
				c.flights.retire(l.call)
			}
		}
	}
	return err
}

// refusedToOthers returns the lookups to load again, and has left their calls: those
// without an entry, if all that failed is a call of another caller, which was refused.
// The request joins no other call of that caller's account, which may be refused next.
func (c *Cache) refusedToOthers(r *request, lookups []*lookup, err error) (again []*lookup) {
	if !errors.Is(err, search.ErrTooManyLoads) {
		return nil
	}
	for _, l := range lookups {
		select {
		case <-l.call.done:
		default:
			continue // it is still under way
		}
		if l.leader && l.call.err != nil {
			return nil
		}
		if l.call.err != nil {
			r.refused = append(r.refused, l.call.account)
		}
	}
	for _, l := range lookups {
		if l.found.entry == nil {
			c.flights.leave(l.call)
			l.call = nil
			again = append(again, l)
		}
	}
	return again
}

// start finds a call for each lookup, or starts it as soon as its account may
// have it under way.
func (c *Cache) start(ctx context.Context, r *request, missing []*lookup) error {
	own := c.join(r, missing)
	if len(own) == 0 {
		return nil
	}
	release, err := c.admission.Admit(ctx, len(own))
	if err != nil {
		// Others may have begun to load the same meanwhile.
		if errors.Is(err, search.ErrTooManyLoads) && len(c.join(r, own)) == 0 {
			return nil
		}
		return err
	}
	for i, l := range own {
		callCtx, err := c.lead(ctx, r, l, release)
		if err != nil {
			for range own[i:] {
				release()
			}
			return err
		}
		if !l.leader {
			release()
			continue
		}
		go c.run(callCtx, r, l, c.recheck)
	}
	return nil
}

// join finds the lookups' calls that are under way, and returns the lookups that
// have none.
func (c *Cache) join(r *request, lookups []*lookup) (rest []*lookup) {
	for _, l := range lookups {
		if l.call = c.flights.join(l.key, c.mayJoin(r)); l.call == nil {
			rest = append(rest, l)
		}
	}
	return rest
}

// mayJoin reports whether a call can bring what the request needs.
func (c *Cache) mayJoin(r *request) func(running *call) bool {
	return func(running *call) bool {
		return !r.maxAge.set && !slices.Contains(r.refused, running.account) && r.now.Sub(running.begun) < c.life.fresh &&
			c.validity(r.scope, running.applied, running.begun, c.now()) != invalidation.Stale
	}
}

// lead finds the call that will bring the part, or makes one, which the lookup
// then leads. Its leader must run it, with the context that lead returns; it calls
// release when it has ended.
func (c *Cache) lead(ctx context.Context, r *request, l *lookup, release func()) (context.Context, error) {
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.loadTimeout)
	own := &call{
		key:     l.key,
		begun:   r.now,
		origin:  trace.SpanContextFromContext(ctx),
		renewal: l.renewal,
		cancel:  cancel,
		release: release,
		done:    make(chan struct{}),
	}
	if caller, ok := tenancy.CallerIn(ctx); ok {
		own.account = caller.Account
	}
	own.at, own.applied = c.index.Position(c.now())
	joined, err := c.flights.joinOrAdd(own, c.mayJoin(r))
	l.call, l.leader = joined, joined == own
	if !l.leader {
		cancel()
	}
	return callCtx, err
}

// run is the goroutine of the lookup's call. It loads the part, unless look finds
// it.
func (c *Cache) run(ctx context.Context, r *request, l *lookup, look func(*request, *lookup) found) {
	this := l.call
	this.err = errCallExited // stays if the search calls runtime.Goexit
	defer c.flights.end(this)
	if this.found = look(r, l); this.found.entry != nil {
		this.err = nil
		return
	}
	began := time.Now()
	e, err := l.part.load(ctx, c, r.scope, l)
	c.metrics.loaded(ctx, l.part.kind(), time.Since(began), err)
	if err != nil {
		this.err = loadError(ctx, err)
		return
	}
	this.found, this.err = found{entry: e, stored: c.store(ctx, r, e)}, nil
}

// recheck finds what a call of the same key has left that ended between the
// caller's look and its turn: it was stored before it could no longer be joined.
func (c *Cache) recheck(r *request, l *lookup) found {
	again := lookup{part: l.part, key: l.key}
	c.fromMemory(r, &again)
	return again.found
}

// loadError distinguishes the end of the call's own time from the end of a
// caller's: those who wait have not gone away.
func loadError(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: the load took too long", search.ErrTimeout)
	case errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled):
		return errClosed // those who wait are here: nobody else cancels their call
	}
	return err
}

// wait collects what the calls of the lookups, two at most, bring. It ends with
// the first failure, or as soon as the caller goes away.
func (c *Cache) wait(ctx context.Context, r *request, lookups []*lookup) error {
	var done [2]<-chan struct{} // nil: not waited for
	for i, l := range lookups {
		done[i] = l.call.done
	}
	for range lookups {
		ended := 0
		select {
		case <-done[0]:
		case <-done[1]:
			ended = 1
		case <-ctx.Done():
			return ctx.Err()
		}
		done[ended] = nil
		if err := c.collect(r, lookups[ended]); err != nil {
			return err
		}
	}
	return nil
}

// collect takes what the lookup's call, which has ended, found; or else the
// fallback.
func (c *Cache) collect(r *request, l *lookup) error {
	ended := l.call
	if ended.err != nil {
		if c.fallBack(r, l) {
			return nil
		}
		return ended.err
	}
	l.found = ended.found
	if !l.leader && l.found.tier == "" {
		l.found.joined = ended
	}
	return nil
}

// fallBack takes an older answer (stale-if-error), if the engine failed and there
// is one whose scope is unchanged up to now.
func (c *Cache) fallBack(r *request, l *lookup) bool {
	if r.maxAge.set || !isOutage(l.call.err) {
		return false
	}
	now := c.now()
	older := l.fallback
	if older.entry == nil || c.freshness(older.entry, r.scope, now) == expired {
		// What was stored meanwhile may be served longer than what was looked for.
		e, ok := c.memory.get(l.key, now)
		if !ok || c.freshness(e, r.scope, now) == expired {
			return false
		}
		older = found{entry: e, tier: tierMemory}
	}
	older.stale, older.outage = true, true
	l.found = older
	return true
}

// abandonedAfter is how long a call goes on that nobody waits for: a caller who
// turns the page and comes back, or asks again at once, finds it under way.
const abandonedAfter = time.Second

// flightGroup is the single flight: at most one call per key that callers may
// join. One that all callers have left ends soon after.
//
// Neither of the two ready-made ones fits. Otter's Get(ctx, key, loader) runs
// the loader on its first caller's goroutine and context: that caller cannot
// leave before the load ends, or takes the load with it, after which one of
// those who waited starts anew. x/sync/singleflight hides when the running
// call began, so a caller could not refuse to join one that is too old for it.
type flightGroup struct {
	mu      sync.Mutex
	closed  bool
	current map[key]*call      // those that may be joined
	all     map[*call]struct{} // also those that a newer one has replaced
	running sync.WaitGroup
}

// call is one load under way on behalf of all who wait for it.
type call struct {
	key   key
	begun time.Time             // before the search began
	at    invalidation.Position // of the log, then
	// applied is the position up to which invalidations were in effect then. The
	// call may return an entry that was checked against that position only, so a
	// caller joins only if its scope is unchanged since.
	applied invalidation.Position
	origin  trace.SpanContext // the cache span of the caller who started it
	account tenancy.Account   // of that caller
	renewal bool              // it goes on also when nobody waits for it
	cancel  context.CancelFunc
	release func()        // gives back its place among the loads of its account
	done    chan struct{} // closed when found and err may be read
	found   found
	err     error

	// Guarded by the mutex of the group.
	waiting   int         // callers
	abandoned *time.Timer // ends it, since nobody waits; nil: somebody does
	joined    int         // how many callers have joined: identifies an outdated timer
}

var errClosed = fmt.Errorf("%w: the cache is closed", search.ErrUnavailable)

func newFlightGroup() *flightGroup {
	return &flightGroup{current: map[key]*call{}, all: map[*call]struct{}{}}
}

// join finds the call of the key that mayJoin accepts; nil: there is none. Who
// joins must leave.
func (g *flightGroup) join(k key, mayJoin func(running *call) bool) *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.joinLocked(k, mayJoin)
}

// joinOrAdd finds the call of own's key that mayJoin accepts, or makes own the
// one to join; the caller must then run and end it, or close waits for ever. It
// must leave either. A call that is not accepted goes on for those who wait for it.
func (g *flightGroup) joinOrAdd(own *call, mayJoin func(running *call) bool) (joined *call, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errClosed
	}
	if running := g.joinLocked(own.key, mayJoin); running != nil {
		return running, nil
	}
	own.waiting = 1
	g.current[own.key] = own
	g.all[own] = struct{}{}
	g.running.Add(1)
	return own, nil
}

func (g *flightGroup) joinLocked(k key, mayJoin func(running *call) bool) *call {
	running, ok := g.current[k]
	if !ok || !mayJoin(running) {
		return nil
	}
	running.waiting++
	running.joined++
	if running.abandoned != nil {
		running.abandoned.Stop()
		running.abandoned = nil
	}
	return running
}

// leave is the end of a caller's wait, whatever came of it.
func (g *flightGroup) leave(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waiting--
	if _, underWay := g.all[c]; !underWay || c.waiting > 0 || c.renewal {
		return
	}
	joined := c.joined
	c.abandoned = time.AfterFunc(abandonedAfter, func() { g.abandon(c, joined) })
}

// retire lets nobody join the call any more; it goes on for those who wait for it.
func (g *flightGroup) retire(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retireLocked(c)
}

func (g *flightGroup) retireLocked(c *call) {
	if g.current[c.key] == c {
		delete(g.current, c.key)
	}
}

// abandon cancels a call, unless others have joined it since it had been joined
// that many times.
func (g *flightGroup) abandon(c *call, joined int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, underWay := g.all[c]; !underWay || c.joined != joined {
		return
	}
	g.retireLocked(c) // a cancelled call brings nobody anything
	c.cancel()
}

// end is deferred by who runs the call. It recovers a panic, which becomes the
// call's error.
func (g *flightGroup) end(c *call) {
	if value := recover(); value != nil {
		c.found, c.err = found{}, &panicError{value: value, stack: debug.Stack()}
	}
	c.cancel()
	g.mu.Lock()
	g.retireLocked(c)
	delete(g.all, c)
	if c.abandoned != nil {
		c.abandoned.Stop()
		c.abandoned = nil
	}
	g.mu.Unlock()
	c.release()
	close(c.done)
	g.running.Done()
}

func (g *flightGroup) close() {
	g.mu.Lock()
	g.closed = true
	for c := range g.all {
		c.cancel()
	}
	g.mu.Unlock()
	g.running.Wait()
}

var errCallExited = errors.New("the search ended its goroutine")

// panicError carries a panic of the next searcher from the call's goroutine,
// where nothing could recover it, to its callers.
type panicError struct {
	value any
	stack []byte
}

// Error is for the log of whoever recovers it.
func (p *panicError) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// repanic goes on with a call's panic in its caller's goroutine, and returns
// other errors.
func repanic(err error) error {
	var p *panicError
	if errors.As(err, &p) {
		panic(p)
	}
	return err
}
