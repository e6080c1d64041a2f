package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
)

// serve serves until the test ends, and returns where.
func serve(t *testing.T, o Options) (address string) {
	t.Helper()
	o.StopTimeout = time.Millisecond // what a test leaves open is broken off
	return servertest.Serve(t, New(o).Serve)
}

func TestAServerStopsWithoutBreakingOffRequests(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	var readiness Readiness
	server := New(Options{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-finish
			if r.Context().Err() != nil {
				t.Error("the stop cancelled a request in flight")
			}
			_, _ = io.WriteString(w, "whole")
		}),
		Readiness: &readiness,
		Logger:    slog.New(slog.DiscardHandler),
	})
	listener := servertest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()

	body := make(chan string, 1)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	go func() {
		response, err := client.Get("http://" + listener.Addr().String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		got, _ := io.ReadAll(response.Body)
		body <- string(got)
	}()
	<-began
	cancel()
	for !readiness.Stopping() {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-served:
		t.Fatalf("the server stopped with a request in flight: %v", err)
	default:
	}
	close(finish)
	if got := <-body; got != "whole" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestAServerTakesRequestsUntilItsDrainIsOver(t *testing.T) {
	var readiness Readiness
	server := New(Options{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "taken") }),
		Readiness: &readiness, DrainDelay: time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	listener := servertest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	cancel()
	for !readiness.Stopping() {
		time.Sleep(time.Millisecond)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatalf("refused while draining: %v", err)
	}
	_ = response.Body.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestAStopComesToAnEnd(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	server := New(Options{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
			close(left)
		}),
		StopTimeout: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	listener := servertest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if response, err := client.Get("http://" + listener.Addr().String()); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-began
	cancel()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: %v, want that a request did not finish", err)
	}
	<-left
	<-asked
}

func TestAServerThatCannotServeSaysSo(t *testing.T) {
	listener := servertest.Listen(t)
	_ = listener.Close()
	server := New(Options{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)})
	if err := server.Serve(context.Background(), listener); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestAServerHasAllTimeouts(t *testing.T) {
	s := New(Options{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), ReadTimeout: time.Minute})
	got := []time.Duration{s.http.ReadHeaderTimeout, s.http.ReadTimeout, s.http.WriteTimeout, s.http.IdleTimeout}
	want := []time.Duration{DefaultReadHeaderTimeout, time.Minute, DefaultWriteTimeout, DefaultIdleTimeout}
	if diff := cmp.Diff(want, got); diff != "" || s.http.MaxHeaderBytes != DefaultMaxHeaderBytes {
		t.Errorf("%s, MaxHeaderBytes %d", diff, s.http.MaxHeaderBytes)
	}
}

func adminGet(tb testing.TB, o AdminOptions, path string) (int, statusBody) {
	tb.Helper()
	w := httptest.NewRecorder()
	NewAdmin(o).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	var body statusBody
	if w.Header().Get("Content-Type") == "application/json; charset=utf-8" {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			tb.Fatal(err)
		}
	}
	return w.Code, body
}

func TestReadinessAsksAllChecks(t *testing.T) {
	pass := func(context.Context) error { return nil }
	fail := func(context.Context) error { return errors.New("no keys of issuer x") }
	var stopping Readiness
	stopping.Stop()
	for _, tt := range []struct {
		name   string
		o      AdminOptions
		status int
		want   statusBody
	}{
		{"no checks", AdminOptions{}, 200, statusBody{Status: "ready"}},
		{"all pass", AdminOptions{Checks: map[string]func(context.Context) error{"keys": pass}, Readiness: &Readiness{}}, 200,
			statusBody{Status: "ready", Checks: map[string]string{"keys": "ok"}}},
		{"one fails", AdminOptions{Checks: map[string]func(context.Context) error{"keys": fail, "engine": pass}}, 503,
			statusBody{Status: "not ready", Checks: map[string]string{"keys": "no keys of issuer x", "engine": "ok"}}},
		{"a stop has begun", AdminOptions{Checks: map[string]func(context.Context) error{"keys": pass}, Readiness: &stopping}, 503,
			statusBody{Status: "stopping", Checks: map[string]string{"keys": "ok"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := adminGet(t, tt.o, "/readyz")
			if diff := cmp.Diff(tt.want, body); diff != "" || status != tt.status {
				t.Errorf("status %d, %s", status, diff)
			}
			if status, body := adminGet(t, tt.o, "/livez"); status != http.StatusOK || body.Status != "alive" {
				t.Errorf("/livez: %d %v", status, body)
			}
		})
	}
}

func TestTheAdminListenerHasWhatItWasGiven(t *testing.T) {
	here := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, path := range []string{"/metrics", "/debug/traces", "/debug/traces/4bf92f3577b34da6a3ce929d0e0e4736"} {
		if status, _ := adminGet(t, AdminOptions{Metrics: here, Traces: here}, path); status != http.StatusTeapot {
			t.Errorf("%s: %d", path, status)
		}
		if status, _ := adminGet(t, AdminOptions{}, path); status != http.StatusNotFound {
			t.Errorf("%s, not given: %d", path, status)
		}
	}
}

func TestTheServersOwnLogHoldsNoAddressAndNoSecondLine(t *testing.T) {
	var logs servertest.Buffer
	logger := newServerLog(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, message := range []string{
		"http: TLS handshake error from 192.0.2.1:5678: read tcp 192.0.2.2:443->192.0.2.1:5678: i/o timeout",
		"http: TLS handshake error from [2001:db8::1]:5678: EOF",
		"http: panic serving 192.0.2.1:5678: planted\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\n",
		"http2: server: error reading preface from client 192.0.2.1:5678: bogus greeting",
	} {
		logger.Print(message)
	}
	var lines []map[string]any
	for decoder := json.NewDecoder(strings.NewReader(logs.String())); decoder.More(); {
		var line map[string]any
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 4 {
		t.Fatalf("%d lines: %s", len(lines), logs.String())
	}
	if got := lines[0]["cause"]; got != "http: TLS handshake error from (address): read tcp (address)->(address): i/o timeout" {
		t.Errorf("cause = %q", got)
	}
	if lines[0]["level"] != "DEBUG" || lines[2]["level"] != "WARN" {
		t.Errorf("levels %v and %v", lines[0]["level"], lines[2]["level"])
	}
	if text := logs.String(); strings.Contains(text, "192.0.2.") || strings.Contains(text, "2001:db8") {
		t.Errorf("logs: %s", text)
	}
}
