package cache

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// logMetrics are the instruments of the invalidation log.
type logMetrics struct {
	touches  metric.Int64Counter
	gaps     metric.Int64Counter
	watching metric.Registration
}

func newLogMetrics(provider metric.MeterProvider, t *touches, now func() time.Time) (*logMetrics, error) {
	meter := provider.Meter(instrumentation)
	m := &logMetrics{}
	var err1, err2, err3, err4 error
	m.touches, err1 = meter.Int64Counter("scopegate.cache.log.touches",
		metric.WithDescription("Entries read from the invalidation log."),
		metric.WithUnit("{entry}"))
	m.gaps, err2 = meter.Int64Counter("scopegate.cache.log.gaps",
		metric.WithDescription("Times that something may be missing between two reads of the invalidation log, so that all was loaded anew."),
		metric.WithUnit("{gap}"))
	following, err3 := meter.Int64ObservableGauge("scopegate.cache.log.following",
		metric.WithDescription("1 while the invalidation log is followed, else 0: answers then have a short life."))
	m.watching, err4 = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		level := int64(0)
		if t.following(now()) {
			level = 1
		}
		o.ObserveInt64(following, level)
		return nil
	}, following)
	return m, errors.Join(err1, err2, err3, err4)
}

func (m *logMetrics) read(ctx context.Context, entries int, gap bool) {
	m.touches.Add(ctx, int64(entries))
	if gap {
		m.gaps.Add(ctx, 1)
	}
}

func (m *logMetrics) close() { _ = m.watching.Unregister() } // as metrics.close
