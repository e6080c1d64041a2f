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

// abandonedAfter is for how long a load goes on that nobody waits for: whoever
// turns the page and comes back, or asks again at once, finds it under way.
const abandonedAfter = time.Second

// loads is the single flight: at most one load per key that callers may join.
// One that all callers have left ends soon after.
//
// Neither of the two ready-made ones fits. Otter's Get(ctx, key, loader) runs
// the loader on its first caller's goroutine and context: that caller cannot
// leave before the load ends, or takes the load with it, after which one of
// those who waited starts anew. x/sync/singleflight hides when the running
// call began, so a caller could not refuse to join one that is too old for it.
type loads struct {
	mu      sync.Mutex
	closed  bool
	current map[key]*load      // those that may be joined
	all     map[*load]struct{} // also those that a newer one has replaced
	running sync.WaitGroup
}

// load is one search under way on behalf of all who wait for it.
type load struct {
	key   key
	begun time.Time             // before the search began
	at    invalidation.Position // of the log, then
	// applied is up to where touches were in effect then. The load may bring
	// what is kept, which was held to these touches only: callers are let in by
	// them.
	applied invalidation.Position
	origin  trace.SpanContext // the cache span of the caller who started it
	renewal bool              // it goes on also when nobody waits for it
	cancel  context.CancelFunc
	release func() // gives back its place among the loads of its account
	done    chan struct{}
	loaded  // may be read when done is closed

	// Guarded by the mutex of loads.
	waiting   int         // callers
	abandoned *time.Timer // ends it, since nobody waits; nil: somebody does
	joined    int         // how many callers have come: tells an old timer from the current one
}

// loaded is what a load ended with: an entry or an error.
type loaded struct {
	entry  *entry
	tier   string // where the entry was after all; "": the engine
	stored bool
	stale  bool // it is to be renewed
	err    error
}

var errClosed = fmt.Errorf("%w: the cache is closed", search.ErrUnavailable)

func newLoads() *loads {
	return &loads{current: map[key]*load{}, all: map[*load]struct{}{}}
}

// join finds the load of the key that mayJoin accepts; nil: there is none. Who
// joins must leave.
func (ls *loads) join(k key, mayJoin func(running *load) bool) *load {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.joinLocked(k, mayJoin)
}

// joinOrAdd finds the load of l's key that mayJoin accepts, or makes l the one
// to join; the caller must then run it, or close waits for ever. It must leave
// either. A load that is not accepted goes on for those who wait for it.
func (ls *loads) joinOrAdd(l *load, mayJoin func(running *load) bool) (joined *load, err error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return nil, errClosed
	}
	if running := ls.joinLocked(l.key, mayJoin); running != nil {
		return running, nil
	}
	l.waiting = 1
	ls.current[l.key] = l
	ls.all[l] = struct{}{}
	ls.running.Add(1)
	return l, nil
}

func (ls *loads) joinLocked(k key, mayJoin func(running *load) bool) *load {
	running, ok := ls.current[k]
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
func (ls *loads) leave(l *load) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.waiting--
	if _, underWay := ls.all[l]; !underWay || l.waiting > 0 || l.renewal {
		return
	}
	joined := l.joined
	l.abandoned = time.AfterFunc(abandonedAfter, func() { ls.abandon(l, joined) })
}

// retire lets nobody join the load any more; it goes on for those who wait for it.
func (ls *loads) retire(l *load) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.current[l.key] == l {
		delete(ls.current, l.key)
	}
}

// abandon ends a load that nobody has joined since so many had.
func (ls *loads) abandon(l *load, joined int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if _, underWay := ls.all[l]; !underWay || l.joined != joined {
		return
	}
	if ls.current[l.key] == l {
		delete(ls.current, l.key) // what was cancelled brings nobody anything
	}
	l.cancel()
}

// run does the work of a load and ends it, whatever the work does.
func (ls *loads) run(l *load, work func() loaded) {
	l.loaded = loaded{err: errLoadExited} // stays if work calls runtime.Goexit
	defer func() {
		if value := recover(); value != nil {
			l.loaded = loaded{err: &panicError{value: value, stack: debug.Stack()}}
		}
		ls.end(l)
	}()
	l.loaded = work()
}

func (ls *loads) end(l *load) {
	l.cancel()
	ls.mu.Lock()
	if ls.current[l.key] == l {
		delete(ls.current, l.key)
	}
	delete(ls.all, l)
	if l.abandoned != nil {
		l.abandoned.Stop()
		l.abandoned = nil
	}
	ls.mu.Unlock()
	l.release()
	close(l.done)
	ls.running.Done()
}

func (ls *loads) close() {
	ls.mu.Lock()
	ls.closed = true
	for l := range ls.all {
		l.cancel()
	}
	ls.mu.Unlock()
	ls.running.Wait()
}

var errLoadExited = errors.New("the search ended its goroutine")

// panicError carries a panic of the next searcher from the load's goroutine,
// where nothing could recover it, to its callers.
type panicError struct {
	value any
	stack []byte
}

// Error is for the log of whoever recovers it.
func (p *panicError) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// repanic goes on with a load's panic in its caller's goroutine, and passes
// other errors through.
func repanic(err error) error {
	var p *panicError
	if errors.As(err, &p) {
		panic(p)
	}
	return err
}
