package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
)

// largePage is a page of about a megabyte.
const largePage = "/api/v1/sessions?limit=1000&withoutCount=true"

// servePages is an API with bounds, behind a Server, whose pages may be large.
func servePages(t *testing.T, way string, server httpserver.Options, change func(*Options)) *servedExports {
	t.Helper()
	return serveExports(t, way, server, Exports{}, func(_ *exportStage, o *Options) {
		o.Searcher.(*memorySearcher).sessions = longSessions(1000)
		change(o)
	})
}

// unread asks for a large page and does not read it, until the test or the
// returned function ends it.
func (s *servedExports) unread(t *testing.T, token string) (end func()) {
	t.Helper()
	if s.way == overHTTP2 {
		response := s.start(t, http.MethodGet, largePage, token, nil) //nolint:bodyclose // start has it closed
		if response.StatusCode != http.StatusOK {
			t.Fatalf("status %d", response.StatusCode)
		}
		return func() { _ = response.Body.Close() }
	}
	conn := s.open(t, "GET "+largePage+" HTTP/1.1\nHost: gateway\nAuthorization: Bearer "+token+"\n\n")
	t.Cleanup(func() { _ = conn.Close() })
	status := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, status); err != nil || string(status) != "HTTP/1.1 200" {
		t.Fatalf("%q, error %v", status, err)
	}
	return func() { _ = conn.Close() }
}

func (s *servedExports) holds(t *testing.T, text string) bool {
	t.Helper()
	return strings.Contains(s.metricText(t), text)
}

// nothingInFlight reports whether all bytes were given back.
func (s *servedExports) nothingInFlight(t *testing.T) bool {
	t.Helper()
	_, rest, _ := strings.Cut(s.metricText(t), `"Name":"scopegate.answers.in_flight"`)
	_, rest, found := strings.Cut(rest, `"Value":`)
	return found && strings.HasPrefix(rest, "0}")
}

func TestAnAccountThatReadsNoPagesIsRefusedMoreAndOthersAreServed(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			s := servePages(t, way, httpserver.Options{}, func(o *Options) {
				o.InFlight, o.StallTimeout = limits.Bytes{Account: 2500 << 10, All: 4500 << 10}, time.Hour
			})
			var ends []func()
			for range 2 {
				ends = append(ends, s.unread(t, s.other(t, 1)))
			}
			r := s.get(t, largePage, s.other(t, 1))
			if p := r.problem(t, http.StatusTooManyRequests); r.Header.Get("Retry-After") == "" || len(p.Details) > 0 {
				t.Errorf("Retry-After %q, details %v", r.Header.Get("Retry-After"), p.Details)
			}
			if r := s.get(t, largePage, s.other(t, 2)); r.StatusCode != http.StatusOK {
				t.Errorf("another account: status %d", r.StatusCode)
			}
			for range 2 {
				ends = append(ends, s.unread(t, s.other(t, 2)))
			}
			r = s.get(t, largePage, s.other(t, 3))
			if r.problem(t, http.StatusServiceUnavailable); r.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if r := s.get(t, "/api/v1/sessions?limit=10", s.other(t, 3)); r.StatusCode != http.StatusOK {
				t.Errorf("a small page while others hold all there is: status %d", r.StatusCode)
			}
			for _, limit := range []string{limitAccountInFlight, limitInFlight} {
				if !s.holds(t, limit) {
					t.Errorf("the metric does not tell of %s", limit)
				}
			}
			for _, end := range ends {
				end()
			}
			eventually(t, func() bool { return s.nothingInFlight(t) })
			if r := s.get(t, largePage, s.other(t, 1)); r.StatusCode != http.StatusOK {
				t.Errorf("after it has left: status %d", r.StatusCode)
			}
		})
	}
}

func TestAReaderOfAPageThatTakesNothingIsCutOff(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			s := servePages(t, way, httpserver.Options{}, func(o *Options) { o.StallTimeout = 100 * time.Millisecond })
			s.unread(t, s.agent(t))
			eventually(t, func() bool { return s.nothingInFlight(t) && strings.Contains(s.logs.String(), codeReaderTooSlow) })
			if r := s.get(t, "/api/v1/sessions?limit=10", s.agent(t)); r.StatusCode != http.StatusOK {
				t.Errorf("the next request: status %d", r.StatusCode)
			}
		})
	}
}

