package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
)

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
		return !r.maxAge.set && r.now.Sub(running.begun) < c.life.fresh &&
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
