package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
)

// Defaults of Options.
const (
	DefaultMaxBytes      = 64 << 20
	DefaultMaxEntryBytes = 1 << 20
	DefaultFresh         = 5 * time.Second
	DefaultStale         = time.Minute
	DefaultStaleIfError  = 10 * time.Minute
	DefaultLoadTimeout   = 15 * time.Second
)

// Options configure a Cache. Zero values take the defaults.
type Options struct {
	// Summarizer is what summaries are loaded from; nil: Summarize fails.
	Summarizer search.Summarizer
	// MaxBytes bounds the memory of the cache, keys and overhead included.
	MaxBytes int64
	// MaxEntryBytes is the weight of the heaviest entry that is stored; a heavier
	// one is answered and not stored.
	MaxEntryBytes int64
	// Fresh is how long an answer is fresh, counted from the moment before its search
	// began, so that no write older than this is ever missed. Where gateways share a
	// Redis, the difference of their clocks is added.
	Fresh time.Duration
	// Stale is the age until which an answer is served while it is loaded anew
	// (stale-while-revalidate), if the Log says that its scope has not changed. Where
	// the window of the search ended over a day ago, it is 10 minutes. At most Fresh:
	// never. Without a Log no scope is known to be unchanged.
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
	// Now is the clock; nil: time.Now.
	Now func() time.Time
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
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxEntryBytes == 0 {
		o.MaxEntryBytes = min(DefaultMaxEntryBytes, o.MaxBytes)
	}
	if o.Fresh == 0 {
		o.Fresh = DefaultFresh
	}
	if o.Stale == 0 {
		o.Stale = max(o.Fresh, DefaultStale)
	}
	if o.StaleIfError == 0 {
		o.StaleIfError = max(o.Stale, DefaultStaleIfError)
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = DefaultLoadTimeout
	}
	if o.Admission == nil {
		o.Admission = admitAll{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
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
	if o.Stale < 0 || o.StaleIfError < 0 {
		faults = append(faults, errors.New("the ages of answers (Stale, StaleIfError) must be positive"))
	}
	if o.Jitter < 0 || o.Jitter > 1 {
		faults = append(faults, errors.New("the share Jitter must be 0 to 1"))
	}
	if o.LoadTimeout < 0 {
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
