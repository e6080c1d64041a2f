package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
)

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