// TestAReaderThatGoesOnGetsItsPage takes longer for the whole than it may for what
// was written last.
func TestAReaderThatGoesOnGetsItsPage(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := servePages(t, way, httpserver.Options{WriteTimeout: time.Second}, func(o *Options) { o.StallTimeout = 3 * time.Second })
			response := s.start(t, http.MethodGet, largePage, s.agent(t), nil) //nolint:bodyclose // start has it closed
			got := int64(0)
			for {
				n, err := io.CopyN(io.Discard, response.Body, 32<<10)
				got += n
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("after %d bytes of %d: %v", got, response.ContentLength, err)
				}
				time.Sleep(140 * time.Millisecond)
			}
			if got != response.ContentLength {
				t.Errorf("%d bytes of %d", got, response.ContentLength)
			}
		})
	}
}

func TestABodyThatIsBeingSentCountsForItsAccount(t *testing.T) {
	s := servePages(t, overHTTP1, httpserver.Options{}, func(o *Options) { o.InFlight = limits.Bytes{Account: 1 << 20, All: 4 << 20} })
	conn := s.open(t, "POST /api/v1/sessions/search HTTP/1.1\nHost: gateway\nContent-Type: application/json\nContent-Length: 1000000\nAuthorization: Bearer "+s.agent(t)+"\n\n{")
	defer conn.Close() //nolint:errcheck // it was only written to
	eventually(t, func() bool { return !s.nothingInFlight(t) })
	s.post(t, "/api/v1/sessions/search", s.agent(t), `{"limit":10,"name":"`+strings.Repeat("x", 60_000)+`"}`).problem(t, http.StatusTooManyRequests)
	_ = conn.Close()
	eventually(t, func() bool { return s.nothingInFlight(t) })
}

func TestARequestMoreThanMayBeAnsweredIsRefused(t *testing.T) {
	for _, way := range waysToReach {
		t.Run(way, func(t *testing.T) {
			s := servePages(t, way, httpserver.Options{}, func(o *Options) { o.MaxRequests, o.StallTimeout = 8, time.Hour })
			refused := func(token string, status int) {
				t.Helper()
				r := s.get(t, "/api/v1/me", token)
				if r.StatusCode != status || r.Header.Get("Retry-After") == "" {
					t.Errorf("status %d, Retry-After %q, want %d", r.StatusCode, r.Header.Get("Retry-After"), status)
				}
				if without := way == overHTTP2; (len(r.body) == 0) != without {
					t.Errorf("a body of %d bytes", len(r.body))
				}
			}
			var tokens []string
			for n := range 5 {
				tokens = append(tokens, s.other(t, n))
				s.get(t, "/api/v1/me", tokens[n]) // a token that is known counts for its account
			}
			var ends []func()
			for _, token := range tokens[:4] {
				if r := s.get(t, "/api/v1/me", token); r.StatusCode != http.StatusOK {
					t.Errorf("another account: status %d", r.StatusCode)
				}
				ends = append(ends, s.unread(t, token), s.unread(t, token))
				if len(ends) < 8 {
					refused(token, http.StatusTooManyRequests)
				}
			}
			refused(tokens[4], http.StatusServiceUnavailable)
			for _, end := range ends {
				end()
			}
			eventually(t, func() bool { return s.get(t, "/api/v1/me", s.agent(t)).StatusCode == http.StatusOK })
		})
	}
}

