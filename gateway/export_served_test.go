package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Ways to reach a gateway.
const (
	overHTTP1 = "HTTP/1.1"
	overTLS   = "HTTP/1.1 over TLS"
	overHTTP2 = "HTTP/2"
)

var waysToReach = []string{overHTTP1, overTLS, overHTTP2}

// servedExports is an export stage behind a Server, as callers reach it.
type servedExports struct {
	*exportStage

	way     string
	address string
	tls     *tls.Config // of callers
}

func serveExports(t *testing.T, way string, o httpserver.Options, e Exports, change ...func(*exportStage, *Options)) *servedExports {
	t.Helper()
	s := &servedExports{way: way}
	var options Options
	s.exportStage = newExportStage(t, e, append(change, func(_ *exportStage, made *Options) { options = *made })...)
	handler, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	o.Handler, o.Logger = handler, options.Logger
	if way != overHTTP1 {
		cert, key := servertest.Certificate(t, 1)
		shown, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		o.TLS = &tls.Config{Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(cert)
		s.tls = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
		if way == overHTTP2 {
			s.tls.NextProtos = []string{"h2"}
		}
	}
	s.address = serve(t, o)
	s.url = "http://" + s.address
	if way != overHTTP1 {
		s.url = "https://" + s.address
	}
	// A window as small as a slow reader's buffer: the server sees it read.
	transport := &http.Transport{
		TLSClientConfig: s.tls, ForceAttemptHTTP2: way == overHTTP2, DisableCompression: true,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 128 << 10},
	}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

// other is the token of an account of the same company that has nothing to do
// with the others.
func (s *servedExports) other(t *testing.T, n int) string {
	t.Helper()
	return s.issuer.Token(t, tenancytest.Claims{Company: ownCompany, Subject: fmt.Sprintf("other-%d", n)})
}

// open sends a request as it is written, of HTTP/1.1.
func (s *servedExports) open(t *testing.T, request string) net.Conn {
	t.Helper()
	conn := net.Conn(servertest.Dial(t, s.address))
	if s.way == overTLS {
		conn = tls.Client(conn, s.tls)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// start begins a request by the client.
func (s *servedExports) start(t *testing.T, method, target, token string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+target, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if s.way == overHTTP2 && response.ProtoMajor != 2 {
		t.Fatalf("answered by %s", response.Proto)
	}
	return response
}

// free reports whether nobody is kept from exporting.
func (s *servedExports) free(t *testing.T) bool {
	t.Helper()
	return s.get(t, "/api/v1/sessions/export?fields=id", s.other(t, 99)).StatusCode == http.StatusOK
}

const exportTarget = "/api/v1/sessions/export?fields=id&format=NDJSON"

func TestABodyThatAMethodDoesNotTakeIsRefusedAtOnce(t *testing.T) {
	// Nobody would wait for so long: what is answered is answered at once.
	s := serveExports(t, overHTTP1, httpserver.Options{ReadTimeout: time.Hour}, Exports{})
	token := s.supervisor(t)
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		for _, target := range []string{
			exportTarget, "/api/v1/sessions", "/api/v1/sessions/s100", "/api/v1/sessions/summary", "/api/v1/companies", "/api/v1/me",
			"/openapi.yaml", "/openapi.json", "/docs", "/nowhere",
		} {
			for _, length := range []string{"Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 5\nExpect: 100-continue"} {
				conn := s.open(t, method+" "+target+" HTTP/1.1\nHost: x\nAuthorization: Bearer "+token+"\n"+length+"\n\n")
				reader := bufio.NewReader(conn)
				response, err := http.ReadResponse(reader, &http.Request{Method: method})
				if err != nil {
					t.Fatalf("%s %s, %s: %v", method, target, length, err)
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != http.StatusBadRequest || !response.Close {
					t.Errorf("%s %s, %s: %d, closes %t", method, target, length, response.StatusCode, response.Close)
				}
				if method != "HEAD" {
					if p := (reply{response, body}).problem(t, 400); !strings.Contains(p.Detail, "takes no body") {
						t.Errorf("%s %s, %s: %s", method, target, length, p.Detail)
					}
				}
				if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("%s %s, %s: the connection goes on: %v", method, target, length, err)
				}
				_ = conn.Close()
			}
		}
	}
	for _, head := range []string{"Content-Length: 0", "Content-Type: application/json", "Content-Length: 0\nContent-Type: text/csv"} {
		conn := s.open(t, "GET /api/v1/me HTTP/1.1\nHost: x\nAuthorization: Bearer "+token+"\n"+head+"\n\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Close {
			t.Errorf("%q: %d, closes %t", head, response.StatusCode, response.Close)
		}
	}
	if len(s.audit.all()) != 0 {
		t.Error("an export was begun")
	}
}

func TestABodyOfAnyOtherMethodIsNotWaitedFor(t *testing.T) {
	s := serveExports(t, overHTTP1, httpserver.Options{ReadTimeout: time.Hour}, Exports{})
	for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE", "BREW"} {
		for _, target := range []string{exportTarget, "/nowhere"} {
			conn := s.open(t, method+" "+target+" HTTP/1.1\nHost: x\nContent-Length: 5\n\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s %s: %v", method, target, err)
			}
			_ = response.Body.Close()
			if response.StatusCode/100 != 4 || !response.Close {
				t.Errorf("%s %s: %d, closes %t", method, target, response.StatusCode, response.Close)
			}
		}
	}
}

