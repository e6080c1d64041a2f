package invalidation

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
)

const instrumentation = "github.com/scopegate/scopegate/invalidation"

// metrics are the instruments of a follower.
type metrics struct {
	events    metric.Int64Counter
	gaps      metric.Int64Counter
	observing metric.Registration
}

func newMetrics(provider metric.MeterProvider, x *Index, now func() time.Time) (*metrics, error) {
	meter := provider.Meter(instrumentation)
	m := &metrics{}
	var errs [4]error
	m.events, errs[0] = meter.Int64Counter("scopegate.cache.log.touches",
		metric.WithDescription("Entries read from the invalidation log."),
		metric.WithUnit("{entry}"))
	m.gaps, errs[1] = meter.Int64Counter("scopegate.cache.log.gaps",
		metric.WithDescription("Times that something may be missing between two reads of the invalidation log, so that all was loaded anew."),
		metric.WithUnit("{gap}"))
	following, err := meter.Int64ObservableGauge("scopegate.cache.log.following",
		metric.WithDescription("1 while the invalidation log is followed, else 0: answers then have a short life."))
	errs[2] = err
	m.observing, errs[3] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		level := int64(0)
		if x.Following(now()) {
			level = 1
		}
		o.ObserveInt64(following, level)
		return nil
	}, following)
	return m, errors.Join(errs[:]...)
}

func (m *metrics) read(ctx context.Context, events int, gap bool) {
	m.events.Add(ctx, int64(events))
	if gap {
		m.gaps.Add(ctx, 1)
	}
}

// close ends the observing; the error is the registration's, which has ended then.
func (m *metrics) close() { _ = m.observing.Unregister() }
