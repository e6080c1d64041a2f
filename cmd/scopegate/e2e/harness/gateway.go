package harness

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

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// AwaitLine returns the first line of the gateway's log that holds the text.
func (g *Gateway) AwaitLine(t *testing.T, text string, meanwhile func()) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(g.Logs.String()) {
			if strings.Contains(line, text) {
				return line
			}
		}
		meanwhile()
	}
	t.Fatalf("no line says %q:\n%s", text, g.Logs)
	return ""
}

// Follow reads all pages by their Link headers.
func (g *Gateway) Follow(t *testing.T, target, token string) []string {
	t.Helper()
	var ids []string
	for pages := 0; target != ""; pages++ {
		if pages > 200 {
			t.Fatalf("more pages than there should be")
		}
		r := g.Get(t, target, token)
		ids = append(ids, r.Page(t).IDs(t)...)
		target = r.Next()
	}
	return ids
}

// Gateway is `scopegate serve` on free ports, trusting one issuer.
type Gateway struct {
	URL, Admin string
	Issuer     *tenancytest.Issuer
	Client     *http.Client
	Logs       *logBuffer
	Stop       func() error // may be called once; else the test's end does
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

// Runner runs a command to its end, which comes soon after ctx is done.
type Runner func(ctx context.Context, args []string, stderr io.Writer) error

func inProcess(ctx context.Context, args []string, stderr io.Writer) error {
	return cli.Run(ctx, args, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: stderr})
}

// Serve starts a gateway over the data folder and returns when it listens.
func Serve(t *testing.T, dir string, settings ...string) *Gateway {
	t.Helper()
	return ServeAt(t, Folder(dir), settings...)
}

// ServeAt starts a gateway over the place's data.
func ServeAt(t *testing.T, at Place, settings ...string) *Gateway {
	t.Helper()
	return ServeBy(t, inProcess, append(slices.Clone(at), settings...)...)
}

// ServeBy starts a gateway with the settings by the runner, and returns when it
// listens.
func ServeBy(t *testing.T, run Runner, settings ...string) *Gateway {
	t.Helper()
	g := &Gateway{Issuer: tenancytest.NewIssuer(t), Logs: &logBuffer{}, Client: &http.Client{Transport: &http.Transport{}}}
	logs, logWriter := io.Pipe()
	args := []string{
		"serve", "--set", "listen=127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0",
		// Tests ask faster than people, and more at a time than one account may of a busy engine.
		"--set", "limits.account.per_minute=0", "--set", "limits.company.per_minute=0", "--set", "limits.engine_loads=0",
		"--set", fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
			g.Issuer.URL(), g.Issuer.Options().JWKSURL, tenancytest.Audience),
	}
	for _, setting := range settings {
		args = append(args, "--set", setting)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, io.MultiWriter(g.Logs, logWriter))
		_ = logWriter.CloseWithError(io.EOF) // always nil
		ended <- err
	}()
	g.Stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		g.Client.CloseIdleConnections()
		return err
	})
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
	})
	g.awaitAddresses(t, logs)
	return g
}

// awaitAddresses reads the log up to the line that tells where it listens.
func (g *Gateway) awaitAddresses(t *testing.T, logs io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct{ Msg, API, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			g.URL, g.Admin = line.API, line.Admin
			go func() { _, _ = io.Copy(io.Discard, logs) }() // until the writer is closed
			return
		}
	}
	t.Fatalf("the gateway did not start:\n%s", g.Logs)
}

// AwaitReady returns when the gateway has all that it needs, its issuers' keys
// too.
func (g *Gateway) AwaitReady(t *testing.T) {
	t.Helper()
	g.awaitReadiness(t, http.StatusOK)
}

// AwaitStopping returns when a stop has begun.
func (g *Gateway) AwaitStopping(t *testing.T) {
	t.Helper()
	g.awaitReadiness(t, http.StatusServiceUnavailable)
}

func (g *Gateway) awaitReadiness(t *testing.T, status int) {
	t.Helper()
	for g.Send(t, http.MethodGet, g.Admin+"/readyz", "", nil).Status != status {
		time.Sleep(10 * time.Millisecond) // the test's own deadline bounds this
	}
}

