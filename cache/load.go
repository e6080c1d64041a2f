package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/search"
)

// starter runs a load; look is what the tiers have for it.
type starter func(look func() loaded)

// load waits for the parts to be loaded, by loads under way or ones that it
// starts. It ends with the first failure.
func (c *Cache) load(ctx context.Context, a *answer, missing []*lookup) error {
	if len(missing) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // nobody waits: start nothing
	}
	var own []*lookup
	var starters []starter
	var closed error
	for _, l := range missing {
		start, err := c.joinOrMake(ctx, a, l)
		if err != nil {
			closed = err
			break
		}
		if start != nil {
			own, starters = append(own, l), append(starters, start)
		}
	}
	c.startAll(ctx, a, own, starters) // those that were made must end, also when closed
	if closed != nil {
		return closed
	}
	return waitAll(ctx, missing)
}

// joinOrMake finds the load that will bring the part. The starter of one that it
// makes must be called; it is nil for the load of another caller.
func (c *Cache) joinOrMake(ctx context.Context, a *answer, l *lookup) (starter, error) {
	loadCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.loadTimeout)
	own := &load{
		key:    l.key,
		begun:  a.now,
		origin: trace.SpanContextFromContext(ctx),
		cancel: cancel,
		done:   make(chan struct{}),
	}
	this, err := c.loads.join(own, func(running *load) bool {
		return !a.revalidate && a.now.Sub(running.begun) < c.fresh
	})
	if err != nil || this != own {
		cancel()
		l.load = this
		return nil, err
	}
	l.load, l.mine = own, true
	return func(look func() loaded) {
		c.loads.run(own, func() loaded {
			if kept := look(); kept.entry != nil {
				return kept
			}
			return c.work(loadCtx, a, l)
		})
	}, nil
}

// startAll runs the loads side by side. The first looks into the tiers for all
// of them. That look goes on, within its budget, whether or not its caller
// stays: others may have joined.
func (c *Cache) startAll(ctx context.Context, a *answer, own []*lookup, starters []starter) {
	answers := make([]loaded, len(own))
	looked := make(chan struct{})
	look := func() {
		defer close(looked)
		if !a.revalidate {
			c.kept(context.WithoutCancel(ctx), own, answers)
		}
	}
	for i, start := range starters {
		go start(func() loaded {
			if i == 0 {
				look()
			}
			<-looked
			return answers[i]
		})
	}
}

// work is what a load does that no tier has an answer for.
func (c *Cache) work(ctx context.Context, a *answer, l *lookup) loaded {
	began := time.Now()
	result, err := c.next.Search(ctx, a.scope, l.query)
	c.metrics.loaded(ctx, l.part, time.Since(began), err)
	if err != nil {
		return loaded{err: loadError(ctx, err)}
	}
	e := c.newEntry(l, result, a.now)
	return loaded{entry: e, stored: c.keep(ctx, l.part, e)}
}

// newEntry makes an entry of what the next searcher found. It may be a cache
// itself: then its answer is as old as it says.
func (c *Cache) newEntry(l *lookup, result search.Result, begun time.Time) *entry {
	served := result.Count.Served
	e := &entry{key: l.key, total: result.Count.Total}
	if l.part == partPage {
		served = result.Page.Served
		e.page = search.Page{Rows: result.Page.Rows, More: result.Page.More}
		if c.memory.fits(e) {
			e.page.Rows = compact(e.page.Rows)
		}
	}
	e.took = served.Took
	e.loadedAt = begun
	if !served.LoadedAt.IsZero() && served.LoadedAt.Before(begun) {
		e.loadedAt = served.LoadedAt
	}
	return e
}

// loadError tells the end of the load's own time from the end of a caller's:
// those who wait have not gone away.
func loadError(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: the load took too long", search.ErrTimeout)
	case errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled):
		return errClosed // nothing but close cancels a load
	}
	return err
}

// waitAll takes what the loads of the lookups, two at most, bring. It ends with
// the first failure, or as soon as the caller goes away.
func waitAll(ctx context.Context, lookups []*lookup) error {
	var done [2]<-chan struct{} // nil: not waited for
	for i, l := range lookups {
		done[i] = l.load.done
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
		if err := lookups[ended].take(); err != nil {
			return err
		}
	}
	return nil
}

// take fills in what the lookup's load, which has ended, brought.
func (l *lookup) take() error {
	brought := l.load.loaded
	if brought.err != nil {
		return brought.err
	}
	l.found = found{entry: brought.entry, tier: brought.tier, stored: brought.stored}
	if !l.mine && brought.tier == "" {
		l.found.joined = l.load
	}
	return nil
}
