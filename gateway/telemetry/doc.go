// Package telemetry sets up OpenTelemetry and logging, once for the process. It is the
// only user of the OpenTelemetry SDK: other packages get a TracerProvider, a
// MeterProvider and a slog.Logger. Nothing is registered globally except the handlers
// of OpenTelemetry's own errors.
//
// Prometheus reads metrics from a handler that the caller mounts. Traces are sent to
// where the OTEL_* environment variables say or, if they say nothing, kept in a
// bounded store in memory that can be read over HTTP.
package telemetry