func TestABodyThatAMethodDoesNotTakeIsRefusedOverHTTP2(t *testing.T) {
	s := serveExports(t, overHTTP2, httpserver.Options{ReadTimeout: time.Hour}, Exports{})
	for _, target := range []string{exportTarget, "/api/v1/sessions", "/docs"} {
		never, end := io.Pipe() // a stream that stays open
		response := s.start(t, http.MethodGet, target, s.supervisor(t), never)
		body, err := readAll(response)
		if err != nil {
			t.Error(err)
		}
		reply{response, []byte(body)}.problem(t, http.StatusBadRequest)
		_ = end.Close()
	}
	if !s.free(t) { // on the same connection
		t.Error("a slot is held")
	}
}

func TestExportsWhoseBodiesNeverComeHoldNoSlot(t *testing.T) {
	for _, way := range []string{overHTTP1, overTLS} {
		t.Run(way, func(t *testing.T) {
			s := serveExports(t, way, httpserver.Options{ReadTimeout: 500 * time.Millisecond}, Exports{AtOnce: 8, PerAccount: 2})
			var conns []net.Conn
			for n := range 8 {
				token := s.other(t, n/2)
				conns = append(conns,
					s.open(t, "GET "+exportTarget+" HTTP/1.1\nHost: x\nAuthorization: Bearer "+token+"\nContent-Length: 5\n\n"),
					s.open(t, "GET "+exportTarget+" HTTP/1.1\nHost: x\nAuthorization: Bearer "+token+"\nTransfer-Encoding: chunked\n\n"),
					s.open(t, "POST "+exportTarget+" HTTP/1.1\nHost: x\nAuthorization: Bearer "+token+
						"\nContent-Type: application/json\nContent-Length: 5\n\n"))
			}
			if !s.free(t) {
				t.Error("a slot is held")
			}
			for i, conn := range conns {
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if want := []int{400, 400, 408}[i%3]; response.StatusCode != want {
					t.Errorf("request %d: %d, want %d", i, response.StatusCode, want)
				}
			}
			if n := s.snapshots.open.Load(); n != 0 {
				t.Errorf("%d snapshots are open", n)
			}
		})
	}
}

// TestAnExportIsLookedAfterBeforeItsFirstByte: the engine gives nothing, so that
// nothing is written.
func TestAnExportIsLookedAfterBeforeItsFirstByte(t *testing.T) {
	for name, c := range map[string]struct {
		exports Exports
		lose    func(*servedExports, *memoVerifier)
		status  int
		code    string
	}{
		"max_duration": {Exports{MaxDuration: 50 * time.Millisecond}, nil, http.StatusGatewayTimeout, "export_timeout"},
		"the scope": {Exports{RecheckEvery: time.Millisecond}, func(s *servedExports, _ *memoVerifier) {
			records := stageRecords(s.issuer.URL())
			records.Grants = nil
			s.source.Set(records)
		}, http.StatusForbidden, "scope_lost"},
		"the token": {Exports{RecheckEvery: time.Millisecond}, func(_ *servedExports, v *memoVerifier) {
			v.fromMemo(tenancy.ErrTokenRevoked)
		}, http.StatusUnauthorized, "token_invalid"},
	} {
		for _, way := range waysToReach {
			t.Run(name+", "+way, func(t *testing.T) {
				verifier, reached := &memoVerifier{}, make(chan struct{})
				s := serveExports(t, way, httpserver.Options{}, c.exports, func(s *exportStage, o *Options) {
					verifier.TokenVerifier, o.Verifier = o.Verifier, verifier
					s.snapshots.before = func(ctx context.Context, _ int) error {
						close(reached)
						<-ctx.Done()
						return ctx.Err()
					}
				})
				go func() {
					<-reached
					if c.lose != nil {
						c.lose(s, verifier)
					}
				}()
				r := s.get(t, exportTarget+"&showAllSupervised=true", s.supervisor(t))
				r.problem(t, c.status)
				if code := detail(s.audit.all()[0], "error"); code != c.code {
					t.Errorf("recorded with %v, want %s", code, c.code)
				}
			})
		}
	}
}

