package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Options say who we are and where logs go.
type Options struct {
	ServiceName string // "scopegate" if empty; OTEL_SERVICE_NAME goes before it
	Version     string
	LogWriter   io.Writer // required
	// LogLevel is the lowest level that is written; nil: info.
	LogLevel slog.Leveler
	// LogFormat is FormatJSON (also if empty) or FormatText.
	LogFormat string
	// StoredSpans is how many spans the in-process trace store keeps; 0:
	// DefaultStoredSpans.
	StoredSpans int
}

// Telemetry is what the process reports with.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Logger writes one line a record, with the trace and span id of the
	// context it is given.
	Logger *slog.Logger
	// Metrics answers a Prometheus scrape.
	Metrics http.Handler
	// Traces answers /debug/traces and /debug/traces/{id} from the in-process
	// store; nil when traces go elsewhere or nowhere.
	Traces http.Handler

	shutdown []func(context.Context) error // in the order to be called
}

// Start sets everything up as the options and the OTEL_* environment variables
// say. OTEL_SDK_DISABLED=true turns traces and metrics into no-ops; logs and the
// Go runtime's metrics stay. Errors name the option or variable that is wrong.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	handler, err := newLogHandler(o)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	t := &Telemetry{
		TracerProvider: tracenoop.NewTracerProvider(),
		MeterProvider:  metricnoop.NewMeterProvider(),
		Logger:         slog.New(handler),
	}
	registry := newRegistry()
	t.Metrics = scrape(registry)
	// Unless they are set, both write plain text.
	sdk := newSDKLog(t.Logger)
	otel.SetErrorHandler(sdk)     //nolint:forbidigo // the SDK tells of exports that fail in no other way
	otel.SetLogger(logr.New(sdk)) //nolint:forbidigo // nor of variables that it does not take
	// The SDK for Go leaves this variable to its users.
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return t, nil
	}
	if err := checkEnviron(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	res, err := newResource(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("telemetry: resource: %w", err)
	}
	if err := t.startTraces(ctx, res, o.StoredSpans); err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	if err := t.startMetrics(ctx, res, registry); err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: metrics: %w", err), t.Shutdown(ctx))
	}
	return t, nil
}

// Shutdown sends what is still to be sent, and stops. Its time is ctx's.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range t.shutdown {
		errs = append(errs, stop(ctx))
	}
	t.shutdown = nil
	return errors.Join(errs...)
}

// newResource describes this process; OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES go before the options.
func newResource(ctx context.Context, o Options) (*resource.Resource, error) {
	name := o.ServiceName
	if name == "" {
		name = "scopegate"
	}
	attrs := []attribute.KeyValue{attribute.String("service.name", name)}
	if o.Version != "" {
		attrs = append(attrs, attribute.String("service.version", o.Version))
	}
	return resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithAttributes(attrs...), resource.WithFromEnv())
}

// configured reports whether the environment says where a signal ("TRACES",
// "METRICS") goes. Unset, the SDK's choice would be OTLP to localhost, with
// retries and noise where nobody listens.
func configured(signal string) bool {
	return os.Getenv("OTEL_"+signal+"_EXPORTER") != "" ||
		os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
		os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}
