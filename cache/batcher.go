package cache

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxBatches is how many calls may be under way at a time: with one alone,
	// each caller would wait for half of another's round trip.
	maxBatches = 2
	// maxBatchNames is how many values one call asks for; a caller that would exceed
	// it makes a call of its own.
	maxBatchNames = 64
)

// batcher sends what several callers ask of a store in one call. Calls that
// find others under way wait for the end of one and go together: on a busy
// gateway the round trips, which cost more than the values do, are shared by as
// many as come meanwhile, and on a quiet one nobody waits.
//
// go-redis has such a thing (AutoPipeline, experimental). It does not fit: its
// batches have no budget, and it passes the breaker by.
type batcher struct {
	next   store
	budget time.Duration

	mu       sync.Mutex
	underWay int
	waiting  *batch // nil: nobody waits
}

// batch is one call on behalf of all that wait for it. It has a budget of its own:
// the time that its callers have waited for their turn says nothing about the store.
type batch struct {
	names  []string
	until  time.Time     // the end of the budget of the first who came: nobody waits longer
	turn   chan struct{} // closed when it may be run
	done   chan struct{} // closed when it was
	values [][]byte
	err    error
}

// Get returns the value under each name, nil where there is none, within one
// budget. It ends earlier when ctx does, unless others wait for what it runs.
func (b *batcher) Get(ctx context.Context, names []string) ([][]byte, error) {
	own, places, first := b.join(names)
	if own == nil {
		return b.next.Get(context.WithoutCancel(ctx), names)
	}
	if first {
		b.schedule(ctx, own)
	}
	if err := own.wait(ctx); err != nil {
		return nil, err
	}
	if own.err != nil {
		return nil, own.err
	}
	values := make([][]byte, len(names))
	for i, place := range places {
		values[i] = own.values[place]
	}
	return values, nil
}

// join adds the names to a batch, and returns the places of their values in its
// answer. The first to join must run it. The batch is nil for a caller that must
// make a call of its own.
func (b *batcher) join(names []string) (own *batch, places []int, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.underWay < maxBatches:
		b.underWay++
		own, first = newBatch(b.budget), true
		close(own.turn)
	case b.waiting == nil:
		b.waiting = newBatch(b.budget)
		own, first = b.waiting, true
	case len(b.waiting.names)+len(names) <= maxBatchNames:
		own = b.waiting
	default:
		return nil, nil, false
	}
	return own, own.add(names), first
}

// add asks for each name once, however many callers want its value.
func (own *batch) add(names []string) []int {
	places := make([]int, len(names))
	for i, name := range names {
		places[i] = slices.Index(own.names, name)
		if places[i] < 0 {
			places[i] = len(own.names)
			own.names = append(own.names, name)
		}
	}
	return places
}

func newBatch(budget time.Duration) *batch {
	return &batch{until: time.Now().Add(budget), turn: make(chan struct{}), done: make(chan struct{})}
}

// schedule runs the batch: now, if it is its turn, or else in a goroutine when the
// turn comes, which is within a budget.
func (b *batcher) schedule(ctx context.Context, own *batch) {
	ctx = context.WithoutCancel(ctx) // whether or not the caller stays: others wait as well
	select {
	case <-own.turn:
		b.run(ctx, own)
	default:
		go func() {
			<-own.turn
			b.run(ctx, own)
		}()
	}
}

// run asks the store, unless nobody waits any more.
func (b *batcher) run(ctx context.Context, own *batch) {
	own.err = errCallExited // stays if the store panics
	defer func() {
		close(own.done)
		b.release()
	}()
	if time.Until(own.until) <= 0 {
		own.err = context.DeadlineExceeded
		return
	}
	ctx, cancel := context.WithTimeout(ctx, b.budget)
	defer cancel()
	own.values, own.err = b.next.Get(ctx, own.names)
}

// wait returns nil when the batch has been run.
func (own *batch) wait(ctx context.Context) error {
	select {
	case <-own.done: // needs no timer
		return nil
	default:
	}
	timer := time.NewTimer(time.Until(own.until))
	defer timer.Stop()
	select {
	case <-own.done:
		return nil
	case <-timer.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives the place of a call that has ended to the batch that waits.
func (b *batcher) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.underWay--
		return
	}
	close(b.waiting.turn) // nobody joins it any more
	b.waiting = nil
}