// longSessions are n of one company that take about a kilobyte each.
func longSessions(n int) []storedSession {
	all := manySessions(n)
	for i := range all {
		all[i].id += strings.Repeat("x", 1000)
	}
	return all
}

func TestAReaderThatTakesNothingIsCutOff(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			s := serveExports(t, way, httpserver.Options{}, Exports{StallTimeout: 200 * time.Millisecond}, func(s *exportStage, _ *Options) {
				s.snapshots.sessions = longSessions(40_000)
			})
			response := s.start(t, http.MethodGet, exportTarget, s.supervisor(t), nil)
			defer response.Body.Close() //nolint:errcheck // it is only read
			eventually(t, func() bool { return s.snapshots.open.Load() == 0 && len(s.audit.all()) == 1 })
			if code := detail(s.audit.all()[0], "error"); code != "reader_too_slow" {
				t.Errorf("recorded with the error %v", code)
			}
			if _, err := readAll(response); err == nil {
				t.Error("the file came whole")
			}
		})
	}
}

// TestAReaderThatTakesNothingBelowHTTP2IsCutOff: the frame that would reset its
// stream cannot leave either.
func TestAReaderThatTakesNothingBelowHTTP2IsCutOff(t *testing.T) {
	s := serveExports(t, overHTTP2, httpserver.Options{}, Exports{StallTimeout: 200 * time.Millisecond}, func(s *exportStage, _ *Options) {
		s.snapshots.sessions = longSessions(40_000)
	})
	stopped, held := make(chan struct{}), make(chan net.Conn, 1)
	s.client.Transport.(*http.Transport).HTTP2.MaxReceiveBufferPerStream = 64 << 20
	s.client.Transport.(*http.Transport).DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(&stoppedConn{Conn: plain, after: 100 << 10, stopped: stopped}, s.tls)
		held <- conn
		return conn, conn.HandshakeContext(ctx)
	}
	response := s.start(t, http.MethodGet, exportTarget, s.supervisor(t), nil)
	defer response.Body.Close() //nolint:errcheck // it is only read
	eventually(t, func() bool { return s.snapshots.open.Load() == 0 && len(s.audit.all()) == 1 })
	if code := detail(s.audit.all()[0], "error"); code != "reader_too_slow" {
		t.Errorf("recorded with the error %v", code)
	}
	close(stopped)
	_, _ = readAll(response)
	_ = (<-held).Close()
}

// stoppedConn reads nothing after so many bytes, until stopped is closed.
type stoppedConn struct {
	net.Conn

	after   int
	stopped chan struct{}
}

func (c *stoppedConn) Read(b []byte) (int, error) {
	if c.after <= 0 {
		<-c.stopped
		return 0, io.EOF
	}
	n, err := c.Conn.Read(b)
	c.after -= n
	return n, err
}

// TestASlowAndSteadyReaderGetsTheWholeFile: it takes many times as long as
// StallTimeout over what the kernel would have taken in one go.
func TestASlowAndSteadyReaderGetsTheWholeFile(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := serveExports(t, way, httpserver.Options{WriteTimeout: time.Second}, Exports{StallTimeout: 2 * time.Second}, func(s *exportStage, _ *Options) {
				s.snapshots.sessions = longSessions(8_000)
			})
			s.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return conn, conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			}
			response := s.start(t, http.MethodGet, exportTarget, s.supervisor(t), nil)
			piece, got := make([]byte, 64<<10), 0
			for {
				n, err := io.ReadFull(response.Body, piece)
				got += n
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && response.Trailer.Get("X-Row-Count") != "" {
					break
				}
				if err != nil {
					t.Fatalf("cut off after %d bytes: %v, %+v", got, err, s.audit.all())
				}
				time.Sleep(100 * time.Millisecond)
			}
			_ = response.Body.Close()
			if rows := response.Trailer.Get("X-Row-Count"); rows != "8000" {
				t.Errorf("%s rows", rows)
			}
			eventually(t, func() bool { return len(s.audit.all()) == 1 })
			if event := s.audit.all()[0]; event.Outcome != audit.Done {
				t.Errorf("recorded as %v", event)
			}
		})
	}
}

