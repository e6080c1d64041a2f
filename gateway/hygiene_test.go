package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// serveStage serves a stage's API by a Server of its own and returns where.
func serveStage(t *testing.T, o httpserver.Options, change ...func(*Options)) (*stage, string) {
	t.Helper()
	var options Options
	s := newStage(t, append(change, func(made *Options) { options = *made })...)
	handler, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	o.Handler, o.Logger = handler, slog.New(slog.NewJSONHandler(s.logs, nil))
	return s, serve(t, o)
}

// serve serves until the test ends, and returns where.
func serve(t *testing.T, o httpserver.Options) (address string) {
	t.Helper()
	o.StopTimeout = time.Millisecond // what a test leaves open is broken off
	return servertest.Serve(t, httpserver.New(o).Serve)
}

// drip sends the text, and then a byte now and then until done is closed or
// nobody takes it any more.
func drip(conn net.Conn, text string, done <-chan struct{}) {
	_, err := io.WriteString(conn, text)
	for err == nil {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
			_, err = io.WriteString(conn, "x")
		}
	}
}

func TestTheDefaultsOfAServerFitThoseOfTheAPI(t *testing.T) {
	if httpserver.DefaultWriteTimeout <= DefaultRequestTimeout {
		t.Error("a request that runs out of time could not be answered")
	}
	if httpserver.DefaultMaxHeaderBytes < 2*params.MaxCursorLen {
		t.Error("a long cursor and a token do not fit the headers")
	}
}

func TestASlowSenderOfAHeaderIsCutOff(t *testing.T) {
	s, address := serveStage(t, httpserver.Options{ReadHeaderTimeout: 100 * time.Millisecond})
	conn, done := servertest.Dial(t, address), make(chan struct{})
	go drip(conn, "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: ", done)
	answer, _ := io.ReadAll(conn) // ends when the server closes; it never would by itself
	close(done)
	if strings.Contains(string(answer), " 200 ") || strings.Contains(s.logs.String(), "request") {
		t.Errorf("answered %q, logs %s", answer, s.logs.String())
	}
}

func TestASlowSenderOfABodyIsAnsweredAndCutOff(t *testing.T) {
	s, address := serveStage(t, httpserver.Options{ReadTimeout: 200 * time.Millisecond})
	conn, done := servertest.Dial(t, address), make(chan struct{})
	go drip(conn, "POST /api/v1/sessions/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer "+s.supervisor(t)+"\r\nContent-Length: 100000\r\n\r\n", done)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	reply{response, body}.problem(t, http.StatusRequestTimeout)
	_, _ = io.Copy(io.Discard, reader) // ends when the server closes
	close(done)
}

