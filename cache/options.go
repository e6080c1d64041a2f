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
	// Summarizer makes the summaries that are kept beside counts and pages; nil:
	// Summarize fails.
	Summarizer search.Summarizer
	// MaxBytes bounds what the cache holds in memory, keys and overhead included.
	MaxBytes int64
	// MaxEntryBytes is the weight of the heaviest page that is kept; a heavier
	// one is answered but not stored.
	MaxEntryBytes int64
	// Fresh is how long an answer is served without a look, counted from the moment before
	// its search began, so that no write older than this is ever missed. Where
	// gateways share a Redis, what their clocks differ by comes on top.
	Fresh time.Duration
	// Stale is until which age an answer that the Log says is untouched is
	// served while it is being loaded anew; where the window of the search ended
	// over a day ago, until 10 minutes. At most Fresh: never. Without a Log
	// nothing is known to be untouched.
	Stale time.Duration
	// StaleIfError is until which age such an answer is served when the engine
	// fails.
	StaleIfError time.Duration
	// Jitter is by which share of it, at most, the freshness of an answer is cut
	// short, each by another: what was loaded at one moment is not loaded anew at
	// one moment. 0 to 1; 0: not at all.
	Jitter float64
	// Log is where writers tell whose sessions they have changed; nil: nowhere,
	// and answers live for Fresh only.
	Log invalidation.Log
	// Watch notices changes that no Log tells of, some time after they were made.
	Watch invalidation.Watch
	// LoadTimeout ends a load, which has no other deadline: it outlives the
	// caller who started it.
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
	// Identity tells data of one name apart: it differs for each index that the
	// name may stand for, in whichever cluster. Caches that search different
	// data never see each other's entries, and when other data comes to be
	// searched under the name all is loaded anew. It is asked for every few
	// seconds; until it has been told nothing is kept in Redis. nil: the
	// Namespace alone tells.
	Identity func(ctx context.Context) (string, error)
	// Keys of 32 bytes seal what goes to Redis: the first seals, all open. To
	// change them add the new one at the end on all gateways, then move it to
	// the front, then take the old one away.
	//
	// SECURITY: without keys whoever reaches the Redis can read the sessions
	// in it, and put others in their place.
	Keys [][]byte
	// Logger is told when Redis fails and when it is back; nil: nobody is.
	Logger *slog.Logger
	// MeterProvider is where the metrics go; nil: nowhere.
	MeterProvider metric.MeterProvider
}

// Admission says when the loads of an account may begin. Whose they are is in
// their context.
type Admission interface {
	// Admit waits until n more loads may begin. Each of them calls release once,
	// when it has ended. Errors: search.ErrTooManyLoads, or the context's.
	Admit(ctx context.Context, n int) (release func(), err error)
	// TryAdmit does not wait: it is for loads that nobody waits for.
	TryAdmit(ctx context.Context, n int) (release func(), ok bool)
}

// admitAll is for those who bound nothing.
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
