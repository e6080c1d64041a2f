// Package telemetry sets OpenTelemetry and logging up, once for the process:
// it is the only user of the OpenTelemetry SDK. All others are handed a
// TracerProvider, a MeterProvider and a slog.Logger; nothing is registered
// globally, but who hears of OpenTelemetry's own failures.
//
// Metrics are read by Prometheus from a handler that the caller mounts. Traces
// go to where the OTEL_* environment variables say; where they say nothing,
// into a bounded store in memory that can be looked at over HTTP.
//
// Of our packages it depends on reason alone.
package telemetry
