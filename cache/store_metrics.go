package cache

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

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
	case errors.Is(err, errBreakerOpen):
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
