package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestACallersRequestIDIsTakenOverIfItIsHarmless(t *testing.T) {
	s := newStage(t)
	made := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for id, taken := range map[string]bool{
		"abc.DEF_1-2":                    true,
		strings.Repeat("x", 64):          true,
		strings.Repeat("x", 65):          false,
		"with space":                     false,
		`"},{"level":"ERROR","msg":"x"}`: false,
		"ключ":                           false,
	} {
		got := s.get(t, "/nowhere", "", "X-Request-Id", id).Header.Get("X-Request-Id")
		if taken && got != id || !taken && !made.MatchString(got) {
			t.Errorf("sent %q, got %q", id, got)
		}
	}
}

func TestARequestIsLoggedInOneLine(t *testing.T) {
	s := newStage(t)
	r := s.get(t, "/api/v1/sessions/s100?fields=id", s.supervisor(t), "X-Request-Id", "mine")
	lines := s.logLines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines: %s", len(lines), s.logs.String())
	}
	line := lines[0]
	parts := strings.Split(r.Header.Get("Traceresponse"), "-")
	if line["trace_id"] != parts[1] || line["span_id"] != parts[2] {
		t.Errorf("trace_id %v and span_id %v, traceresponse %v", line["trace_id"], line["span_id"], parts)
	}
	if _, ok := line["duration_ms"].(float64); !ok {
		t.Errorf("duration_ms = %v", line["duration_ms"])
	}
	for _, name := range []string{"time", "trace_id", "span_id", "duration_ms"} {
		delete(line, name)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request", "request_id": "mine", "method": "GET",
		"route": "/api/v1/sessions/{id}", "status": 200.0, "bytes": float64(len(r.body)), "company": float64(ownCompany),
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Error(diff)
	}
}

func TestALogLineCannotBeForged(t *testing.T) {
	s := newStage(t)
	forged := "%0A%7B%22level%22%3A%22ERROR%22%2C%22msg%22%3A%22forged%22%7D"
	for _, path := range []string{"/" + forged, "/api/v1/sessions/" + forged, "/api/v1/sessions?keyword=" + forged, "/api/v1/sessions?" + forged + "=1"} {
		s.get(t, path, s.supervisor(t), "User-Agent", `x","msg":"forged`, "X-Forwarded-For", `"forged"`)
	}
	s.do(t, "FORGED", "/api/v1/sessions", "", "")
	if logs := s.logs.String(); strings.Contains(strings.ToLower(logs), "forged") {
		t.Errorf("logs: %s", logs)
	}
	if lines := s.logLines(t); len(lines) != 5 {
		t.Errorf("%d lines, want 5", len(lines))
	}
}

