// Package meter makes OpenTelemetry instruments, one line each: a Builder keeps
// the first error, which is checked once when all instruments are made.
package meter

import (
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Builder makes the instruments of one meter. After an error it makes no-op
// instruments, so that no result is nil; Err returns that error. A Builder is for
// one goroutine; its instruments are safe for use by several.
type Builder struct {
	meter metric.Meter
	err   error
}

// NewBuilder returns a Builder for the meter of that name, which is the import path
// of the instrumented package. A nil provider makes no-op instruments.
func NewBuilder(provider metric.MeterProvider, name string) *Builder {
	if provider == nil {
		provider = noop.NewMeterProvider()
	}
	return &Builder{meter: provider.Meter(name)}
}

// Counter makes a counter. The unit is one of UCUM ("By") or an annotation
// ("{request}"), here and below.
func (b *Builder) Counter(name, unit, description string) metric.Int64Counter {
	made, err := b.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	return orElse[metric.Int64Counter](b, made, err, noop.Int64Counter{})
}

// UpDownCounter makes a counter of what comes and goes.
func (b *Builder) UpDownCounter(name, unit, description string) metric.Int64UpDownCounter {
	made, err := b.meter.Int64UpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	return orElse[metric.Int64UpDownCounter](b, made, err, noop.Int64UpDownCounter{})
}

// Seconds makes a histogram of durations in seconds with these upper bounds of
// buckets, in ascending order.
func (b *Builder) Seconds(name, description string, buckets ...float64) metric.Float64Histogram {
	made, err := b.meter.Float64Histogram(name,
		metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(buckets...))
	return orElse[metric.Float64Histogram](b, made, err, noop.Float64Histogram{})
}

// Gauge makes a gauge that a callback of Observe reads; its unit may be "".
func (b *Builder) Gauge(name, unit, description string) metric.Int64ObservableGauge {
	made, err := b.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	return orElse[metric.Int64ObservableGauge](b, made, err, noop.Int64ObservableGauge{})
}

// Observe registers a callback that reads the gauges whenever metrics are
// collected, until the registration is ended.
func (b *Builder) Observe(callback metric.Callback, gauges ...metric.Observable) metric.Registration {
	if b.err != nil {
		return noop.Registration{} // some gauges may be no-ops, which the meter would not know
	}
	made, err := b.meter.RegisterCallback(callback, gauges...)
	return orElse[metric.Registration](b, made, err, noop.Registration{})
}

// Err returns the first error of the methods called so far.
func (b *Builder) Err() error { return b.err }

// orElse returns what was made or, if it failed, a no-op in its place.
func orElse[T any](b *Builder, made T, err error, otherwise T) T {
	if err == nil {
		return made
	}
	if b.err == nil {
		b.err = err
	}
	return otherwise
}
