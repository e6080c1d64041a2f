package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts telemetry for the test, in an environment without OTEL_* but
// for the given pairs.
func start(t *testing.T, o Options, env ...string) *Telemetry {
	t.Helper()
	clean(t, env...)
	if o.LogWriter == nil {
		o.LogWriter = io.Discard
	}
	got, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := got.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return got
}

func clean(t *testing.T, env ...string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_EXPORTER",
		"OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_HEADERS",
		"OTEL_EXPORTER_OTLP_CERTIFICATE",
	} {
		t.Setenv(name, "")
	}
	for i := 0; i+1 < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
}

func scraped(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestLogLinesCarryTheIDsOfTheirSpan(t *testing.T) {
	var out bytes.Buffer
	tel := start(t, Options{LogWriter: &out})
	ctx, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "work")
	defer span.End()
	tel.Logger.With(slog.String("part", "x")).LogAttrs(ctx, slog.LevelInfo, "within")
	tel.Logger.LogAttrs(t.Context(), slog.LevelInfo, "without")
	tel.Logger.LogAttrs(ctx, slog.LevelDebug, "too low")

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("lines: %q", lines)
	}
	var within, without map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &within); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &without); err != nil {
		t.Fatal(err)
	}
	sc := span.SpanContext()
	if within["trace_id"] != sc.TraceID().String() || within["span_id"] != sc.SpanID().String() || within["part"] != "x" {
		t.Errorf("within: %v", within)
	}
	if _, ok := without["trace_id"]; ok {
		t.Errorf("without: %v", without)
	}
}

func TestWhatTheSDKCannotSendIsALineOfTheLog(t *testing.T) {
	var out bytes.Buffer
	start(t, Options{LogWriter: &out})
	otel.Handle(errors.New("nobody collects"))
	var line struct{ Level, Msg, Error string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Level != "WARN" || line.Error != "nobody collects" {
		t.Errorf("error %v, line %q", err, out.String())
	}
}

func TestWhatTheSDKSaysOfItselfIsALineOfTheLogWithoutValues(t *testing.T) {
	var out bytes.Buffer
	start(t, Options{LogWriter: &out})
	sdktrace.NewSimpleSpanProcessor(nil) // of which the SDK warns by its own logger
	if !strings.Contains(out.String(), `"level":"WARN","msg":"telemetry","warning":"SimpleSpanProcessor`) {
		t.Errorf("got %q", out.String())
	}
	sink := newSDKLog(slog.New(slog.NewJSONHandler(&out, nil)))
	logr.New(sink).Error(&url.Error{Op: "parse", URL: "secret", Err: errors.New("secret")}, "parse url", "input", "secret")
	logr.New(sink).V(1).Info("limit reached", "value", "secret")
	logr.New(sink).V(4).Info("made a provider", "value", "secret")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) || strings.Contains(line, "secret") || strings.Contains(line, "made a provider") {
			t.Errorf("line %q", line)
		}
	}
	if !strings.Contains(out.String(), "parse url: *url.Error") || !strings.Contains(out.String(), "limit reached") {
		t.Errorf("got %s", out.String())
	}
}

func TestACollectorThatIsDownDoesNotFloodTheLog(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1, 0)
	sink := newSDKLog(slog.New(slog.NewJSONHandler(&out, nil)))
	sink.now = func() time.Time { return now }
	for i := range 100 {
		sink.Handle(fmt.Errorf("collector is down (try %d)", i))
	}
	sink.Handle(errors.New("something else"))
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want one of each:\n%s", n, out.String())
	}
	out.Reset()
	now = now.Add(sdkLogInterval)
	sink.Handle(errors.New("collector is down (try 100)"))
	if !strings.Contains(out.String(), `"left_out":99`) {
		t.Errorf("got %q", out.String())
	}
	for i := range 10 * maxWritten {
		sink.Handle(errors.New(strings.Repeat("x", i)))
	}
	if len(sink.written) > maxWritten {
		t.Errorf("it remembers %d lines", len(sink.written))
	}
}

func TestVariablesOfTheExporterThatCannotBeMeantAreRefusedByName(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		ok          bool
	}{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4317", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "secret:4317", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "secret", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4317", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:port", false},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "tcp://secret:4317", false},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "//secret:4317", false},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", false},
		{"OTEL_EXPORTER_OTLP_HEADERS", "secret", false},
		{"OTEL_EXPORTER_OTLP_HEADERS", "a=%zz", false},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317", true},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/v1", true},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "unix:///run/otel.sock", true},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x,b=", true},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10000", true},
	} {
		clean(t, tt.name, tt.value)
		err := checkEnviron()
		if (err == nil) != tt.ok || err != nil && (!strings.HasPrefix(err.Error(), tt.name+": ") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s=%s: error %v", tt.name, tt.value, err)
		}
		if !tt.ok {
			if _, err := Start(t.Context(), Options{LogWriter: io.Discard}); err == nil || !strings.Contains(err.Error(), tt.name) {
				t.Errorf("%s=%s: it starts, error %v", tt.name, tt.value, err)
			}
		}
	}
}

