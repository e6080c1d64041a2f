package cache

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
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
	flights     *flightGroup
	admission   Admission
	metrics     *metrics
	now         func() time.Time
	life        lifetimes
	loadTimeout time.Duration
	index       *invalidation.Index    // nil: there is no log
	follower    *invalidation.Follower // nil likewise
	watcher     *invalidation.Watcher  // nil: nothing is watched
	logger      *slog.Logger

	refreshes     chan struct{} // one value for each load that nobody waits for
	refreshFailed lastTime      // of the last such
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
		flights:     newFlightGroup(),
		admission:   o.Admission,
		now:         o.now,
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
	c.watcher = invalidation.StartWatch(o.Watch, c.index, o.Logger, o.now)
	return nil
}

func (c *Cache) follow(o Options) (err error) {
	if o.Log == nil {
		return nil
	}
	c.index = invalidation.NewIndex(o.now())
	c.follower, err = invalidation.Follow(o.Log, c.index, invalidation.FollowerOptions{
		Logger: o.Logger, MeterProvider: o.MeterProvider, Now: o.now,
	})
	return err
}

// Close cancels the loads under way, waits for them and for what is being written
// to Redis, and empties the memory. The searcher behind the cache and its
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
	c.flights.close()
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