func TestASearchIsTracedStepByStep(t *testing.T) {
	s := newStage(t)
	s.get(t, "/api/v1/sessions?showAllSupervised=true&limit=5", s.supervisor(t),
		"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"Tracestate", "vendor=planted", "Baggage", "name=planted")
	got := map[string]map[string]any{}
	for _, span := range s.spans.Ended() {
		attrs := map[string]any{}
		for _, attr := range span.Attributes() {
			attrs[string(attr.Key)] = attr.Value.AsInterface()
		}
		got[span.Name()] = attrs
		if span.SpanContext().TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("%s is in trace %s", span.Name(), span.SpanContext().TraceID())
		}
		if state := span.SpanContext().TraceState().String(); state != "" {
			t.Errorf("%s carries the caller's tracestate %q", span.Name(), state)
		}
	}
	size := got["GET /api/v1/sessions"]["http.response.body.size"]
	want := map[string]map[string]any{
		"auth":   {"scopegate.company.id": int64(ownCompany), "scopegate.supervisor": true},
		"scope":  {"scopegate.scope.size": int64(3)},
		"encode": {"scopegate.rows": int64(5)},
		"GET /api/v1/sessions": {
			"http.request.method": "GET", "http.route": "/api/v1/sessions", "url.scheme": "http",
			"network.protocol.version": "1.1", "http.response.status_code": int64(200), "http.response.body.size": size,
			"scopegate.company.id": int64(ownCompany), "scopegate.supervisor": true, "scopegate.scope.size": int64(3),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedStepIsRecordedByItsCodeAlone(t *testing.T) {
	s := newStage(t)
	s.get(t, "/api/v1/sessions", "garbage").problem(t, http.StatusUnauthorized)
	for _, span := range s.spans.Ended() {
		if span.Name() == "auth" && (span.Status().Code != codes.Error || span.Status().Description != "token_invalid") {
			t.Errorf("auth ended with %+v", span.Status())
		}
		if span.Name() != "auth" && span.Status().Code == codes.Error {
			t.Errorf("%s is an error, though the mistake is the caller's", span.Name())
		}
		if len(span.Events()) > 0 {
			t.Errorf("%s has events: %v", span.Name(), span.Events())
		}
	}
}

func TestATraceIDIsThereWhenTracingIsOff(t *testing.T) {
	s := newStage(t, func(o *Options) { o.TracerProvider = tracenoop.NewTracerProvider() })
	r := s.get(t, "/api/v1/sessions?limit=0", s.supervisor(t))
	checkEveryHeader(t, r)
	p := r.problem(t, http.StatusBadRequest)
	if len(p.TraceID) != 32 || !strings.Contains(r.Header.Get("Traceresponse"), p.TraceID) || s.logLines(t)[0]["trace_id"] != p.TraceID {
		t.Errorf("traceId %q, traceresponse %q, logs %s", p.TraceID, r.Header.Get("Traceresponse"), s.logs.String())
	}
}

func TestNothingThatACallerWritesIsRecorded(t *testing.T) {
	s := newStage(t)
	const name, phone, subject, place = "Плантова", "79995550142", "planted-subject", "planted-elsewhere"
	token := s.issuer.Token(t, tenancytest.Claims{Company: ownCompany, Roles: []string{"supervisor"}, Subject: subject})
	headers := []string{"User-Agent", place, "Referer", place, "X-Forwarded-For", place, "Tracestate", "v=" + place, "Baggage", "b=" + place, "X-Request-Id", place + "!", "If-None-Match", `"` + place + `"`}
	paths := []string{
		"/api/v1/sessions?keyword=" + name + "&limit=1", "/api/v1/sessions?keyword=%2B" + phone, "/api/v1/sessions?name=" + name + "&limit=0",
		"/api/v1/sessions?" + phone + "=1", "/api/v1/sessions/" + phone, "/api/v1/sessions/s100", "/api/v1/companies?query=" + name,
		"/api/v1/me?" + name, "/" + phone, "/api/v1/sessions?cursor=" + phone,
	}
	ask := func() {
		for _, path := range paths {
			s.get(t, path, token, headers...)
			s.get(t, path, "x"+token, headers...)
		}
		s.post(t, "/api/v1/sessions/search", token, `{"keyword":"`+name+`"}`, headers...)
		s.post(t, "/api/v1/sessions/search", token, `{"`+phone+`":1}`, headers...)
		s.do(t, "PLANTED-METHOD", "/api/v1/sessions", token, name, headers...)
	}
	ask()
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{}, errors.New("near " + name)
	}
	ask()
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) { panic(name) }
	ask()

	recorded := map[string]string{"logs": s.logs.String(), "spans": s.spanText(), "metrics": s.metricText(t)}
	escaped := "%D0%9F%D0%BB"
	for where, text := range recorded {
		if len(text) < 1000 {
			t.Errorf("%s: hardly anything recorded: %s", where, text)
		}
		for _, planted := range []string{name, phone, subject, place, "PLANTED-METHOD", escaped, token, token[strings.LastIndex(token, "."):]} {
			if strings.Contains(text, planted) {
				t.Errorf("%s hold %q", where, planted)
			}
		}
	}
}

func TestAPanicIsA500(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) { panic("planted") }
	r := s.get(t, "/api/v1/sessions", s.supervisor(t))
	p := r.problem(t, http.StatusInternalServerError)
	checkEveryHeader(t, r)
	if strings.Contains(string(r.body), "planted") || p.TraceID == "" {
		t.Errorf("body: %s", r.body)
	}
	line := s.waitForLine(t, "request")
	if line["status"] != 500.0 || line["trace_id"] != p.TraceID {
		t.Errorf("line = %v", line)
	}
	for _, span := range s.spans.Ended() {
		if strings.HasPrefix(span.Name(), "GET ") && span.Status().Code != codes.Error {
			t.Error("the server span is no error")
		}
	}
	panicked := s.waitForLine(t, "panic")
	if panicked["cause"] != "string" || !strings.Contains(panicked["stack"].(string), "walk_test.go") {
		t.Errorf("line = %v", panicked)
	}
}

