package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
)

// maxEntryBytes is the weight of the heaviest entry that is stored: a heavier one
// would push out hundreds of others. It is answered and not stored.
const maxEntryBytes = 1 << 20

// Options configure a Cache. MaxBytes, Fresh and LoadTimeout are required.
type Options struct {
	// Summarizer is what summaries are loaded from; nil: Summarize fails.
	Summarizer search.Summarizer
	// MaxBytes bounds the memory of the cache, keys and overhead included.
	MaxBytes int64
	// Fresh is how long an answer is fresh, counted from the moment before its search
	// began, so that no write older than this is ever missed. Where gateways share a
	// Redis, the difference of their clocks is added.
	Fresh time.Duration
	// Stale is the age until which an answer is served while it is loaded anew
	// (stale-while-revalidate), if the Log says that its scope has not changed. Where
	// the window of the search ended over a day ago, it is 10 minutes. At most
	// Fresh: never. Without a Log no scope is known to be unchanged.
	Stale time.Duration
	// StaleIfError is the age until which such an answer is served when the engine
	// fails.
	StaleIfError time.Duration
	// Jitter is the largest share by which the freshness of an answer is shortened,
	// each by another: answers that were loaded at one moment are not loaded anew at
	// one moment. 0 to 1; 0: not at all.
	Jitter float64
	// Log is where writers publish whose sessions they have changed; nil: nowhere,
	// and answers are served for Fresh only.
	Log invalidation.Log
	// Watch notices changes that are not in the Log, some time after they were made.
	Watch invalidation.Watch
	// LoadTimeout ends a load. A load has no other deadline: it may outlive the caller
	// who started it.
	LoadTimeout time.Duration
	// Admission bounds the loads of each account; nil: they are not bounded.
	Admission Admission
	// Redis is the second tier, shared with other gateways; nil: there is none.
	// It stays the caller's to close, after the cache.
	Redis *redisstore.Client
	// Namespace names the data that is searched: caches of different namespaces
	// never see each other's entries, also in one Redis.
	Namespace string
	// Identity identifies the data that is searched: it differs for each index that
	// the Namespace may stand for, in whichever cluster. Caches that search different
	// data never see each other's entries, and when other data comes to be searched
	// everything is loaded anew. It is called every few seconds; until it has
	// returned once, nothing is stored in Redis. nil: the Namespace alone identifies
	// the data.
	Identity func(ctx context.Context) (string, error)
	// Keys of 32 bytes seal what is written to Redis: the first seals, all open. To
	// change them add the new one at the end on all gateways, then move it to
	// the front, then remove the old one.
	//
	// SECURITY: without keys whoever reaches the Redis can read the sessions
	// in it, and put others in their place.
	Keys [][]byte
	// Logger reports when Redis, the Log or Identity fails and when it works again;
	// nil: nothing is logged.
	Logger *slog.Logger
	// MeterProvider is where the metrics go; nil: nowhere.
	MeterProvider metric.MeterProvider

	now           func() time.Time // nil: time.Now; for tests
	maxEntryBytes int64            // 0: maxEntryBytes; for tests
}

// Admission decides when the loads of an account may begin. The account is in
// their context.
type Admission interface {
	// Admit waits until n more loads may begin. Each of them calls release once,
	// when it has ended. Errors: search.ErrTooManyLoads, or the context's.
	Admit(ctx context.Context, n int) (release func(), err error)
	// TryAdmit does not wait: it is for loads that no caller waits for.
	TryAdmit(ctx context.Context, n int) (release func(), ok bool)
}

// admitAll is the Admission without a bound.
type admitAll struct{}

// Admit lets all loads begin.
func (admitAll) Admit(context.Context, int) (func(), error) { return func() {}, nil }

// TryAdmit lets all loads begin.
func (admitAll) TryAdmit(context.Context, int) (func(), bool) { return func() {}, true }

func (o Options) withDefaults() Options {
	o.maxEntryBytes = min(cmp.Or(o.maxEntryBytes, maxEntryBytes), o.MaxBytes)
	o.Admission = cmp.Or[Admission](o.Admission, admitAll{})
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

func (o Options) validate(next search.Searcher) error {
	var faults []error
	if next == nil {
		faults = append(faults, errors.New("there is no searcher to cache"))
	}
	if o.MaxBytes <= 0 {
		faults = append(faults, errors.New("the bound MaxBytes must be positive"))
	}
	if o.Fresh <= 0 {
		faults = append(faults, errors.New("the freshness of an entry (Fresh) must be positive"))
	}
	if o.Stale < 0 || o.StaleIfError < 0 {
		faults = append(faults, errors.New("the ages of answers (Stale, StaleIfError) must not be negative"))
	}
	if o.Jitter < 0 || o.Jitter > 1 {
		faults = append(faults, errors.New("the share Jitter must be 0 to 1"))
	}
	if o.LoadTimeout <= 0 {
		faults = append(faults, errors.New("the deadline LoadTimeout must be positive"))
	}
	if o.Watch.Version != nil && o.Watch.Every <= 0 {
		faults = append(faults, errors.New("what is watched must be looked at every so often (Watch.Every)"))
	}
	for i, key := range o.Keys {
		if len(key) != keyBytes {
			faults = append(faults, fmt.Errorf("key %d of Keys has %d bytes and must have %d", i+1, len(key), keyBytes))
		}
	}
	return errors.Join(faults...)
}