func TestASlowReaderHoldsNothingForEver(t *testing.T) {
	s, address := serveStage(t, httpserver.Options{WriteTimeout: 300 * time.Millisecond})
	huge := []byte(`{"id":"` + strings.Repeat("x", 64<<20) + `"}`) // more than all buffers on the way hold
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{Page: search.Page{Rows: []search.Row{{CompanyID: ownCompany, JSON: huge}}}}, nil
	}
	conn := servertest.Dial(t, address)
	_, err := fmt.Fprintf(conn, "GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", s.supervisor(t))
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is read, and yet the handler comes back.
	if line := s.waitForLine(t, "request"); line["bytes"].(float64) >= float64(len(huge)) {
		t.Errorf("the answer was taken whole: %v", line)
	}
	if got, err := io.ReadAll(conn); err == nil && len(got) >= len(huge) {
		t.Error("the connection was not cut off")
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	_, address := serveStage(t, httpserver.Options{IdleTimeout: 50 * time.Millisecond})
	conn := servertest.Dial(t, address)
	if _, err := io.WriteString(conn, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || !strings.Contains(string(got), "404") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestARequestsHeadIsBounded(t *testing.T) {
	s, address := serveStage(t, httpserver.Options{MaxHeaderBytes: 8 << 10}, func(o *Options) { o.MaxURLBytes, o.MaxHeaderBytes = 1<<10, 4<<10 })
	s.url = "http://" + address
	token := s.supervisor(t)
	if r := s.get(t, "/api/v1/me", token, "X-Padding", strings.Repeat("x", 2<<10)); r.StatusCode != http.StatusOK {
		t.Errorf("within bounds: %d %s", r.StatusCode, r.body)
	}
	long := s.get(t, "/api/v1/sessions?keyword="+strings.Repeat("x", 1<<10), token)
	long.problem(t, http.StatusRequestURITooLong)
	checkEveryHeader(t, long)
	s.get(t, "/"+strings.Repeat("x", 1<<10), "").problem(t, http.StatusRequestURITooLong)
	large := s.get(t, "/api/v1/me", token, "X-Padding", strings.Repeat("x", 4<<10))
	large.problem(t, http.StatusRequestHeaderFieldsTooLarge)
	checkEveryHeader(t, large)
	// What is larger still the server does not read, and answers by itself.
	if r := s.get(t, "/api/v1/me", token, "X-Padding", strings.Repeat("x", 64<<10)); r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("far out of bounds: %d", r.StatusCode)
	}
}

func TestABodyIsBoundedHoweverItIsSent(t *testing.T) {
	s, address := serveStage(t, httpserver.Options{}, func(o *Options) { o.MaxBodyBytes = 1 << 10 })
	for _, length := range []string{"Content-Length: 100000000\r\n", "Transfer-Encoding: chunked\r\n"} {
		conn, done := servertest.Dial(t, address), make(chan struct{})
		body := strings.Repeat("x", 2<<10)
		if strings.HasPrefix(length, "Transfer") {
			body = fmt.Sprintf("%x\r\n%s", 1<<20, body)
		}
		go drip(conn, "POST /api/v1/sessions/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Authorization: Bearer "+s.supervisor(t)+"\r\n"+length+"\r\n"+body, done)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		close(done)
		_ = response.Body.Close()
		reply{response, got}.problem(t, http.StatusRequestEntityTooLarge)
	}
}

func TestAnAnswerIsNoPage(t *testing.T) {
	s := newStage(t)
	for _, r := range []reply{
		s.get(t, "/api/v1/sessions", s.supervisor(t)), s.get(t, "/api/v1/me", ""), s.get(t, "/nowhere", ""), s.get(t, "/docs", ""),
		s.do(t, http.MethodOptions, "/api/v1/me", "", ""),
	} {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control": "private, no-cache",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s = %q", r.Request.URL.Path, name, got)
			}
		}
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: Content-Security-Policy %q", r.Request.URL.Path, policy)
		}
	}
}

func TestALinkThatWouldBeRefusedIsNone(t *testing.T) {
	s := newStage(t, func(o *Options) { o.MaxURLBytes = 200 })
	token := s.supervisor(t)
	if r := s.get(t, "/api/v1/sessions?limit=1", token); r.Header.Get("Link") == "" {
		t.Error("no Link, though it is short enough")
	}
	if r := s.get(t, "/api/v1/sessions?limit=1&keyword="+strings.Repeat("s", 140), token); r.StatusCode != http.StatusOK || r.Header.Get("Link") != "" {
		t.Errorf("%d, Link %q", r.StatusCode, r.Header.Get("Link"))
	}
}

func TestNothingSentBeneathHTTPForgesALogLine(t *testing.T) {
	s, address := serveStage(t, httpserver.Options{})
	const forged = `{"level":"ERROR","msg":"forged"}`
	for _, request := range []string{
		"\n" + forged + "\n\n",
		"GET /\n" + forged + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\n" + forged + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-Id: " + forged + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + forged + "\r\n\r\n",
		"GET / HTTP/9." + forged + "\r\nHost: x\r\n\r\n",
		forged + " / HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\nUser-Agent: " + forged + "\r\n\r\n",
		"POST /api/v1/sessions/search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + forged + "\r\n\r\n",
		"GET /?a;b=" + forged + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + forged,
		"\x16\x03\x01" + forged + "\r\n\r\n",
	} {
		conn := servertest.Dial(t, address)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
	s.logLines(t) // each is one object
	if logs := s.logs.String(); strings.Contains(logs, "forged") || strings.Contains(logs, "127.0.0.1") {
		t.Errorf("logs: %s", logs)
	}
}
