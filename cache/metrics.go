package cache

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
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
	part         part
	result, tier string
}

func lookupLabels() map[lookupLabel][]metric.AddOption {
	labels := map[lookupLabel][]metric.AddOption{}
	for _, p := range []part{partCount, partPage, partSummary} {
		for _, l := range []lookupLabel{
			{p, resultHit, tierMemory}, {p, resultHit, tierRedis}, {p, resultMiss, ""}, {p, resultCoalesced, ""},
			{p, resultStale, tierMemory}, {p, resultStale, tierRedis},
		} {
			labels[l] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("part", l.part.String()),
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

func (m *metrics) looked(ctx context.Context, a *answer) {
	var shown *lookup // the page where there is a count too
	for _, l := range a.lookups() {
		if l == nil {
			continue
		}
		shown = l
		m.lookups.Add(ctx, 1, m.lookupLabels[lookupLabel{l.part, l.found.outcome(), l.found.tier}]...)
	}
	if tier := shown.found.tier; tier != "" {
		m.age.Record(ctx, max(0, a.now.Sub(shown.found.entry.loadedAt).Seconds()), m.ages[tier]...)
	}
}

func (m *metrics) loaded(ctx context.Context, p part, took time.Duration, err error) {
	outcome := "ok"
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled): // nobody waited for it any more
		outcome = "canceled"
	default:
		outcome = "error"
	}
	m.loadDuration.Record(ctx, took.Seconds(), metric.WithAttributes(
		attribute.String("part", p.String()),
		attribute.String("outcome", outcome),
	))
}

// close ends the observation; an instrument cannot fail to be let go of in a
// way that anyone could act on.
func (m *metrics) close() { _ = m.watching.Unregister() }
