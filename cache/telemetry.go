package cache

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/meter"
	"github.com/scopegate/scopegate/search"
)

const instrumentation = "github.com/scopegate/scopegate/cache"

func startSpan(ctx context.Context) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(instrumentation)
	return tracer.Start(ctx, "cache")
}

// endWithError names only the kind of failure: the text is in the engine's span.
func endWithError(span trace.Span, err error) {
	kind := "other"
	switch {
	case errors.Is(err, context.Canceled):
		span.SetAttributes(attribute.String("error.type", "canceled"))
		return // the caller's choice is no fault of the search
	case errors.Is(err, search.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		kind = "timeout"
	case errors.Is(err, search.ErrUnavailable):
		kind = "unavailable"
	case errors.Is(err, search.ErrForeignRow):
		kind = "foreign_row"
	}
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, kind)
}

// describe says how each part was found.
func (c *Cache) describe(span trace.Span, r *request) {
	if !span.IsRecording() {
		return
	}
	now := c.now()
	attrs := make([]attribute.KeyValue, 0, 10)
	for i := range r.lookups {
		l := &r.lookups[i]
		tier := l.found.tier
		if tier == "" {
			tier = "none"
		}
		names := l.part.kind().attributes()
		attrs = append(attrs,
			names.outcome.String(l.found.outcome()),
			names.tier.String(tier),
			names.age.Int64(now.Sub(l.found.entry.about().loadedAt).Milliseconds()),
			names.shared.Bool(l.found.joined != nil),
			names.stored.Bool(l.found.stored),
		)
	}
	span.SetAttributes(attrs...) // once, which is cheaper
}

// attributeNames are the names of what a span says of a part. They are written
// out for each kind: they are needed in every request.
type attributeNames struct{ outcome, tier, age, shared, stored attribute.Key }

// link links each part that another caller's call was to bring to the span under
// which that call can be seen, in the trace of that caller. A part that did not
// come is linked too: nothing else says what it waited for.
func link(span trace.Span, r *request) {
	for i := range r.lookups {
		l := &r.lookups[i]
		if other := l.awaited(); other != nil && other.origin.IsValid() {
			span.AddLink(trace.Link{
				SpanContext: other.origin,
				Attributes:  []attribute.KeyValue{attribute.String("scopegate.cache.part", l.part.kind().String())},
			})
		}
	}
}

// awaited is the call of another caller that brought the part or, if it did not
// come, was waited for; nil: there is none.
func (l *lookup) awaited() *call {
	if l.found.entry == nil && !l.leader {
		return l.call
	}
	return l.found.joined
}

// What outcome is one of.
const (
	resultHit       = "hit"
	resultStale     = "stale" // a hit that is refreshed, or served since the engine fails
	resultMiss      = "miss"
	resultCoalesced = "coalesced" // with the call of another caller
)

// outcome says how an entry was found.
func (f found) outcome() string {
	switch {
	case f.stale:
		return resultStale
	case f.tier != "":
		return resultHit
	case f.joined != nil:
		return resultCoalesced
	}
	return resultMiss
}

// metrics are the cache's instruments. No label holds a tenant: there are too many,
// and who searches does not belong on a dashboard.
type metrics struct {
	lookups      metric.Int64Counter
	lookupLabels map[lookupLabel][]metric.AddOption
	loadDuration metric.Float64Histogram
	age          metric.Float64Histogram
	ages         map[string][]metric.RecordOption // by tier
	observing    metric.Registration
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
	b := meter.NewBuilder(provider, instrumentation)
	made := &metrics{
		lookups: b.Counter("scopegate.cache.lookups", "{lookup}",
			"Counts, pages and summaries asked for, by how they were answered: hit, miss, coalesced, or stale (while it is renewed, or the engine fails)."),
		lookupLabels: lookupLabels(),
		loadDuration: b.Seconds("scopegate.cache.load.duration", "How long the searches behind the cache took.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		age: b.Seconds("scopegate.cache.age",
			"How old what was served from the cache was: the page, or the count or summary where there is none.",
			.1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
		ages: map[string][]metric.RecordOption{tierMemory: ofTier(tierMemory), tierRedis: ofTier(tierRedis)},
	}
	size := b.Gauge("scopegate.cache.size", "By", "Bytes held, keys and overhead included.")
	entries := b.Gauge("scopegate.cache.entries", "{entry}", "Counts, pages and summaries held.")
	tier := metric.WithAttributeSet(attribute.NewSet(attribute.String("tier", tierMemory)))
	made.observing = b.Observe(func(_ context.Context, o metric.Observer) error {
		held, bytes := m.size()
		o.ObserveInt64(entries, held, tier)
		o.ObserveInt64(size, bytes, tier)
		return nil
	}, size, entries)
	return made, b.Err()
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

// close ends the observing. Its error would be that of a registration which has
// ended by then.
func (m *metrics) close() { _ = m.observing.Unregister() }

// storeMetrics are the instruments of the tier that gateways share.
type storeMetrics struct {
	duration  metric.Float64Histogram
	calls     map[callLabel][]metric.RecordOption
	refused   metric.Int64Counter
	dropped   metric.Int64Counter
	observing metric.Registration
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

// newStoreMetrics also observes the state of a breaker.
func newStoreMetrics(provider metric.MeterProvider, state func() circuitbreaker.State) (*storeMetrics, error) {
	b := meter.NewBuilder(provider, instrumentation)
	m := &storeMetrics{
		duration: b.Seconds("scopegate.cache.redis.duration",
			"How long calls of Redis took, by how they ended: ok, timeout, error, or rejected by the breaker.",
			.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1),
		calls: callLabels(),
		refused: b.Counter("scopegate.cache.redis.refused", "{value}",
			"Values found in Redis and not used, by reason: damaged, foreign (stored for another key), version, or clock (loaded in the future)."),
		dropped: b.Counter("scopegate.cache.redis.dropped", "{value}",
			"Values not written to Redis, since too many writes were under way."),
	}
	level := b.Gauge("scopegate.cache.redis.breaker", "",
		"State of the breaker before Redis: 0 closed (Redis is used), 1 half-open (being tried), 2 open (left alone).")
	m.observing = b.Observe(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(level, breakerLevel(state()))
		return nil
	}, level)
	return m, b.Err()
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

func (m *storeMetrics) close() { _ = m.observing.Unregister() } // as metrics.close
