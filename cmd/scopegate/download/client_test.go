package download

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// refusing answers with a problem.
func refusing(status int, retryAfter, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestAnAnswerThatIsNotTheExportIsSaid(t *testing.T) {
	tests := map[string]struct {
		answer  http.HandlerFunc
		refused bool
		says    []string
	}{
		"400": {
			refusing(400, "", `{"title": "Bad", "detail": "Two faults.", "details": [{"parameter": "colour", "message": "is not a parameter"}, {"parameter": "to", "message": "is before from"}]}`),
			true, []string{"400 Bad Request: Two faults.", "\n  colour: is not a parameter", "\n  to: is before from"},
		},
		"401":                   {refusing(401, "", `{"title": "Unauthorized", "error": "Token is expired."}`), true, []string{"401", "Token is expired."}},
		"403":                   {refusing(403, "", `{"title": "Forbidden", "detail": "No."}`), true, []string{"403 Forbidden: No."}},
		"500":                   {refusing(500, "", `{"title": "Internal", "detail": "It failed.", "traceId": "0af7"}`), false, []string{"500", "It failed. (trace 0af7)"}},
		"503 that is not brief": {refusing(503, "", `{"title": "Unavailable"}`), false, []string{"503", "Unavailable"}},
		"429 for long":          {refusing(429, "86400", `{"detail": "Wait."}`), false, []string{"429", "Wait.", "not before 24h"}},
		"another server's":      {refusing(404, "", `<html>`), true, []string{"404", "is --gateway right?"}},
		"a terminal's commands": {refusing(400, "", `{"detail": "a\u001b[2Jb\u202e"}`), true, []string{"a\uFFFD[2Jb\uFFFD"}},
		"a page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		}, false, []string{"no export of a Scopegate gateway"}},
		"another format": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("X-Total-Count", "0")
		}, false, []string{"no export of a Scopegate gateway"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			g.first = test.answer
			o := options(t, "CSV")
			_, err := g.client(t).Fetch(t.Context(), o)
			if err == nil {
				t.Fatal("taken for an export")
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("says %q, want %q", err, want)
				}
			}
			var said *AnswerError
			if refused := errors.As(err, &said) && said.Refused(); refused != test.refused {
				t.Errorf("refused: %v", refused)
			}
			if strings.Contains(err.Error(), "secret-token") {
				t.Errorf("tells the token: %v", err)
			}
			if content(t, partOf(o.Path)) != "(none)" {
				t.Error("there is a part")
			}
		})
	}
}

func TestABusyGatewayIsAskedAgainWhenItSays(t *testing.T) {
	soon := func() string { return time.Now().Add(time.Second).UTC().Format(http.TimeFormat) }
	for name, test := range map[string]struct {
		status int
		after  func() string
		tries  int
		asked  int
		whole  bool
	}{
		"in seconds":      {429, func() string { return "1" }, 2, 2, true},
		"at a time":       {429, soon, 2, 2, true},
		"503":             {503, func() string { return "0" }, 2, 2, true},
		"no more than so": {429, func() string { return "1" }, 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			g.first = refusing(test.status, test.after(), `{"detail": "Busy."}`)
			var waits []time.Duration
			client := NewClient(ClientOptions{Gateway: g.url, Token: "t", Tries: test.tries, Waiting: func(_ error, wait time.Duration) { waits = append(waits, wait) }})
			defer client.Close()
			_, err := client.Fetch(t.Context(), options(t, "CSV"))
			if (err == nil) != test.whole || len(g.asked) != test.asked || len(waits) != test.asked-1 {
				t.Errorf("%v after %d tries and %v", err, len(g.asked), waits)
			}
			for _, wait := range waits {
				if wait < time.Second || wait > 2*time.Second {
					t.Errorf("waits %s", wait)
				}
			}
		})
	}
}

func TestAWaitEndsWhenTheCallerGoes(t *testing.T) {
	g := newFake(t)
	g.first = refusing(429, "100", `{"detail": "Busy."}`)
	ctx, cancel := context.WithCancel(t.Context())
	client := NewClient(ClientOptions{Gateway: g.url, Token: "t", Waiting: func(error, time.Duration) { cancel() }})
	defer client.Close()
	if _, err := client.Fetch(ctx, options(t, "CSV")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTheTokenGoesToTheGatewayAlone: neither it nor the filters follow a
// redirection, on the same host either.
func TestTheTokenGoesToTheGatewayAlone(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host is asked: %v", r.Header)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		g := newFake(t)
		g.first = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret-token" || r.URL.Path != "/"+exportPath || r.URL.RawQuery != "" {
				t.Errorf("asked %s by %v", r.URL, r.Header)
			}
			w.Header().Set("Location", other.URL)
			w.WriteHeader(status)
		}
		_, err := g.client(t).Fetch(t.Context(), options(t, "CSV"))
		if err == nil || !strings.Contains(err.Error(), other.URL) || len(g.asked) != 1 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestABodyWithoutAnEndOfItsOwnIsNotTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = fmt.Fprint(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/csv\r\nX-Total-Count: 1\r\n\r\nid\r\na\r\n")
		_ = conn.Close()
	}()
	client := NewClient(ClientOptions{Gateway: &url.URL{Scheme: "http", Host: listener.Addr().String()}, Token: "t"})
	defer client.Close()
	if _, err := client.Fetch(t.Context(), options(t, "CSV")); err == nil || !strings.Contains(err.Error(), "HTTP/1.0") {
		t.Error(err)
	}
	_ = listener.Close()
	<-served
}

func TestOverHTTP2AResetStreamIsABrokenTransfer(t *testing.T) {
	for name, cut := range map[string]int{"whole": -1, "broken": 60} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			g.cutAt = cut
			server := httptest.NewUnstartedServer(g)
			server.EnableHTTP2 = true
			server.Config.ErrorLog = quietLog()
			server.StartTLS()
			defer server.Close()
			at, _ := url.Parse(server.URL)
			roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			client := NewClient(ClientOptions{Gateway: at, Token: "t", Authorities: roots})
			defer client.Close()
			o := options(t, "NDJSON")
			_, err := client.Fetch(t.Context(), o)
			if cut < 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkBroken(t, o, err, "broken off", 1)
		})
	}
}
