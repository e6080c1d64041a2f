package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// starter runs a load, unless look finds that there is no need.
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
	defer func() {
		for _, l := range missing {
			if l.load != nil {
				c.loads.leave(l.load)
			}
		}
	}()
	if err := c.begin(ctx, a, missing); err != nil {
		return err
	}
	err := c.waitAll(ctx, a, missing)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		// A part has failed, or took all the time that there is. Who asks again is not
		// to share what may be the same failure of the other.
		for _, l := range missing {
			if l.mine {
				c.loads.retire(l.load)
			}
		}
	}
	return err
}

// begin finds a load for each lookup, or starts it as soon as its account may
// have it under way.
func (c *Cache) begin(ctx context.Context, a *answer, missing []*lookup) error {
	own := c.join(a, missing)
	if len(own) == 0 {
		return nil
	}
	release, err := c.admission.Admit(ctx, len(own))
	if err != nil {
		// Others may have begun to load the same meanwhile.
		if errors.Is(err, search.ErrTooManyLoads) && len(c.join(a, own)) == 0 {
			return nil
		}
		return err
	}
	for i, l := range own {
		start, err := c.joinOrMake(ctx, a, l, release)
		if err != nil {
			for range own[i:] {
				release()
			}
			return err
		}
		if start == nil {
			release()
			continue
		}
		go start(func() loaded { return c.remembered(a, l) })
	}
	return nil
}

// join finds the lookups' loads that are under way, and returns the lookups that
// have none.
func (c *Cache) join(a *answer, lookups []*lookup) (rest []*lookup) {
	for _, l := range lookups {
		if l.load = c.loads.join(l.key, c.mayJoin(a)); l.load == nil {
			rest = append(rest, l)
		}
	}
	return rest
}

// mayJoin reports whether a load can bring what the answer needs.
func (c *Cache) mayJoin(a *answer) func(running *load) bool {
	return func(running *load) bool {
		return !a.bound.set && a.now.Sub(running.begun) < c.life.fresh &&
			c.validity(a.scope, running.applied, running.begun, c.now()) != invalidation.Stale
	}
}

// joinOrMake finds the load that will bring the part. The starter of one that it
// makes must be called, and calls release when the load has ended; it is nil for
// the load of another caller.
func (c *Cache) joinOrMake(ctx context.Context, a *answer, l *lookup, release func()) (starter, error) {
	loadCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.loadTimeout)
	own := &load{
		key:     l.key,
		begun:   a.now,
		origin:  trace.SpanContextFromContext(ctx),
		renewal: l.renewal,
		cancel:  cancel,
		release: release,
		done:    make(chan struct{}),
	}
	own.at, own.applied = c.index.Position(c.now())
	this, err := c.loads.joinOrAdd(own, c.mayJoin(a))
	if err != nil || this != own {
		cancel()
		l.load = this
		return nil, err
	}
	l.load, l.mine = own, true
	return func(look func() loaded) {
		c.loads.run(own, func() loaded {
			if found := look(); found.entry != nil {
				return found
			}
			return c.work(loadCtx, a, l)
		})
	}, nil
}

// remembered is what a load of the same key has left that ended between the
// caller's look and its turn; it was kept before it could no longer be joined.
func (c *Cache) remembered(a *answer, l *lookup) loaded {
	again := &lookup{part: l.part, key: l.key}
	c.recall(a, again)
	return loaded{entry: again.found.entry, tier: again.found.tier, stale: again.found.stale}
}

// work is what a load does that no tier has an answer for.
func (c *Cache) work(ctx context.Context, a *answer, l *lookup) loaded {
	began := time.Now()
	e, err := c.ask(ctx, a.scope, l)
	c.metrics.loaded(ctx, l.part, time.Since(began), err)
	if err != nil {
		return loaded{err: loadError(ctx, err)}
	}
	return loaded{entry: e, stored: c.keep(ctx, a, l.part, e)}
}

// ask asks what is behind the cache for one part.
func (c *Cache) ask(ctx context.Context, scope tenancy.Scope, l *lookup) (*entry, error) {
	if l.part == partSummary {
		return c.summarize(ctx, scope, l)
	}
	result, err := c.next.Search(ctx, scope, l.query)
	if err != nil {
		return nil, err
	}
	if l.part == partCount {
		return c.newEntry(l, entry{total: result.Count.Total}, result.Count.Served), nil
	}
	e := c.newEntry(l, entry{page: search.Page{Rows: result.Page.Rows, More: result.Page.More}}, result.Page.Served)
	if c.memory.fits(e) {
		e.page.Rows = compact(e.page.Rows)
	}
	return e, nil
}

// newEntry makes an entry of what the lookup's load found by the next searcher.
// That may be a cache itself: then its answer is as old as it says, and what the
// log had said by then is not known.
func (c *Cache) newEntry(l *lookup, found entry, served search.Served) *entry {
	e := &found
	e.key, e.loadedAt, e.position, e.took = l.key, l.load.begun, l.load.at, served.Took
	if !served.LoadedAt.IsZero() && served.LoadedAt.Before(e.loadedAt) {
		e.loadedAt, e.position = served.LoadedAt, invalidation.Position{}
	}
	e.settled = settled(l.query.Filter, e.loadedAt)
	return e
}

// loadError tells the end of the load's own time from the end of a caller's:
// those who wait have not gone away.
func loadError(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: the load took too long", search.ErrTimeout)
	case errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled):
		return errClosed // those who wait are here: nobody else cancels their load
	}
	return err
}

// waitAll takes what the loads of the lookups, two at most, bring. It ends with
// the first failure, or as soon as the caller goes away.
func (c *Cache) waitAll(ctx context.Context, a *answer, lookups []*lookup) error {
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
		if err := c.take(a, lookups[ended]); err != nil {
			return err
		}
	}
	return nil
}

// take fills in what the lookup's load, which has ended, brought.
func (c *Cache) take(a *answer, l *lookup) error {
	brought := l.load.loaded
	if brought.err != nil {
		if c.standIn(a, l) {
			return nil
		}
		return brought.err
	}
	l.found = found{entry: brought.entry, tier: brought.tier, stored: brought.stored, stale: brought.stale}
	if !l.mine && brought.tier == "" {
		l.found.joined = l.load
	}
	return nil
}

// standIn fills in an older answer, if the engine failed and there is one that
// no change has touched up to now.
func (c *Cache) standIn(a *answer, l *lookup) bool {
	if a.bound.set || !isOutage(l.load.err) {
		return false
	}
	now := c.now()
	if e := l.spare.entry; e != nil && c.judge(e, a.scope, now) > useless {
		l.found = found{entry: e, tier: l.spare.tier, stale: true, outage: true}
		return true
	}
	// What was kept meanwhile may have stayed longer than what was looked for.
	if e, ok := c.memory.get(l.key, now); ok && c.judge(e, a.scope, now) > useless {
		l.found = found{entry: e, tier: tierMemory, stale: true, outage: true}
		return true
	}
	return false
}
