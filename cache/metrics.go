package cache

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/budget"
)

// metrics are the cache's instruments. No label holds a tenant: there are too
// many, and who searches is nobody's business on a dashboard.
type metrics struct {
	lookups      metric.Int64Counter
	lookupLabels map[lookupLabel][]metric.AddOption
	loadDuration metric.Float64Histogram
	age          metric.Float64Histogram
	ages         map[string][]metric.RecordOption // by tier
	watching     metric.Registration
}

// lookupLabel is what lookups are counted by. The sets of attributes are made
// beforehand: making one costs more than a hit.
type lookupLabel struct {
	kind         kind
	result, tier string
}

func lookupLabels() map[lookupLabel][]metric.AddOption {
	labels := map[lookupLabel][]metric.AddOption{}
	for _, k := range kinds() {
		for _, l := range []lookupLabel{
			{k, resultHit, tierMemory}, {k, resultHit, tierRedis}, {k, resultMiss, ""}, {k, resultCoalesced, ""},
			{k, resultStale, tierMemory}, {k, resultStale, tierRedis},
		} {
			labels[l] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("part", l.kind.String()),
				attribute.String("result", l.result),
				attribute.String("tier", l.tier),
			))}
		}
	}
	return labels
}

func newMetrics(provider metric.MeterProvider, m *memory) (*metrics, error) {
	meter := provider.Meter(instrumentation)
	lookups, err1 := meter.Int64Counter("scopegate.cache.lookups",
		metric.WithDescription("Counts, pages and summaries asked for, by how they were answered: hit, miss, coalesced, or stale (while it is renewed, or the engine fails)."),
		metric.WithUnit("{lookup}"))
	loadDuration, err2 := meter.Float64Histogram("scopegate.cache.load.duration",
		metric.WithDescription("How long the searches behind the cache took."),
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	age, err5 := meter.Float64Histogram("scopegate.cache.age",
		metric.WithDescription("How old what was served from the cache was: the page, or the count or summary where there is none."),
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600))
	bytes, err3 := meter.Int64ObservableGauge("scopegate.cache.size",
		metric.WithDescription("Bytes held, keys and overhead included."),
		metric.WithUnit("By"))
	entries, err4 := meter.Int64ObservableGauge("scopegate.cache.entries",
		metric.WithDescription("Counts, pages and summaries held."),
		metric.WithUnit("{entry}"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	tier := metric.WithAttributeSet(attribute.NewSet(attribute.String("tier", tierMemory)))
	watching, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		count, size := m.size()
		o.ObserveInt64(entries, count, tier)
		o.ObserveInt64(bytes, size, tier)
		return nil
	}, bytes, entries)
	if err != nil {
		return nil, err
	}
	return &metrics{
		lookups: lookups, lookupLabels: lookupLabels(), loadDuration: loadDuration,
		age: age, ages: map[string][]metric.RecordOption{tierMemory: ofTier(tierMemory), tierRedis: ofTier(tierRedis)},
		watching: watching,
	}, nil
}

func ofTier(tier string) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("tier", tier)))}
}

func (m *metrics) looked(ctx context.Context, r *request) {
	for i := range r.lookups {
		l := &r.lookups[i]
		m.lookups.Add(ctx, 1, m.lookupLabels[lookupLabel{l.part.kind(), l.found.outcome(), l.found.tier}]...)
	}
	shown := r.lookups[len(r.lookups)-1].found // the page where there is a count too
	if shown.tier != "" {
		m.age.Record(ctx, max(0, r.now.Sub(shown.entry.about().loadedAt).Seconds()), m.ages[shown.tier]...)
	}
}

func (m *metrics) loaded(ctx context.Context, of kind, took time.Duration, err error) {
	outcome := "ok"
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled): // nobody waited for it any more
		outcome = "canceled"
	default:
		outcome = "error"
	}
	m.loadDuration.Record(ctx, took.Seconds(), metric.WithAttributes(
		attribute.String("part", of.String()),
		attribute.String("outcome", outcome),
	))
}