// Supervisor is a token of an account that supervises the company.
func (g *Gateway) Supervisor(t *testing.T, company tenancy.CompanyID) string {
	t.Helper()
	return g.Issuer.Token(t, tenancytest.Claims{Subject: "supervisor", Company: company, Roles: []string{tenancytest.SupervisorRole}})
}

// Reply is an answer of the gateway, read whole.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte

	Trailer http.Header
	from    *url.URL // where it was asked for
}

// Page is the body of a search.
type Page struct {
	Count int64             `json:"count"`
	Items []json.RawMessage `json:"items"`
}

// Page decodes the body of a 200; any other status fails the test.
func (r Reply) Page(t *testing.T) Page {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	var p Page
	if err := json.Unmarshal(r.Body, &p); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	return p
}

// IDs are those of the page's sessions, in order.
func (p Page) IDs(t *testing.T) []string {
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

// Get asks with the target exactly as it is given: path and query.
func (g *Gateway) Get(t *testing.T, target, token string, headers ...string) Reply {
	t.Helper()
	return g.Send(t, http.MethodGet, g.URL+target, token, nil, headers...)
}

// Post sends the body as JSON.
func (g *Gateway) Post(t *testing.T, target, token string, body any) Reply {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return g.Send(t, http.MethodPost, g.URL+target, token, bytes.NewReader(text), "Content-Type", "application/json")
}

// Send sends a request to an absolute URL; no answer fails the test. Headers are
// name, value, name, value.
func (g *Gateway) Send(t *testing.T, method, target, token string, body io.Reader, headers ...string) Reply {
	t.Helper()
	r, err := g.Exchange(t.Context(), method, target, token, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Begin asks in a goroutine of its own. Without an answer the reply's status is
// 0, and its body the reason.
func (g *Gateway) Begin(t *testing.T, target, token string, headers ...string) <-chan Reply {
	t.Helper()
	answered := make(chan Reply, 1)
	go func() {
		r, err := g.Exchange(t.Context(), http.MethodGet, g.URL+target, token, nil, headers...)
		if err != nil {
			r = Reply{Body: []byte(err.Error())}
		}
		answered <- r
	}()
	return answered
}

// Exchange is Send for other goroutines than the test's.
func (g *Gateway) Exchange(ctx context.Context, method, target, token string, body io.Reader, headers ...string) (Reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return Reply{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := g.Client.Do(request)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return Reply{response.StatusCode, response.Header, text, response.Trailer, request.URL}, err
}

// Next is the target of the Link header, as the request target to ask for; "" at
// the end.
func (r Reply) Next() string {
	match := regexp.MustCompile(`^<([^>]*)>; rel="next"$`).FindStringSubmatch(r.Header.Get("Link"))
	if match == nil {
		return ""
	}
	next, err := r.from.Parse(match[1])
	if err != nil {
		return ""
	}
	return next.RequestURI()
}

// ImportLines stores NDJSON lines in a data folder.
func ImportLines(t *testing.T, dir string, lines ...string) {
	t.Helper()
	ImportLinesInto(t, Folder(dir), lines...)
}

// Query writes parameters as a URL's query: name, value, name, value.
func Query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

// Probe asks the admin listener for the path.
func (g *Gateway) Probe(t *testing.T, path string) Reply {
	t.Helper()
	return g.Send(t, http.MethodGet, g.Admin+path, "", nil)
}

// EveryTrace is each trace that the gateway remembers.
func EveryTrace(t *testing.T, g *Gateway) string {
	t.Helper()
	list := string(g.Send(t, http.MethodGet, g.Admin+"/debug/traces", "", nil).Body)
	ids := regexp.MustCompile(`[0-9a-f]{32}`).FindAllString(list, -1)
	slices.Sort(ids)
	var all strings.Builder
	all.WriteString(list)
	for _, id := range slices.Compact(ids) {
		all.Write(g.Send(t, http.MethodGet, g.Admin+"/debug/traces/"+id, "", nil).Body)
	}
	return all.String()
}

// CountOfAll is how many sessions a supervisor of company 1 finds.
func (g *Gateway) CountOfAll(t *testing.T) int64 {
	t.Helper()
	return g.Get(t, "/api/v1/sessions?showAllSupervised=true", g.Supervisor(t, 1)).Page(t).Count
}