func TestDurationsInLogsCanBeRead(t *testing.T) {
	for _, format := range []string{FormatJSON, FormatText} {
		var out bytes.Buffer
		tel := start(t, Options{LogWriter: &out, LogFormat: format})
		tel.Logger.LogAttrs(t.Context(), slog.LevelInfo, "hello", slog.Duration("took", 1500*time.Millisecond), slog.Group("g", slog.Duration("took", time.Minute)))
		if !strings.Contains(out.String(), "1.5s") || !strings.Contains(out.String(), "1m0s") {
			t.Errorf("got %q", out.String())
		}
	}
}

func TestLogsCanBeText(t *testing.T) {
	var out bytes.Buffer
	tel := start(t, Options{LogWriter: &out, LogFormat: FormatText, LogLevel: slog.LevelDebug})
	tel.Logger.LogAttrs(t.Context(), slog.LevelDebug, "hello")
	if !strings.Contains(out.String(), "level=DEBUG msg=hello") {
		t.Errorf("got %q", out.String())
	}
}

func TestAWrongOptionIsNamed(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		env  []string
		want string
	}{
		{Options{}, nil, "LogWriter"},
		{Options{LogWriter: io.Discard, LogFormat: "xml"}, nil, `LogFormat: "xml"`},
		{Options{LogWriter: io.Discard}, []string{"OTEL_TRACES_EXPORTER", "nonsense"}, "traces"},
		{Options{LogWriter: io.Discard}, []string{"OTEL_METRICS_EXPORTER", "nonsense"}, "metrics"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			clean(t, tt.env...)
			if _, err := Start(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not name %s", err, tt.want)
			}
		})
	}
}

func TestTracesAreKeptHereWhenTheEnvironmentSendsThemNowhere(t *testing.T) {
	tel := start(t, Options{})
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "work")
	span.End()
	if tel.Traces == nil {
		t.Fatal("there is no trace store")
	}
	w := httptest.NewRecorder()
	tel.Traces.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/traces", nil))
	if !strings.Contains(w.Body.String(), span.SpanContext().TraceID().String()) {
		t.Errorf("list: %s", w.Body)
	}
}

func TestMetricsAreThereToBeScraped(t *testing.T) {
	tel := start(t, Options{ServiceName: "gate", Version: "1.2.3"})
	counter, err := tel.MeterProvider.Meter("test").Int64Counter("scopegate.things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	text := scraped(t, tel.Metrics)
	for _, want := range []string{"scopegate_things_total 3", "go_goroutines ", "process_cpu_seconds_total ", `service_name="gate"`, `service_version="1.2.3"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestTheEnvironmentNamesTheService(t *testing.T) {
	tel := start(t, Options{ServiceName: "gate"}, "OTEL_SERVICE_NAME", "named")
	if text := scraped(t, tel.Metrics); !strings.Contains(text, `service_name="named"`) {
		t.Error("OTEL_SERVICE_NAME had no effect")
	}
}

func TestADisabledSDKRecordsNothing(t *testing.T) {
	tel := start(t, Options{}, "OTEL_SDK_DISABLED", "true")
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "work")
	defer span.End()
	if span.IsRecording() || tel.Traces != nil {
		t.Errorf("recording %t, traces %v", span.IsRecording(), tel.Traces)
	}
	counter, err := tel.MeterProvider.Meter("test").Int64Counter("scopegate.things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	if text := scraped(t, tel.Metrics); strings.Contains(text, "scopegate_things") || !strings.Contains(text, "go_goroutines ") {
		t.Error("the scrape has our metrics, or lacks the runtime's")
	}
}

func TestTracesGoToTheCollectorThatTheEnvironmentNames(t *testing.T) {
	var traces, metrics atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/traces":
			traces.Add(1)
		case "/v1/metrics":
			metrics.Add(1)
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer collector.Close()
	clean(t, "OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tel, err := Start(t.Context(), Options{LogWriter: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if tel.Traces != nil {
		t.Error("traces are kept here as well")
	}
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "work")
	span.End()
	// Shutdown flushes.
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if traces.Load() != 1 || metrics.Load() == 0 {
		t.Errorf("the collector got %d batches of traces and %d of metrics", traces.Load(), metrics.Load())
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestACallersSamplingIsFollowed(t *testing.T) {
	tel := start(t, Options{})
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true})
	_, span := tel.TracerProvider.Tracer("test").Start(trace.ContextWithRemoteSpanContext(t.Context(), parent), "work")
	defer span.End()
	if span.SpanContext().IsSampled() || span.SpanContext().TraceID() != parent.TraceID() {
		t.Errorf("got %+v", span.SpanContext())
	}
}