// close ends the observation; an instrument cannot fail to be let go of in a
// way that anyone could act on.
func (m *metrics) close() { _ = m.watching.Unregister() }

// storeMetrics are the instruments of the tier that gateways share.
type storeMetrics struct {
	duration metric.Float64Histogram
	calls    map[callLabel][]metric.RecordOption
	refused  metric.Int64Counter
	dropped  metric.Int64Counter
	breaker  metric.Int64ObservableGauge
	meter    metric.Meter
	watching metric.Registration // nil until watch
}

// callLabel is what calls are counted by; see lookupLabel.
type callLabel struct{ operation, outcome string }

const (
	operationGet = "get"
	operationSet = "set"

	callOK       = "ok"
	callTimeout  = "timeout"
	callError    = "error"
	callRejected = "rejected" // by the breaker
)

func callLabels() map[callLabel][]metric.RecordOption {
	labels := map[callLabel][]metric.RecordOption{}
	for _, operation := range []string{operationGet, operationSet} {
		for _, outcome := range []string{callOK, callTimeout, callError, callRejected} {
			labels[callLabel{operation, outcome}] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("operation", operation),
				attribute.String("outcome", outcome),
			))}
		}
	}
	return labels
}

func newStoreMetrics(provider metric.MeterProvider) (*storeMetrics, error) {
	m := &storeMetrics{meter: provider.Meter(instrumentation), calls: callLabels()}
	var err1, err2, err3, err4 error
	m.duration, err1 = m.meter.Float64Histogram("scopegate.cache.redis.duration",
		metric.WithDescription("How long calls of Redis took, by how they ended: ok, timeout, error, or rejected by the breaker."),
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1))
	m.refused, err2 = m.meter.Int64Counter("scopegate.cache.redis.refused",
		metric.WithDescription("Values found in Redis and not used, by reason: damaged, foreign (stored for another key), version, or clock (loaded in the future)."),
		metric.WithUnit("{value}"))
	m.dropped, err3 = m.meter.Int64Counter("scopegate.cache.redis.dropped",
		metric.WithDescription("Values not written to Redis, since too many writes were under way."),
		metric.WithUnit("{value}"))
	m.breaker, err4 = m.meter.Int64ObservableGauge("scopegate.cache.redis.breaker",
		metric.WithDescription("State of the breaker before Redis: 0 closed (Redis is used), 1 half-open (being tried), 2 open (left alone)."))
	return m, errors.Join(err1, err2, err3, err4)
}

// watch begins to observe the breaker.
func (m *storeMetrics) watch(state func() circuitbreaker.State) (err error) {
	m.watching, err = m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(m.breaker, breakerLevel(state()))
		return nil
	}, m.breaker)
	return err
}

func breakerLevel(state circuitbreaker.State) int64 {
	switch state {
	case circuitbreaker.ClosedState:
		return 0
	case circuitbreaker.HalfOpenState:
		return 1
	default:
		return 2
	}
}

func (m *storeMetrics) called(ctx context.Context, operation string, took time.Duration, err error) {
	m.duration.Record(ctx, took.Seconds(), m.calls[callLabel{operation, callOutcome(err)}]...)
}

func callOutcome(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return callOK
	case errors.Is(err, budget.ErrOpen):
		return callRejected
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrPoolTimeout), errors.As(err, &timeout) && timeout.Timeout():
		return callTimeout
	}
	return callError
}

func (m *storeMetrics) refusedFor(ctx context.Context, err error) {
	reason := "damaged"
	switch {
	case errors.Is(err, errForeign):
		reason = "foreign"
	case errors.Is(err, errVersion):
		reason = "version"
	case errors.Is(err, errFuture):
		reason = "clock"
	}
	m.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason)))
}

func (m *storeMetrics) close() { _ = m.watching.Unregister() } // as metrics.close
