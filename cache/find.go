package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/scopegate/scopegate/search"
)

// find fills in every part of the answer: from memory, from the page for the
// count, and by loads in parallel for what is still missing.
func (c *Cache) find(ctx context.Context, a *answer) error {
	for _, l := range a.missing() {
		c.recall(a, l)
	}
	c.correctCount(a)
	group, groupCtx := errgroup.WithContext(ctx)
	for _, l := range a.missing() {
		group.Go(func() error { return c.load(groupCtx, a, l) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.correctCount(a)
	c.metrics.looked(ctx, a)
	return nil
}

// recall looks for a part in the tiers that answer at once.
func (c *Cache) recall(a *answer, l *lookup) {
	if a.revalidate {
		return
	}
	if e, ok := c.memory.get(l.key, a.now); ok {
		l.found = found{entry: e, tier: tierMemory}
	}
}

// correctCount keeps what the page says about the count, for later pages too.
func (c *Cache) correctCount(a *answer) {
	if !a.countFromPage() {
		return
	}
	stored := c.memory.put(a.count.found.entry, c.now())
	a.count.found.stored = stored && a.count.found.tier == ""
}

// load waits for the part to be loaded, by a load under way or one that it
// starts.
func (c *Cache) load(ctx context.Context, a *answer, l *lookup) error {
	if err := ctx.Err(); err != nil {
		return err // nobody waits: start nothing
	}
	this, mine, err := c.joinOrStart(ctx, a, l)
	if err != nil {
		return err
	}
	done, err := this.wait(ctx)
	if err != nil {
		return err
	}
	l.found = found{entry: done.entry, tier: done.tier, stored: done.stored}
	if !mine && done.tier == "" {
		l.found.joined = this
	}
	return nil
}

func (c *Cache) joinOrStart(ctx context.Context, a *answer, l *lookup) (this *load, mine bool, err error) {
	loadCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.loadTimeout)
	own := &load{
		key:    l.key,
		begun:  a.now,
		origin: trace.SpanContextFromContext(ctx),
		cancel: cancel,
		done:   make(chan struct{}),
	}
	this, err = c.loads.join(own, func(running *load) bool {
		return !a.revalidate && a.now.Sub(running.begun) < c.fresh
	})
	if err != nil || this != own {
		cancel()
		return this, false, err
	}
	go c.loads.run(own, func() loaded { return c.work(loadCtx, a, l, own) })
	return own, true, nil
}

// work is what one load does. A second tier has its place before the search.
func (c *Cache) work(ctx context.Context, a *answer, l *lookup, this *load) loaded {
	// A load of the same key may have ended between this caller's look and its
	// turn; it was kept before it could no longer be joined.
	if e, ok := c.memory.get(l.key, a.now); ok && !a.revalidate {
		return loaded{entry: e, tier: tierMemory}
	}
	began := time.Now()
	result, err := c.next.Search(ctx, a.scope, l.query)
	c.metrics.loaded(ctx, l.part, time.Since(began), err)
	if err != nil {
		return loaded{err: loadError(ctx, err)}
	}
	e := c.newEntry(l, result, this.begun)
	return loaded{entry: e, stored: c.memory.put(e, c.now())}
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