func TestANewConnectionTakesThePlaceOfTheLongestIdle(t *testing.T) {
	for _, way := range []string{overHTTP1, overTLS} {
		t.Run(way, func(t *testing.T) {
			s := servePages(t, way, httpserver.Options{MaxConnections: 3, ReadHeaderTimeout: time.Hour}, func(*Options) {})
			silent := servertest.Dial(t, s.address) // has never sent anything
			if err := servertest.Closed(silent); err != nil {
				t.Fatal(err)
			}
			var open []net.Conn
			for tries := 0; len(open) < 5 && tries < 500; tries++ {
				conn := servertest.Dial(t, s.address)
				if answered(s, conn) {
					open = append(open, conn)
					continue
				}
				time.Sleep(10 * time.Millisecond) // the others have been idle for a moment only
			}
			if len(open) < 5 {
				t.Fatalf("%d connections were taken", len(open))
			}
			left := 0
			for _, conn := range open {
				if servertest.Closed(conn) == nil {
					left++
				}
			}
			if servertest.Closed(silent) == nil || servertest.Closed(open[4]) != nil || left != 3 {
				t.Errorf("the silent one: %v, the last one: %v, %d open", servertest.Closed(silent), servertest.Closed(open[4]), left)
			}
		})
	}
}

func TestConnectionsWithoutATokenMakeRoomBeforeThoseWithOne(t *testing.T) {
	s := servePages(t, overHTTP1, httpserver.Options{MaxConnections: 3, ReadHeaderTimeout: time.Hour}, func(*Options) {})
	known := s.open(t, "GET /api/v1/me HTTP/1.1\nHost: gateway\nAuthorization: Bearer "+s.agent(t)+"\n\n")
	defer known.Close() //nolint:errcheck // it is only read
	if _, err := known.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for tries := 0; taken < 6 && tries < 500; tries++ {
		if answered(s, servertest.Dial(t, s.address)) {
			taken++
			continue
		}
		time.Sleep(10 * time.Millisecond) // the others have been idle for a moment only
	}
	if err := servertest.Closed(known); err != nil || taken < 6 {
		t.Errorf("the one with a token: %v; %d others were taken", err, taken)
	}
}

// answered reports whether a request on the connection gets an answer.
func answered(s *servedExports, plain net.Conn) bool {
	conn := plain
	if s.way == overTLS {
		conn = tls.Client(plain, s.tls)
	}
	_, err := io.WriteString(conn, "GET /docs/LICENSE HTTP/1.1\r\nHost: gateway\r\n\r\n")
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	return err == nil
}

func TestANewConnectionIsClosedWhileAllOthersAreBeingAnswered(t *testing.T) {
	var provider sdkReader
	s := servePages(t, overHTTP1, httpserver.Options{Name: "api", MaxConnections: 2, MeterProvider: provider.provider()}, func(o *Options) { o.StallTimeout = time.Hour })
	end := s.unread(t, s.agent(t))
	s.unread(t, s.agent(t))
	third := servertest.Dial(t, s.address)
	defer third.Close() //nolint:errcheck // it was only read
	eventually(t, func() bool { return servertest.Closed(third) != nil })
	if text := provider.text(t); !strings.Contains(text, "scopegate.connections.closed") || !strings.Contains(text, "full") {
		t.Errorf("metrics: %s", text)
	}
	end()
	eventually(t, func() bool {
		conn := s.open(t, "GET /docs/LICENSE HTTP/1.1\nHost: gateway\nConnection: close\n\n")
		defer conn.Close() //nolint:errcheck // it is only read
		all, err := io.ReadAll(conn)
		return err == nil && strings.HasPrefix(string(all), "HTTP/1.1 200")
	})
}

func TestContentIsTheSameInPiecesAndInOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := content{head: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "head"), tail: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "tail")}
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			b.rows = append(b.rows, search.Row{JSON: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "row")})
		}
		var pieces strings.Builder
		if err := b.writeTo(&pieces); err != nil {
			t.Fatal(err)
		}
		if whole := string(b.joined()); whole != pieces.String() || len(whole) != b.size() {
			t.Fatalf("%q in one, %q in pieces, size %d", whole, pieces.String(), b.size())
		}
	})
}

// sdkReader reads what a meter provider of its own has counted.
type sdkReader struct{ reader *sdkmetric.ManualReader }

func (r *sdkReader) provider() *sdkmetric.MeterProvider {
	r.reader = sdkmetric.NewManualReader()
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
}

func (r *sdkReader) text(t *testing.T) string {
	t.Helper()
	return (&stage{metrics: r.reader}).metricText(t)
}
