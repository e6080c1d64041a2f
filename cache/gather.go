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

// errand is one call on behalf of all that wait for it. The first of them runs
// it.
type errand struct {
	names  []string
	until  time.Time     // the end of the budget of the first who came
	turn   chan struct{} // closed when it may be run
	done   chan struct{} // closed when it was
	values [][]byte
	err    error
}

// get returns the value under each name, nil where there is none, within one
// budget. It ends earlier when ctx does, unless others wait for what it runs.
func (g *gathering) get(ctx context.Context, names []string) ([][]byte, error) {
	e, places, first := g.join(names)
	if e == nil {
		return g.next.get(context.WithoutCancel(ctx), names)
	}
	if first {
		<-e.turn // comes when a call ends: within its budget
		g.run(ctx, e)
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, ctx.Err()
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

// run asks the store, whether or not its caller stays: others wait as well.
func (g *gathering) run(ctx context.Context, e *errand) {
	e.err = errLoadExited // stays if the store panics
	defer func() {
		close(e.done)
		g.passOn()
	}()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), e.until)
	defer cancel()
	e.values, e.err = g.next.get(ctx, e.names)
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
