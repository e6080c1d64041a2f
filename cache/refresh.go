package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/search"
)

// Bounds of what is loaded behind the callers' backs.
const (
	maxRefreshes = 32          // at a time
	refreshPause = time.Second // after one failed
)

// refresh loads anew what is served stale (stale-while-revalidate; RFC 5861,
// section 3), unless that is under way. Nobody waits for the call that it makes;
// callers who come meanwhile may join it.
func (c *Cache) refresh(ctx context.Context, r *request, stale *lookup) {
	if c.refreshFailed.within(refreshPause, r.now) {
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
	own := &lookup{part: stale.part, key: stale.key, renewal: true}
	callCtx, err := c.lead(ctx, r, own, release)
	if err != nil || !own.leader {
		release()
		if own.call != nil {
			c.flights.leave(own.call)
		}
		<-c.refreshes
		return
	}
	go func() {
		defer func() { <-c.refreshes }()
		defer c.flights.leave(own.call)
		c.run(callCtx, r, own, func(r *request, own *lookup) found {
			c.fromRedis(callCtx, r, []*lookup{own})
			if own.found.stale { // that is what is to be refreshed
				return found{}
			}
			return own.found
		})
		c.refreshed(callCtx, own.call.err)
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

// lastTime is when something last happened; its zero value: never. It holds the
// reading of the monotonic clock, so that a step of the wall clock makes no pause
// longer or shorter. Safe for use by several goroutines.
type lastTime struct{ at atomic.Pointer[time.Time] }

func (l *lastTime) set(t time.Time) { l.at.Store(&t) }

// within reports whether it was less than d before now.
func (l *lastTime) within(d time.Duration, now time.Time) bool {
	at := l.at.Load()
	return at != nil && now.Sub(*at) < d
}
