package meter

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// described is what a collected metric says of itself.
type described struct{ Name, Unit, Description string }

func collect(t *testing.T, reader *sdkmetric.ManualReader) []described {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	var found []described
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != "example" {
			t.Errorf("meter %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			found = append(found, described{m.Name, m.Unit, m.Description})
		}
	}
	return found
}

// useAll makes one instrument of each kind and uses it.
func useAll(b *Builder, counter string) (stop func() error) {
	ctx := context.Background()
	b.Counter(counter, "{request}", "A counter.").Add(ctx, 1)
	b.UpDownCounter("example.active", "By", "An up-down counter.").Add(ctx, 1)
	b.Seconds("example.duration", "A histogram.", .1, 1).Record(ctx, .5)
	gauge := b.Gauge("example.level", "", "A gauge.")
	return b.Observe(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, 7)
		return nil
	}, gauge).Unregister
}

func TestEachInstrumentIsCollectedWithItsUnitAndDescription(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	b := NewBuilder(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), "example")
	stop := useAll(b, "example.requests")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	want := []described{
		{"example.requests", "{request}", "A counter."}, {"example.active", "By", "An up-down counter."},
		{"example.duration", "s", "A histogram."}, {"example.level", "", "A gauge."},
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Error(diff)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:3], collect(t, reader)); diff != "" {
		t.Errorf("after the registration has ended: %s", diff)
	}
}

func TestTheFirstErrorIsReturnedAndEveryInstrumentCanBeUsed(t *testing.T) {
	b := NewBuilder(sdkmetric.NewMeterProvider(), "example")
	stop := useAll(b, "no name!")
	first := b.Err()
	if !errors.Is(first, sdkmetric.ErrInstrumentName) {
		t.Fatalf("error %v", first)
	}
	b.Counter("another one!", "1", "")
	if !errors.Is(b.Err(), first) {
		t.Errorf("replaced by %v", b.Err())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestWithoutAProviderNothingIsCounted(t *testing.T) {
	b := NewBuilder(nil, "example")
	if err := useAll(b, "example.requests")(); err != nil || b.Err() != nil {
		t.Errorf("%v, %v", err, b.Err())
	}
}
