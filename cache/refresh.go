package cache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/scopegate/scopegate/search"
)

// Bounds of what is loaded behind the callers' backs.
const (
	maxRefreshes = 32          // at a time
	refreshRest  = time.Second // after one failed
)

// refreshStale begins to load anew what the answer has that is not fresh any
// more (RFC 5861, section 3).
func (c *Cache) refreshStale(ctx context.Context, a *answer) {
	for _, l := range a.lookups() {
		if l != nil && l.found.stale && !l.found.outage {
			c.refresh(ctx, a, l)
		}
	}
}

// refresh makes a load that nobody waits for, unless one is under way. Callers
// who come meanwhile may join it.
func (c *Cache) refresh(ctx context.Context, a *answer, l *lookup) {
	if c.refreshFailed.within(refreshRest, a.now) {
		return
	}
	select {
	case c.refreshes <- struct{}{}:
	default:
		return
	}
	release, ok := c.admission.TryAdmit(ctx, 1)
	if !ok {
		<-c.refreshes
		return
	}
	own := &lookup{part: l.part, key: l.key, query: l.query, summary: l.summary, renewal: true}
	start, err := c.joinOrMake(ctx, a, own, release)
	if err != nil || start == nil {
		release()
		if own.load != nil {
			c.loads.leave(own.load)
		}
		<-c.refreshes
		return
	}
	go func() {
		defer func() { <-c.refreshes }()
		defer c.loads.leave(own.load)
		start(func() loaded {
			c.kept(context.WithoutCancel(ctx), a, []*lookup{own})
			if own.found.stale { // what is to be renewed
				return loaded{}
			}
			return loaded{entry: own.found.entry, tier: own.found.tier}
		})
		c.refreshed(ctx, own.load.err)
	}()
}

// refreshed looks at how a load ended that nobody may have waited for.
func (c *Cache) refreshed(ctx context.Context, err error) {
	var p *panicError
	switch {
	case errors.As(err, &p): // else nobody would hear of it
		c.logger.ErrorContext(ctx, "a search panicked", slog.String("panic", p.Error()))
	case isOutage(err):
		c.refreshFailed.set(c.now())
	}
}

// isOutage reports whether the engine failed in a way that older answers may
// stand in for (RFC 5861, section 4).
func isOutage(err error) bool {
	return !errors.Is(err, errClosed) && (errors.Is(err, search.ErrUnavailable) || errors.Is(err, search.ErrTimeout))
}
