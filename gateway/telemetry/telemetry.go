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
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Options describe the process and its log.
type Options struct {
	ServiceName string // "scopegate" if empty; OTEL_SERVICE_NAME overrides it
	Version     string
	LogWriter   io.Writer // required
	// LogLevel is the lowest level that is written; nil: info.
	LogLevel slog.Leveler
	// LogFormat is FormatJSON (also if empty) or FormatText.
	LogFormat string
	// StoredSpans is the number of spans in the trace store; 0:
	// DefaultStoredSpans.
	StoredSpans int
}

// Telemetry has the providers, the logger and the handlers of the process.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Logger writes one line for each record, with the trace and span ids of its
	// context.
	Logger *slog.Logger
	// Metrics answers a Prometheus scrape.
	Metrics http.Handler
	// Traces answers /debug/traces and /debug/traces/{id} from the trace store; nil
	// if traces are sent elsewhere, or are off.
	Traces http.Handler

	shutdown []func(context.Context) error // in the order of the calls
}

// Start sets up everything by the options and the OTEL_* environment variables. With
// OTEL_SDK_DISABLED=true traces and metrics are no-ops, except those of the Go
// runtime. Errors name the option or variable that is invalid.
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
	// The defaults of both write plain text.
	sdk := newSDKLog(t.Logger)
	otel.SetErrorHandler(sdk)     //nolint:forbidigo // the only way to get the errors of failed exports
	otel.SetLogger(logr.New(sdk)) //nolint:forbidigo // the only way to get warnings of invalid variables
	// The Go SDK does not read this variable itself.
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

// Shutdown sends what is left, and stops. ctx bounds its time.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range t.shutdown {
		errs = append(errs, stop(ctx))
	}
	t.shutdown = nil
	return errors.Join(errs...)
}

// newResource describes this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
// override the options.
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
// "METRICS") is sent. Otherwise the SDK would send it to localhost, with retries and
// errors if nothing listens there.
func configured(signal string) bool {
	return os.Getenv("OTEL_"+signal+"_EXPORTER") != "" ||
		os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
		os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// startTraces sends spans to where the environment says, or else stores the newest in
// memory. OTEL_TRACES_SAMPLER is the sampler: by default the caller decides, and
// without its decision all traces are sampled.
func (t *Telemetry) startTraces(ctx context.Context, res *resource.Resource, stored int) error {
	processor, err := t.spanProcessor(ctx, stored)
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSpanProcessor(processor))
	t.TracerProvider = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

func (t *Telemetry) spanProcessor(ctx context.Context, stored int) (sdktrace.SpanProcessor, error) {
	if !configured("TRACES") {
		store := NewStore(stored)
		t.Traces = store
		return store, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewBatchSpanProcessor(exporter), nil
}
