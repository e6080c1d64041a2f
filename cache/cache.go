package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

var _ search.Searcher = (*Cache)(nil)

// Defaults of Options.
const (
	DefaultMaxBytes      = 64 << 20
	DefaultMaxEntryBytes = 1 << 20
	DefaultFresh         = 5 * time.Second
	DefaultLoadTimeout   = 15 * time.Second
)

// Options configure a Cache. Zero values take the defaults.
type Options struct {
	// MaxBytes bounds what the cache holds in memory, keys and overhead included.
	MaxBytes int64
	// MaxEntryBytes is the weight of the heaviest page that is kept; a heavier
	// one is answered but not stored.
	MaxEntryBytes int64
	// Fresh is how long an answer may be served, counted from the moment before
	// its search began, so that no write older than this is ever missed.
	Fresh time.Duration
	// LoadTimeout ends a load, which has no other deadline: it outlives the
	// caller who started it.
	LoadTimeout time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// MeterProvider is where the metrics go; nil: nowhere.
	MeterProvider metric.MeterProvider
}

// Cache is a caching search.Searcher. Its methods may be called concurrently.
type Cache struct {
	next        search.Searcher
	memory      *memory
	loads       *loads
	metrics     *metrics
	now         func() time.Time
	fresh       time.Duration
	loadTimeout time.Duration
}

// New puts a cache in front of next. Close stops it.
func New(next search.Searcher, o Options) (*Cache, error) {
	o = o.withDefaults()
	if err := o.validate(next); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &Cache{
		next:        next,
		loads:       newLoads(),
		now:         o.Now,
		fresh:       o.Fresh,
		loadTimeout: o.LoadTimeout,
	}
	var err error
	if c.memory, err = newMemory(o); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if c.metrics, err = newMetrics(o.MeterProvider, c.memory); err != nil {
		c.memory.close()
		return nil, fmt.Errorf("cache: %w", err)
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxEntryBytes == 0 {
		o.MaxEntryBytes = min(DefaultMaxEntryBytes, o.MaxBytes)
	}
	if o.Fresh == 0 {
		o.Fresh = DefaultFresh
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = DefaultLoadTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MeterProvider == nil {
		o.MeterProvider = noop.NewMeterProvider()
	}
	return o
}

func (o Options) validate(next search.Searcher) error {
	var faults []error
	if next == nil {
		faults = append(faults, errors.New("there is no searcher to cache"))
	}
	if o.MaxBytes < 0 {
		faults = append(faults, errors.New("the bound MaxBytes must be positive"))
	}
	if o.MaxEntryBytes < 0 || o.MaxEntryBytes > o.MaxBytes {
		faults = append(faults, errors.New("the bound MaxEntryBytes must be positive and at most MaxBytes"))
	}
	if o.Fresh < 0 {
		faults = append(faults, errors.New("the life of an entry (Fresh) must be positive"))
	}
	if o.LoadTimeout < 0 {
		faults = append(faults, errors.New("the deadline LoadTimeout must be positive"))
	}
	return errors.Join(faults...)
}

// Close cancels the loads under way, waits for them and forgets what is held.
// The searcher behind the cache may be closed after it. A Search after Close
// fails with search.ErrUnavailable.
func (c *Cache) Close() {
	c.loads.close()
	c.metrics.close()
	c.memory.close()
}

// Search answers from the cache what it can and asks the next searcher for the
// rest, count and page in parallel. Besides the errors of search.Searcher it
// passes on what the next one fails with; failures are never kept.
//
// A load goes on when its first caller has gone, with the values of that
// caller's ctx: ctx must stay usable after the request (a gin.Context does not,
// the context of its http.Request does).
//
// The JSON and positions of the rows are shared with other callers: they must
// not be written to. The slice of rows is the caller's own.
func (c *Cache) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if scope.IsEmpty() || (q.WithoutCount && q.WithoutItems) {
		return c.next.Search(ctx, scope, q) // nothing to keep
	}
	ctx, span := startSpan(ctx)
	defer span.End()

	a := newAnswer(scope, q, c.now(), mustRevalidate(ctx))
	if err := c.find(ctx, a); err != nil {
		endWithError(span, err)
		return search.Result{}, repanic(err)
	}
	c.describe(span, a)
	return a.result(c.now(), c.fresh), nil
}
