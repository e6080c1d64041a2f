package cache

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

var (
	_ search.Searcher   = (*Cache)(nil)
	_ search.Summarizer = (*Cache)(nil)
)

// Cache is a caching search.Searcher and search.Summarizer. Its methods may be called concurrently.
type Cache struct {
	next        search.Searcher
	summaries   search.Summarizer // nil: none can be had
	identity    *identity
	memory      *memory
	shared      *shared // nil: there is no second tier
	loads       *loads
	admission   Admission
	metrics     *metrics
	now         func() time.Time
	life        lifetimes
	loadTimeout time.Duration
	index       *invalidation.Index    // nil: there is no log
	follower    *invalidation.Follower // nil likewise
	watcher     *invalidation.Watcher  // nil: nothing is watched
	logger      *slog.Logger

	refreshes     chan struct{} // one for each load that nobody waits for
	refreshFailed moment        // when the last such failed
}

// New puts a cache in front of next. Close stops it.
func New(next search.Searcher, o Options) (*Cache, error) {
	o = o.withDefaults()
	if err := o.validate(next); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &Cache{
		next:        next,
		summaries:   o.Summarizer,
		loads:       newLoads(),
		admission:   o.Admission,
		now:         o.Now,
		life:        o.lifetimes(),
		logger:      o.Logger,
		loadTimeout: o.LoadTimeout,
		refreshes:   make(chan struct{}, maxRefreshes),
	}
	if err := c.open(o); err != nil {
		c.Close()
		return nil, fmt.Errorf("cache: %w", err)
	}
	return c, nil
}

func (c *Cache) open(o Options) (err error) {
	if c.memory, err = newMemory(o); err != nil {
		return err
	}
	if c.metrics, err = newMetrics(o.MeterProvider, c.memory); err != nil {
		return err
	}
	if o.Redis != nil {
		if c.shared, err = newShared(o.Redis, o.Redis.Budget(), o); err != nil {
			return err
		}
	}
	c.identity = newIdentity(o)
	if err := c.follow(o); err != nil {
		return err
	}
	c.watcher = invalidation.StartWatch(o.Watch, c.index, o.Logger, o.Now)
	return nil
}

func (c *Cache) follow(o Options) (err error) {
	if o.Log == nil {
		return nil
	}
	c.index = invalidation.NewIndex(o.Now())
	c.follower, err = invalidation.Follow(o.Log, c.index, invalidation.FollowerOptions{
		Logger: o.Logger, MeterProvider: o.MeterProvider, Now: o.Now,
	})
	return err
}

// validity is what is known about what was loaded for the scope at a position
// and a time.
func (c *Cache) validity(scope tenancy.Scope, at invalidation.Position, loadedAt, now time.Time) invalidation.Validity {
	if loadedAt.Before(c.data().since) {
		return invalidation.Stale
	}
	return c.watcher.Validity(loadedAt, c.index.Validity(scope, at, loadedAt, now))
}

// Close cancels the loads under way, waits for them and for what is on its way
// to Redis, and forgets what is held. The searcher behind the cache and its
// Redis may be closed after it. A Search after Close fails with
// search.ErrUnavailable.
func (c *Cache) Close() {
	c.watcher.Close()
	if c.follower != nil {
		c.follower.Close()
	}
	if c.identity != nil {
		c.identity.close()
	}
	c.loads.close()
	if c.shared != nil {
		c.shared.close()
	}
	if c.metrics != nil {
		c.metrics.close()
	}
	if c.memory != nil {
		c.memory.close()
	}
}

// Search answers from the cache what it can and asks the next searcher for the
// rest, count and page in parallel. Besides the errors of search.Searcher it
// passes on what the next one fails with; failures are never kept.
//
// A load goes on when its first caller has gone, with the values of that
// caller's ctx: ctx must stay usable after the request (a gin.Context does not,
// the context of its http.Request does). When nobody has waited for it for a
// second it is cancelled; renewals, which nobody waits for, are not.
//
// The JSON and positions of the rows are shared with other callers: they must
// not be written to. The slice of rows is the caller's own.
func (c *Cache) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if scope.IsEmpty() || (q.WithoutCount && q.WithoutItems) {
		return c.next.Search(ctx, scope, q) // nothing to keep
	}
	a := newAnswer(c.data(), scope, q, c.now(), boundOf(ctx))
	if err := c.settle(ctx, a); err != nil {
		return search.Result{}, err
	}
	return a.result(c.now(), c.life), nil
}

// settle finds every part of the answer, in a span.
func (c *Cache) settle(ctx context.Context, a *answer) error {
	ctx, span := startSpan(ctx)
	defer span.End()
	err := c.find(ctx, a)
	link(span, a)
	if err != nil {
		endWithError(span, err)
		return repanic(err)
	}
	c.refreshStale(ctx, a)
	c.describe(span, a)
	return nil
}