// TestAnEngineThatTakesItsTimeEndsNoExport: that is not the reader's fault, also not
// over HTTP/2, where the server has a deadline for each answer.
func TestAnEngineThatTakesItsTimeEndsNoExport(t *testing.T) {
	for _, way := range waysToReach {
		for _, format := range []string{"NDJSON", "XLSX"} {
			t.Run(way+", "+format, func(t *testing.T) {
				t.Parallel()
				const bound = 500 * time.Millisecond // that a handshake keeps on a busy machine too
				o := httpserver.Options{ReadTimeout: bound, WriteTimeout: bound}
				s := serveExports(t, way, o, Exports{StallTimeout: bound}, func(s *exportStage, _ *Options) {
					s.snapshots.before = func(_ context.Context, batch int) error {
						if batch < 3 {
							time.Sleep(2 * bound)
						}
						return nil
					}
				})
				r := s.get(t, "/api/v1/sessions/export?fields=id&format="+format, s.supervisor(t))
				if r.StatusCode != http.StatusOK || r.Trailer.Get("X-Row-Count") != "8" {
					t.Errorf("%d %v %.200s", r.StatusCode, r.Trailer, r.body)
				}
			})
		}
	}
}

// TestAReaderThatTakesItInBurstsGetsTheWholeFile: like curl --limit-rate it takes
// what there is, and then pauses for as long as that should have taken.
func TestAReaderThatTakesItInBurstsGetsTheWholeFile(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := serveExports(t, way, httpserver.Options{}, Exports{StallTimeout: 8 * time.Second}, func(s *exportStage, _ *Options) {
				s.snapshots.sessions = longSessions(12_000)
			})
			response := s.start(t, http.MethodGet, exportTarget, s.supervisor(t), nil) //nolint:bodyclose // start has it closed
			const rate = 800 << 10                                                     // bytes a second
			const most = 3 << 20                                                       // of a burst: its pause is within the stall timeout
			pieces, got := make(chan []byte), 0
			go func() {
				defer close(pieces)
				for {
					piece := make([]byte, 8<<10)
					n, err := response.Body.Read(piece)
					if n > 0 {
						pieces <- piece[:n]
					}
					if err != nil {
						return
					}
				}
			}()
			for piece := range pieces {
				burst := len(piece)
				for more := true; more && burst < most; {
					select {
					case piece, ok := <-pieces:
						burst += len(piece)
						more = ok
					case <-time.After(5 * time.Millisecond):
						more = false
					}
				}
				got += burst
				time.Sleep(time.Duration(burst) * time.Second / rate)
			}
			if rows := response.Trailer.Get("X-Row-Count"); rows != "12000" {
				t.Errorf("%s rows, %d bytes; recorded as %v", rows, got, s.audit.all())
			}
		})
	}
}

func TestAWorkbookWithoutRoomIsRefusedBeforeItsFirstByte(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			temp, err := export.OpenTemp(t.TempDir(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = temp.Close() })
			s := serveExports(t, way, httpserver.Options{}, Exports{Temp: temp}, func(s *exportStage, _ *Options) {
				s.snapshots.sessions = longSessions(20_000) // beyond what is kept in memory
			})
			r := s.get(t, "/api/v1/sessions/export?fields=id&format=XLSX", s.supervisor(t))
			if p := r.problem(t, http.StatusServiceUnavailable); r.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "no room") {
				t.Errorf("%v %+v", r.Header, p)
			}
			if code := detail(s.audit.all()[0], "error"); code != "exports_full" {
				t.Errorf("recorded with %v", code)
			}
			if r := s.get(t, exportTarget, s.supervisor(t)); r.Trailer.Get("X-Row-Count") != "20000" {
				t.Errorf("another format: %d %v", r.StatusCode, r.Trailer)
			}
		})
	}
}

func TestOneCompanyDoesNotKeepOthersFromExporting(t *testing.T) {
	s := serveExports(t, overHTTP1, httpserver.Options{}, Exports{AtOnce: 4, PerAccount: 2, PerCompany: 2}, func(s *exportStage, _ *Options) {
		s.snapshots.before = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}
	})
	export := func(token string) {
		s.open(t, "GET "+exportTarget+" HTTP/1.1\nHost: x\nAuthorization: Bearer "+token+"\n\n")
	}
	export(s.other(t, 1))
	export(s.other(t, 2))
	eventually(t, func() bool { return s.snapshots.open.Load() == 2 })
	s.get(t, exportTarget, s.other(t, 3)).problem(t, http.StatusTooManyRequests)
	export(s.issuer.Token(t, tenancytest.Claims{Company: foreignCompany, Subject: "of another company"}))
	eventually(t, func() bool { return s.snapshots.open.Load() == 3 })
}
