package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
	"github.com/scopegate/scopegate/gateway/telemetry"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Companies of the stage: 1 has 2 below it, which has 3; 10 is unrelated and
// granted to the supervisor; 20 is nobody's.
const (
	ownCompany     tenancy.CompanyID = 2
	belowCompany   tenancy.CompanyID = 3
	grantedCompany tenancy.CompanyID = 10
	foreignCompany tenancy.CompanyID = 20
	missingCompany tenancy.CompanyID = 4711
)

func stageRecords(issuer string) tenancy.Records {
	return tenancy.Records{
		Companies: []tenancy.Company{
			{ID: 1, Name: "Harbour Group"},
			{ID: ownCompany, Name: "Harbour North & Söhne", ParentID: 1},
			{ID: belowCompany, Name: "Harbour North Pier", ParentID: ownCompany},
			{ID: grantedCompany, Name: "Meadow"},
			{ID: foreignCompany, Name: "Quarry"},
		},
		Grants: []tenancy.Grant{{
			Account:   tenancy.Account{Issuer: issuer, Subject: tenancytest.Subject},
			CompanyID: grantedCompany,
		}},
	}
}

// stage is the public API behind a real listener, with a real verifier and a
// real directory, and a searcher in memory.
type stage struct {
	url      string
	client   *http.Client
	issuer   *tenancytest.Issuer
	source   *tenancytest.MemorySource
	searcher *memorySearcher
	logs     *servertest.Buffer
	spans    *tracetest.SpanRecorder
	metrics  *sdkmetric.ManualReader
}

// newStage starts the API; change may alter its options.
func newStage(tb testing.TB, change ...func(*Options)) *stage {
	tb.Helper()
	issuer := tenancytest.NewIssuer(tb)
	s := &stage{
		issuer:   issuer,
		source:   tenancytest.NewSource(stageRecords(issuer.URL())),
		searcher: &memorySearcher{sessions: stageSessions()},
		logs:     &servertest.Buffer{},
		spans:    tracetest.NewSpanRecorder(),
		metrics:  sdkmetric.NewManualReader(),
	}
	o := Options{
		Searcher:       s.searcher,
		Summarizer:     s.searcher,
		Verifier:       tenancytest.NewVerifier(tb, tenancy.VerifierOptions{Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: issuer.Client()}),
		Directory:      tenancytest.DirectoryOf(tb, s.source),
		CursorKeys:     [][]byte{bytes.Repeat([]byte{7}, 32)},
		Logger:         slog.New(telemetry.NewLogHandler(slog.NewJSONHandler(s.logs, nil))),
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.metrics)),
	}
	for _, f := range change {
		f(&o)
	}
	handler, err := New(o)
	if err != nil {
		tb.Fatalf("new gateway: %v", err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.NewJSONHandler(s.logs, nil), slog.LevelError)
	server.Start()
	tb.Cleanup(server.Close)
	s.url, s.client = server.URL, server.Client()
	return s
}

// supervisor is the token of one who sees 2, 3 and 10.
func (s *stage) supervisor(tb testing.TB) string {
	tb.Helper()
	return s.issuer.Token(tb, tenancytest.Claims{Company: ownCompany, Roles: []string{"supervisor"}})
}

// agent is the token of one who sees 2 alone.
func (s *stage) agent(tb testing.TB) string {
	tb.Helper()
	return s.issuer.Token(tb, tenancytest.Claims{Company: ownCompany, Subject: "agent"})
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body []byte
}

// get asks with a token ("" for none) and headers in pairs.
func (s *stage) get(tb testing.TB, path, token string, headers ...string) reply {
	tb.Helper()
	return s.do(tb, http.MethodGet, path, token, "", headers...)
}

