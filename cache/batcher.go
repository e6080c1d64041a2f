package cache

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxErrands is how many calls may be under way at a time: with one alone,
	// each caller would wait for half of another's round trip.
	maxErrands = 2
	// maxGathered is how many values one call asks for; who would come on top of
	// them goes alone.
	maxGathered = 64
)

// gathering sends what several callers ask of a store in one call. Calls that
// find others under way wait for the end of one and go together: on a busy
// gateway the round trips, which cost more than the values do, are shared by as
// many as come meanwhile, and on a quiet one nobody waits.
//
// go-redis has such a thing (AutoPipeline, experimental). It does not fit: its
// batches have no budget, and it passes the breaker by.
type gathering struct {
	next   store
	budget time.Duration

	mu       sync.Mutex
	underWay int
	waiting  *errand // nil: nobody waits
}

// errand is one call on behalf of all that wait for it. It has a budget of its
// own: what its callers have spent on the wait for their turn says nothing of the
// store.
type errand struct {
	names  []string
	until  time.Time     // the end of the budget of the first who came: nobody waits longer
	turn   chan struct{} // closed when it may be run
	done   chan struct{} // closed when it was
	values [][]byte
	err    error
}

// Get returns the value under each name, nil where there is none, within one
// budget. It ends earlier when ctx does, unless others wait for what it runs.
func (g *gathering) Get(ctx context.Context, names []string) ([][]byte, error) {
	e, places, first := g.join(names)
	if e == nil {
		return g.next.Get(context.WithoutCancel(ctx), names)
	}
	if first {
		g.see(ctx, e)
	}
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	if e.err != nil {
		return nil, e.err
	}
	values := make([][]byte, len(names))
	for i, place := range places {
		values[i] = e.values[place]
	}
	return values, nil
}

// join finds the errand that asks for the names too, and the places of their
// values in its answer. The first to join must run it. It is nil for who has to
// go alone.
func (g *gathering) join(names []string) (e *errand, places []int, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.underWay < maxErrands:
		g.underWay++
		e, first = newErrand(g.budget), true
		close(e.turn)
	case g.waiting == nil:
		g.waiting = newErrand(g.budget)
		e, first = g.waiting, true
	case len(g.waiting.names)+len(names) <= maxGathered:
		e = g.waiting
	default:
		return nil, nil, false
	}
	return e, e.add(names), first
}

// add asks for each name once, however many want its value: those who want the
// same come together.
func (e *errand) add(names []string) []int {
	places := make([]int, len(names))
	for i, name := range names {
		places[i] = slices.Index(e.names, name)
		if places[i] < 0 {
			places[i] = len(e.names)
			e.names = append(e.names, name)
		}
	}
	return places
}

func newErrand(budget time.Duration) *errand {
	return &errand{until: time.Now().Add(budget), turn: make(chan struct{}), done: make(chan struct{})}
}

// see runs the errand: now, if it is its turn, or else beside its caller when the
// turn comes, which is within a budget.
func (g *gathering) see(ctx context.Context, e *errand) {
	ctx = context.WithoutCancel(ctx) // whether or not the caller stays: others wait as well
	select {
	case <-e.turn:
		g.run(ctx, e)
	default:
		go func() {
			<-e.turn
			g.run(ctx, e)
		}()
	}
}

// run asks the store, unless nobody waits any more.
func (g *gathering) run(ctx context.Context, e *errand) {
	e.err = errLoadExited // stays if the store panics
	defer func() {
		close(e.done)
		g.passOn()
	}()
	if time.Until(e.until) <= 0 {
		e.err = context.DeadlineExceeded
		return
	}
	ctx, cancel := context.WithTimeout(ctx, g.budget)
	defer cancel()
	e.values, e.err = g.next.Get(ctx, e.names)
}

// wait returns nil when the errand has been run.
func (e *errand) wait(ctx context.Context) error {
	select {
	case <-e.done: // needs no timer
		return nil
	default:
	}
	patience := time.NewTimer(time.Until(e.until))
	defer patience.Stop()
	select {
	case <-e.done:
		return nil
	case <-patience.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passOn gives the place of a call that has ended to those who wait.
func (g *gathering) passOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		g.underWay--
		return
	}
	close(g.waiting.turn) // nobody joins it any more
	g.waiting = nil
}