func TestATransferThatIsBrokenOffBeforeItsFirstByteIsLoggedAsA500(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) { panic(http.ErrAbortHandler) }
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.supervisor(t))
	if response, err := s.client.Do(request); err == nil {
		_ = response.Body.Close()
		t.Fatalf("answered with %d", response.StatusCode)
	}
	if line := s.waitForLine(t, "request"); line["status"] != 500.0 {
		t.Errorf("line = %v", line)
	}
}

// panickingLog panics instead of writing the access log.
type panickingLog struct{ slog.Handler }

func (h panickingLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "request" {
		panic("planted")
	}
	return h.Handler.Handle(ctx, r)
}

func TestAPanicOfTheTelemetryItselfIsLoggedWithoutItsText(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Logger = slog.New(panickingLog{o.Logger.Handler()}) })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/docs", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := s.client.Do(request); err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err == nil {
			t.Error("the answer looks complete")
		}
	}
	if line := s.waitForLine(t, "panic"); line["cause"] != "string" || strings.Contains(s.logs.String(), "planted") {
		t.Errorf("logs: %s", s.logs.String())
	}
}

func TestABrokenTransferStaysBroken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		part   string
		cause  any
		status int // 0: no answer at all
	}{
		{"broken off before the first byte", "", http.ErrAbortHandler, 0},
		{"broken off midway", "part", http.ErrAbortHandler, 200},
		{"a panic midway", "part", "cause", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(panicking(t, tt.part, tt.cause))
			defer server.Close()
			r, err := http.NewRequest(http.MethodGet, server.URL+"/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(r)
			if tt.status == 0 {
				if err == nil {
					_ = response.Body.Close()
					t.Fatalf("answered with %d", response.StatusCode)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if got, err := io.ReadAll(response.Body); err == nil || string(got) != tt.part || response.StatusCode != tt.status {
				t.Errorf("%d %q, error %v: it looks complete", response.StatusCode, got, err)
			}
		})
	}
}

// panicking writes part of an answer and panics, within recoverPanic.
func panicking(tb testing.TB, part string, cause any) http.Handler {
	tb.Helper()
	engine := newEngine()
	a := &api{logger: slog.New(slog.DiscardHandler)}
	engine.Use(newState, commonHeaders, a.recoverPanic)
	engine.GET("/x", func(c *gin.Context) {
		if part != "" {
			_, _ = c.Writer.WriteString(part)
			c.Writer.Flush()
		}
		panic(cause)
	})
	return engine
}

func TestRequestsAreMeasuredByRouteMethodAndStatusAlone(t *testing.T) {
	s := newStage(t)
	s.get(t, "/api/v1/sessions/s100", s.supervisor(t))
	s.get(t, "/api/v1/sessions/nothing", s.supervisor(t))
	s.get(t, "/nowhere", "")
	var all metricdata.ResourceMetrics
	if err := s.metrics.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "http.server.request.duration" {
			for _, point := range h.DataPoints {
				got = append(got, fmt.Sprint(point.Attributes.Encoded(attribute.DefaultEncoder()), " ", point.Count))
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"http.request.method=GET,http.response.status_code=200,http.route=/api/v1/sessions/{id} 1",
		"http.request.method=GET,http.response.status_code=404 1",
		"http.request.method=GET,http.response.status_code=404,http.route=/api/v1/sessions/{id} 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
