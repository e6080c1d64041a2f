package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servedGateway is `scopegate serve` on free ports, trusting one issuer.
type servedGateway struct {
	url, admin string
	issuer     *tenancytest.Issuer
	client     *http.Client
	logs       *logBuffer
	stop       func() error // may be called once; else the test's end does
}

// logBuffer holds what a gateway writes to standard error.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// runner runs a command to its end, which comes soon after ctx is done.
type runner func(ctx context.Context, args []string, stderr io.Writer) error

func inProcess(ctx context.Context, args []string, stderr io.Writer) error {
	return run(ctx, args, nil, streams{in: strings.NewReader(""), out: io.Discard, err: stderr})
}

// serve starts a gateway over the data folder and returns when it listens.
func serve(t *testing.T, dir string, settings ...string) *servedGateway {
	t.Helper()
	return serveAt(t, folder(dir), settings...)
}

// serveAt starts a gateway over the place's data.
func serveAt(t *testing.T, at place, settings ...string) *servedGateway {
	t.Helper()
	return serveBy(t, inProcess, append(slices.Clone(at), settings...)...)
}

func serveBy(t *testing.T, run runner, settings ...string) *servedGateway {
	t.Helper()
	g := &servedGateway{issuer: tenancytest.NewIssuer(t), logs: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}}}
	logs, logWriter := io.Pipe()
	args := []string{
		"serve", "--listen", "127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0",
		"--set", "limits.account.per_minute=0", "--set", "limits.company.per_minute=0", // tests ask faster than people
		"--set", fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
			g.issuer.URL(), g.issuer.Options().JWKSURL, tenancytest.Audience),
	}
	for _, setting := range settings {
		args = append(args, "--set", setting)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, io.MultiWriter(g.logs, logWriter))
		_ = logWriter.CloseWithError(io.EOF) // always nil
		ended <- err
	}()
	g.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		g.client.CloseIdleConnections()
		return err
	})
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
	})
	g.awaitAddresses(t, logs)
	return g
}

// awaitAddresses reads the log up to the line that tells where it listens.
func (g *servedGateway) awaitAddresses(t *testing.T, logs io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct{ Msg, API, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			g.url, g.admin = line.API, line.Admin
			go func() { _, _ = io.Copy(io.Discard, logs) }() // until the writer is closed
			return
		}
	}
	t.Fatalf("the gateway did not start:\n%s", g.logs)
}

// awaitReady returns when the gateway has all that it needs, its issuers' keys
// too.
func (g *servedGateway) awaitReady(t *testing.T) {
	t.Helper()
	g.awaitReadiness(t, http.StatusOK)
}

// awaitStopping returns when a stop has begun.
func (g *servedGateway) awaitStopping(t *testing.T) {
	t.Helper()
	g.awaitReadiness(t, http.StatusServiceUnavailable)
}

func (g *servedGateway) awaitReadiness(t *testing.T, status int) {
	t.Helper()
	for g.send(t, http.MethodGet, g.admin+"/readyz", "", nil).status != status {
		time.Sleep(10 * time.Millisecond) // the test's own deadline bounds this
	}
}

// supervisor is a token of an account that supervises the company.
func (g *servedGateway) supervisor(t *testing.T, company tenancy.CompanyID) string {
	t.Helper()
	return g.issuer.Token(t, tenancytest.Claims{Subject: "supervisor", Company: company, Roles: []string{tenancy.DefaultSupervisorRole}})
}

// reply is an answer of the gateway, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte

	trailer http.Header
	from    *url.URL // where it was asked for
}

// page is the body of a search.
type page struct {
	Count int64             `json:"count"`
	Items []json.RawMessage `json:"items"`
}

func (r reply) page(t *testing.T) page {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	var p page
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return p
}

func (p page) ids(t *testing.T) []string {
	t.Helper()
	ids := make([]string, len(p.Items))
	for i, item := range p.Items {
		var session struct{ ID string }
		if err := json.Unmarshal(item, &session); err != nil {
			t.Fatal(err)
		}
		ids[i] = session.ID
	}
	return ids
}

// get asks with the target exactly as it is given: path and query.
func (g *servedGateway) get(t *testing.T, target, token string, headers ...string) reply {
	t.Helper()
	return g.send(t, http.MethodGet, g.url+target, token, nil, headers...)
}

func (g *servedGateway) post(t *testing.T, target, token string, body any) reply {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return g.send(t, http.MethodPost, g.url+target, token, bytes.NewReader(text), "Content-Type", "application/json")
}

func (g *servedGateway) send(t *testing.T, method, target, token string, body io.Reader, headers ...string) reply {
	t.Helper()
	r, err := g.exchange(t.Context(), method, target, token, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// begin asks in a goroutine of its own. Without an answer the reply's status is
// 0, and its body the reason.
func (g *servedGateway) begin(t *testing.T, target, token string, headers ...string) <-chan reply {
	t.Helper()
	answered := make(chan reply, 1)
	go func() {
		r, err := g.exchange(t.Context(), http.MethodGet, g.url+target, token, nil, headers...)
		if err != nil {
			r = reply{body: []byte(err.Error())}
		}
		answered <- r
	}()
	return answered
}

func (g *servedGateway) exchange(ctx context.Context, method, target, token string, body io.Reader, headers ...string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return reply{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := g.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, text, response.Trailer, request.URL}, err
}

// next is the target of the Link header, as the request target to ask for; "" at
// the end.
func (r reply) next() string {
	match := regexp.MustCompile(`^<([^>]*)>; rel="next"$`).FindStringSubmatch(r.header.Get("Link"))
	if match == nil {
		return ""
	}
	next, err := r.from.Parse(match[1])
	if err != nil {
		return ""
	}
	return next.RequestURI()
}

// importLines stores NDJSON lines in a data folder.
func importLines(t *testing.T, dir string, lines ...string) {
	t.Helper()
	importLinesInto(t, folder(dir), lines...)
}

// query writes parameters as a URL's query: name, value, name, value.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}
