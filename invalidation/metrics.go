package invalidation

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/meter"
)

const instrumentation = "github.com/scopegate/scopegate/invalidation"

// metrics are the instruments of a follower.
type metrics struct {
	events    metric.Int64Counter
	gaps      metric.Int64Counter
	observing metric.Registration
}

func newMetrics(provider metric.MeterProvider, x *Index, now func() time.Time) (*metrics, error) {
	b := meter.NewBuilder(provider, instrumentation)
	m := &metrics{
		events: b.Counter("scopegate.cache.log.touches", "{entry}", "Entries read from the invalidation log."),
		gaps: b.Counter("scopegate.cache.log.gaps", "{gap}",
			"Times that something may be missing between two reads of the invalidation log, so that all was loaded anew."),
	}
	following := b.Gauge("scopegate.cache.log.following", "", "1 while the invalidation log is followed, else 0: answers then have a short life.")
	m.observing = b.Observe(func(_ context.Context, o metric.Observer) error {
		level := int64(0)
		if x.Following(now()) {
			level = 1
		}
		o.ObserveInt64(following, level)
		return nil
	}, following)
	return m, b.Err()
}

func (m *metrics) read(ctx context.Context, events int, gap bool) {
	m.events.Add(ctx, int64(events))
	if gap {
		m.gaps.Add(ctx, 1)
	}
}

// close ends the observing; the error is the registration's, which has ended then.
func (m *metrics) close() { _ = m.observing.Unregister() }