// post sends JSON.
func (s *stage) post(tb testing.TB, path, token, body string, headers ...string) reply {
	tb.Helper()
	return s.do(tb, http.MethodPost, path, token, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func (s *stage) do(tb testing.TB, method, path, token, body string, headers ...string) reply {
	tb.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		tb.Fatalf("request: %v", err)
	}
	// Without this the transport would ask for gzip and hide it.
	r.Header.Set("Accept-Encoding", "identity")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.send(tb, r)
}

// send sends the request as it is.
func (s *stage) send(tb testing.TB, r *http.Request) reply {
	tb.Helper()
	response, err := s.client.Do(r)
	if err != nil {
		tb.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatalf("%s %s: read body: %v", r.Method, r.URL.Path, err)
	}
	return reply{response, got}
}

// problem decodes a problem, and fails unless it is one with this status.
func (r reply) problem(tb testing.TB, status int) problemBody {
	tb.Helper()
	if r.StatusCode != status {
		tb.Fatalf("status = %d, want %d; body: %s", r.StatusCode, status, r.body)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		tb.Fatalf("Content-Type = %q", got)
	}
	var p problemBody
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		tb.Fatalf("problem %s: %v", r.body, err)
	}
	return p
}

// logLines decodes what has been logged.
func (s *stage) logLines(tb testing.TB) []map[string]any {
	tb.Helper()
	var lines []map[string]any
	for line := range strings.Lines(s.logs.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			tb.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}

// session is one of the searcher's, in the order of -startedAt, +id.
type storedSession struct {
	id      string
	company tenancy.CompanyID
	started int64 // milliseconds since 1970
}

// stageSessions are eight of each company, mixed.
func stageSessions() []storedSession {
	var all []storedSession
	for i := range 32 {
		company := []tenancy.CompanyID{ownCompany, belowCompany, grantedCompany, foreignCompany}[i%4]
		all = append(all, storedSession{id: "s" + strconv.Itoa(100+i), company: company, started: int64(1_700_000_000_000 - i/2)})
	}
	return all
}

// memorySearcher answers from a list. Of the filters it knows the session id,
// of the orders the default one.
type memorySearcher struct {
	sessions []storedSession
	// answer, when set, answers in place of the list.
	answer func(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error)
	// serve, when set, says how parts came to be.
	count, page search.Provenance
	// summarize answers for summaries.
	summarize func(scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error)

	mu    sync.Mutex
	asked []search.Query
}

var _ search.Searcher = (*memorySearcher)(nil)

func (m *memorySearcher) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	m.mu.Lock()
	m.asked = append(m.asked, q)
	m.mu.Unlock()
	if m.answer != nil {
		return m.answer(ctx, scope, q)
	}
	var rows []search.Row
	skip := q.Offset
	for _, s := range m.sessions {
		if scope.Contains(s.company) && (q.Filter.SessionID == "" || q.Filter.SessionID == s.id) {
			rows = append(rows, s.row(q.Sort))
		}
	}
	result := search.Result{Count: search.Count{Total: int64(len(rows)), Provenance: m.count}}
	if q.WithoutItems {
		return result, nil
	}
	if q.After != nil {
		for i, row := range rows {
			if equalPositions(row.Position, *q.After) {
				skip = i + 1
			}
		}
	}
	rows = rows[min(skip, len(rows)):]
	more := len(rows) > q.Limit
	result.Page = search.Page{Rows: rows[:min(q.Limit, len(rows))], More: more, Provenance: m.page}
	return result, nil
}

func (m *memorySearcher) Summarize(_ context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	if m.summarize != nil {
		return m.summarize(scope, q)
	}
	return m.sum(scope, q), nil
}

func (m *memorySearcher) queries() []search.Query {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]search.Query(nil), m.asked...)
}

func (s storedSession) row(keys []search.SortKey) search.Row {
	row := search.Row{CompanyID: s.company, JSON: json.RawMessage(`{"id":"` + s.id + `"}`)}
	for _, key := range keys {
		value := json.RawMessage(`"` + s.id + `"`)
		if key.Field == "startedAt" {
			value = strconv.AppendInt(nil, s.started, 10)
		}
		row.Position.Values = append(row.Position.Values, value)
	}
	return row
}

func equalPositions(a, b search.Position) bool {
	if len(a.Values) != len(b.Values) {
		return false
	}
	for i := range a.Values {
		if !bytes.Equal(a.Values[i], b.Values[i]) {
			return false
		}
	}
	return true
}

// spanText is all that the ended spans hold.
func (s *stage) spanText() string {
	return fmt.Sprintf("%+v", tracetest.SpanStubsFromReadOnlySpans(s.spans.Ended()))
}

// metricText is all that the instruments hold.
func (s *stage) metricText(tb testing.TB) string {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := s.metrics.Collect(context.Background(), &all); err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
