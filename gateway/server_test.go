package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/gateway/params"
)

// listen opens a free port on loopback.
func listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

func TestAServerStopsWithoutBreakingOffRequests(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	var readiness Readiness
	server := NewServer(ServerOptions{
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
	listener := listen(t)
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
	server := NewServer(ServerOptions{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "taken") }),
		Readiness: &readiness, DrainDelay: time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	listener := listen(t)
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
	server := NewServer(ServerOptions{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
			close(left)
		}),
		StopTimeout: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	listener := listen(t)
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
	listener := listen(t)
	_ = listener.Close()
	server := NewServer(ServerOptions{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)})
	if err := server.Serve(context.Background(), listener); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestAServerHasAllTimeouts(t *testing.T) {
	s := NewServer(ServerOptions{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), ReadTimeout: time.Minute})
	got := []time.Duration{s.http.ReadHeaderTimeout, s.http.ReadTimeout, s.http.WriteTimeout, s.http.IdleTimeout}
	want := []time.Duration{DefaultReadHeaderTimeout, time.Minute, DefaultWriteTimeout, DefaultIdleTimeout}
	if diff := cmp.Diff(want, got); diff != "" || s.http.MaxHeaderBytes != DefaultMaxHeaderBytes {
		t.Errorf("%s, MaxHeaderBytes %d", diff, s.http.MaxHeaderBytes)
	}
	if DefaultWriteTimeout <= DefaultRequestTimeout {
		t.Error("a request that runs out of time could not be answered")
	}
	if DefaultMaxHeaderBytes < 2*params.MaxCursorLen {
		t.Error("a long cursor and a token do not fit the headers")
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
