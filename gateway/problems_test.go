package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// verifierFunc is a TokenVerifier with one answer.
type verifierFunc func() (tenancy.Principal, error)

func (f verifierFunc) Verify(context.Context, string) (tenancy.Principal, error) { return f() }
func (verifierFunc) Cached(string) (tenancy.Principal, bool)                     { return tenancy.Principal{}, false }
func (verifierFunc) Revoked(tenancy.Principal) error                             { return nil }

func TestARequestWithoutGoodCredentialsIsRefused(t *testing.T) {
	s := newStage(t)
	expired := s.issuer.Token(t, tenancytest.Claims{Company: ownCompany, Expires: time.Now().Add(-time.Hour)})
	const realm = `Bearer realm="scopegate"`
	for _, tt := range []struct {
		name          string
		authorization []string
		error         string
		challenge     string
	}{
		{"none", nil, "A token is required. Send it in the header \"Authorization: Bearer <token>\".", realm},
		{"another scheme", []string{"Basic Zm9vOmJhcg=="}, "A token is required. Send it in the header \"Authorization: Bearer <token>\".", realm},
		{"expired", []string{"Bearer " + expired}, "Token is expired.", realm + `, error="invalid_token", error_description="Token is expired."`},
		{"garbage", []string{"Bearer garbage"}, "Token is invalid.", realm + `, error="invalid_token", error_description="Token is invalid."`},
		{"two headers", []string{"Bearer " + s.supervisor(t), "Bearer " + s.supervisor(t)}, "The credentials are malformed. Send one header \"Authorization: Bearer <token>\".", realm + `, error="invalid_request"`},
		{"no token", []string{"Bearer "}, "The credentials are malformed. Send one header \"Authorization: Bearer <token>\".", realm + `, error="invalid_request"`},
		{"two tokens", []string{"Bearer a b"}, "The credentials are malformed. Send one header \"Authorization: Bearer <token>\".", realm + `, error="invalid_request"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The query is wrong as well: who asks is settled first.
			r, err := http.NewRequest(http.MethodGet, s.url+"/api/v1/sessions?limit=nonsense", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["Authorization"] = tt.authorization
			response, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var body bytes.Buffer
			if _, err := body.ReadFrom(response.Body); err != nil {
				t.Fatal(err)
			}
			p := reply{response, body.Bytes()}.problem(t, http.StatusUnauthorized)
			if p.Error != tt.error || p.Detail != tt.error {
				t.Errorf("error = %q, detail = %q, want %q", p.Error, p.Detail, tt.error)
			}
			if got := response.Header.Values("WWW-Authenticate"); !cmp.Equal(got, []string{tt.challenge}) {
				t.Errorf("WWW-Authenticate = %q, want %q", got, tt.challenge)
			}
		})
	}
}

func TestTheSchemeOfTheTokenHasNoCase(t *testing.T) {
	s := newStage(t)
	if r := s.get(t, "/api/v1/me", "", "Authorization", "bEARER  "+s.supervisor(t)); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestAForeignCompanyIsRefusedLikeAMissingOne(t *testing.T) {
	s := newStage(t)
	anonymous := func(company tenancy.CompanyID) string {
		path := fmt.Sprintf("/api/v1/sessions?companyId=%d", company)
		p := s.get(t, path, s.supervisor(t), "X-Request-Id", "same").problem(t, http.StatusForbidden)
		p.TraceID = ""
		return fmt.Sprintf("%+v", p)
	}
	if diff := cmp.Diff(anonymous(foreignCompany), anonymous(missingCompany)); diff != "" {
		t.Errorf("the answers tell them apart: %s", diff)
	}
	if got := s.searcher.queries(); len(got) != 0 {
		t.Errorf("the searcher was asked: %v", got)
	}
}

func TestAForeignSessionIsMissing(t *testing.T) {
	s := newStage(t)
	anonymous := func(id string) string {
		p := s.get(t, "/api/v1/sessions/"+id, s.supervisor(t), "X-Request-Id", "same").problem(t, http.StatusNotFound)
		p.TraceID = ""
		return fmt.Sprintf("%+v", p)
	}
	if diff := cmp.Diff(anonymous("s103"), anonymous("nothing")); diff != "" {
		t.Errorf("the answers tell them apart: %s", diff)
	}
	if r := s.get(t, "/api/v1/sessions/s101", s.supervisor(t)); r.StatusCode != http.StatusOK {
		t.Errorf("a session of a company below: %d", r.StatusCode)
	}
	s.get(t, "/api/v1/sessions/s101", s.agent(t)).problem(t, http.StatusNotFound)
}

func TestAnAgentMayNotWidenTheScope(t *testing.T) {
	s := newStage(t)
	p := s.get(t, "/api/v1/sessions?showAllSupervised=true", s.agent(t)).problem(t, http.StatusForbidden)
	if !strings.Contains(p.Detail, "may not supervise") {
		t.Errorf("detail = %q", p.Detail)
	}
}

func TestAProblemNamesEveryFault(t *testing.T) {
	s := newStage(t)
	p := s.get(t, "/api/v1/sessions?limit=0&sort=nonsense&keywrod=x", s.supervisor(t)).problem(t, http.StatusBadRequest)
	var named []string
	for _, fault := range p.Details {
		named = append(named, fault.Parameter)
	}
	for _, want := range []string{"limit", "sort", "keywrod"} {
		if !strings.Contains(strings.Join(named, " "), want) || !strings.Contains(p.Error, want) {
			t.Errorf("%s is missing in %v, error %q", want, named, p.Error)
		}
	}
}

func TestAProblemIdentifiesItsRequest(t *testing.T) {
	s := newStage(t)
	r := s.get(t, "/api/v1/sessions?limit=0", s.supervisor(t), "X-Request-Id", "mine-1", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	p := r.problem(t, http.StatusBadRequest)
	want := problemBody{
		Type: "about:blank", Title: "Bad Request", Status: 400, Detail: p.Detail, Error: p.Detail, Details: p.Details,
		Instance: "/requests/mine-1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if got := r.Header.Get("Traceresponse"); !strings.HasPrefix(got, "00-4bf92f3577b34da6a3ce929d0e0e4736-") || strings.Contains(got, "00f067aa0ba902b7") {
		t.Errorf("traceresponse = %q", got)
	}
}

func TestAPageThatIsTooLargeNamesWhatMakesItSmaller(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{}, fmt.Errorf("engine text: %w", search.ErrPageTooLarge)
	}
	for target, want := range map[string][]string{
		"/api/v1/sessions?limit=1000":             {"limit", "fields"},
		"/api/v1/sessions?limit=1000&format=XLSX": {"limit", "fields"},
		"/api/v1/sessions?offset=50000":           {"limit", "fields"},
		"/api/v1/sessions?limit=1":                {"fields"},
		"/api/v1/sessions/s101":                   {"fields"},
	} {
		p := s.get(t, target, s.supervisor(t)).problem(t, http.StatusBadRequest)
		var named []string
		for _, fault := range p.Details {
			named = append(named, fault.Parameter)
		}
		if !cmp.Equal(named, want) || strings.Contains(p.Detail, "engine") {
			t.Errorf("%s: names %v, want %v: %s", target, named, want, p.Detail)
		}
	}
}

func TestErrorsOfTheSearcherBecomeProblemsWithoutTheirText(t *testing.T) {
	const secret = "engine text"
	wrap := func(err error) error { return fmt.Errorf("%s: %w", secret, err) }
	for _, tt := range []struct {
		name       string
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{"down", wrap(search.ErrUnavailable), 503, "search_unavailable", "2"},
		{"too slow", wrap(search.ErrTimeout), 504, "search_timeout", "2"},
		{"deadline", wrap(context.DeadlineExceeded), 504, "request_timeout", "2"},
		{"stopped, though the caller waits", wrap(context.Canceled), 503, "canceled", "1"},
		{"a row outside the scope", errors.Join(wrap(search.ErrForeignRow), search.ErrUnavailable), 500, "row_outside_scope", ""},
		{"anything else", errors.New(secret), 500, "internal", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
				return search.Result{Count: search.Count{Total: 987654321}}, tt.err
			}
			r := s.get(t, "/api/v1/sessions", s.supervisor(t))
			p := r.problem(t, tt.status)
			if got := r.Header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After = %q, want %q", got, tt.retryAfter)
			}
			if p.Details == nil || strings.Contains(string(r.body), secret) || strings.Contains(string(r.body), "987654321") {
				t.Errorf("body: %s", r.body)
			}
			for _, name := range []string{"Cache-Status", "ETag", "Link", "Age"} {
				if got := r.Header.Get(name); got != "" {
					t.Errorf("%s = %q on a problem", name, got)
				}
			}
			if logs := s.logs.String(); strings.Contains(logs, secret) || !strings.Contains(logs, `"error":"`+tt.code+`"`) {
				t.Errorf("logs: %s", logs)
			}
		})
	}
}

func TestIdentityThatCannotBeCheckedFailsClosed(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{tenancy.ErrKeysUnavailable, 503},
		{tenancy.ErrRevocationsUnavailable, 503},
		{errors.New("whatever"), 500},
	} {
		s := newStage(t, func(o *Options) {
			o.Verifier = verifierFunc(func() (tenancy.Principal, error) { return tenancy.Principal{}, tt.err })
		})
		r := s.get(t, "/api/v1/sessions", "token")
		r.problem(t, tt.status)
		if tt.status == 503 && r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

// staleDirectory has not been refreshed for too long.
type staleDirectory struct{ Directory }

func (staleDirectory) Resolve(tenancy.Principal, tenancy.Selection) (tenancy.Scope, error) {
	return tenancy.Scope{}, tenancy.ErrDirectoryStale
}

func (staleDirectory) Companies(tenancy.Principal) ([]tenancy.CompanyNode, error) {
	return nil, tenancy.ErrDirectoryStale
}

func (staleDirectory) Supervised(tenancy.Principal) (tenancy.Scope, error) {
	return tenancy.Scope{}, tenancy.ErrDirectoryStale
}

func TestAStaleDirectoryFailsClosed(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Directory = staleDirectory{} })
	for _, path := range []string{"/api/v1/sessions", "/api/v1/sessions/summary", "/api/v1/sessions/s100", "/api/v1/companies", "/api/v1/me"} {
		r := s.get(t, path, s.supervisor(t))
		r.problem(t, http.StatusServiceUnavailable)
		if r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
}

func TestARowOutsideTheScopeWithholdsTheWholeAnswer(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{Count: search.Count{Total: 2}, Page: search.Page{Rows: []search.Row{
			{CompanyID: ownCompany, JSON: []byte(`{"id":"mine"}`)},
			{CompanyID: foreignCompany, JSON: []byte(`{"id":"theirs"}`)},
		}}}, nil
	}
	for _, path := range []string{"/api/v1/sessions?fields=id", "/api/v1/sessions/theirs"} {
		r := s.get(t, path, s.supervisor(t))
		r.problem(t, http.StatusInternalServerError)
		if body := string(r.body); strings.Contains(body, "mine") || strings.Contains(body, "theirs") {
			t.Errorf("%s: body: %s", path, body)
		}
	}
	if got := counterOf(t, s.metrics, "scopegate.scope.violations"); got != 2 {
		t.Errorf("violations counted = %d, want 2", got)
	}
}

// counterOf sums a counter over all its labels; -1 if it is not there.
func counterOf(tb testing.TB, reader *sdkmetric.ManualReader, name string) int64 {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		tb.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				total := int64(0)
				for _, point := range sum.DataPoints {
					total += point.Value
				}
				return total
			}
		}
	}
	return -1
}

func TestTheViolationCounterIsThereBeforeAnyViolation(t *testing.T) {
	s := newStage(t)
	if got := counterOf(t, s.metrics, "scopegate.scope.violations"); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

func TestAnotherMethodIsRefusedWithThoseThatAreAllowed(t *testing.T) {
	s := newStage(t)
	for path, want := range map[string]string{
		"/api/v1/sessions":        "GET, HEAD",
		"/api/v1/sessions/search": "GET, HEAD, POST", // "search" may be a session's id
		"/api/v1/me":              "GET, HEAD",
	} {
		r := s.do(t, http.MethodDelete, path, s.supervisor(t), "")
		r.problem(t, http.StatusMethodNotAllowed)
		allowed := strings.Split(r.Header.Get("Allow"), ", ")
		for _, method := range strings.Split(want, ", ") {
			if !strings.Contains(strings.Join(allowed, " "), method) {
				t.Errorf("%s: Allow = %q, want %q", path, allowed, want)
			}
		}
	}
}

func TestABodyInAnotherCharsetIsRefusedByName(t *testing.T) {
	s := newStage(t)
	token := s.supervisor(t)
	for contentType, want := range map[string]string{
		"application/json; charset=latin1":                       `The body's charset "latin1" is not supported. JSON is UTF-8: send it so, with "Content-Type: application/json".`,
		`application/json; charset="utf-16le"`:                   `"utf-16le"`,
		"application/json; charset=x-utf-8":                      `"x-utf-8"`,
		"application/json; charset=utf-8; charset=windows-1251":  `"windows-1251"`,
		"application/json; charset=":                             `charset "" is`,
		"application/json; charset=\"<\u00fc>\"":                 `"<\u00fc>"`,
		"application/json; charset=" + strings.Repeat("x", 1000): `"` + strings.Repeat("x", 40) + `" is`,
		"application/jsonp; charset=latin1":                      "The body must be JSON.",
		"application/json, application/json":                     "The body must be JSON.",
		`application/json; charset="utf-8`:                       "The body must be JSON.",
		"charset=utf-8":                                          "The body must be JSON.",
		"application/json charset=utf-8":                         "The body must be JSON.",
		"application/merge-patch+json":                           "The body must be JSON.",
	} {
		for _, path := range []string{"/api/v1/sessions/search", "/api/v1/sessions/summary", "/api/v1/sessions/export"} {
			p := s.post(t, path, token, `{}`, "Content-Type", contentType).problem(t, http.StatusUnsupportedMediaType)
			if !strings.Contains(p.Error, want) || p.Error != p.Detail {
				t.Errorf("%s: %q, want %q", contentType, p.Error, want)
			}
		}
	}
}

func TestABodyMustBeShortJSON(t *testing.T) {
	s := newStage(t, func(o *Options) { o.MaxBodyBytes = 64 })
	token := s.supervisor(t)
	const path = "/api/v1/sessions/search"
	s.post(t, path, token, `{"keyword":"`+strings.Repeat("x", 64)+`"}`).problem(t, http.StatusRequestEntityTooLarge)
	s.post(t, path, token, `{}`, "Content-Type", "text/plain").problem(t, http.StatusUnsupportedMediaType)
	s.post(t, path, token, `{}`, "Content-Type", "application/json; charset=latin1").problem(t, http.StatusUnsupportedMediaType)
	s.post(t, path, token, `{}`, "Content-Encoding", "gzip").problem(t, http.StatusUnsupportedMediaType)
	s.post(t, path, token, `{`).problem(t, http.StatusBadRequest)
	for _, contentType := range []string{
		"application/json", "Application/JSON; Charset=UTF-8", "application/json;charset=utf8", `application/json; charset="utf-8"`, `application/json; charset="UTF\-8"`,
		"application/json;", "application/json ;; charset=utf-8 ;", `application/json; profile="a;charset=latin1"; odata.metadata=minimal`, "application/json; charset=utf-8; CHARSET=UTF8",
	} {
		if r := s.post(t, path, token, `{}`, "Content-Type", contentType); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", contentType, r.StatusCode, r.body)
		}
	}
}

func TestARequestThatTakesTooLongIsGivenUp(t *testing.T) {
	s := newStage(t, func(o *Options) { o.RequestTimeout = time.Millisecond })
	s.searcher.answer = func(ctx context.Context, _ tenancy.Scope, _ search.Query) (search.Result, error) {
		<-ctx.Done()
		return search.Result{}, ctx.Err()
	}
	s.get(t, "/api/v1/sessions", s.supervisor(t)).problem(t, http.StatusGatewayTimeout)
}

func TestAPlaceThatDoesNotFitTheOrderIsTheParametersFault(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{}, search.ErrInvalidPosition
	}
	p := s.get(t, "/api/v1/sessions?sort=id&offsetField=id&offsetValue=x", s.supervisor(t)).problem(t, http.StatusBadRequest)
	if len(p.Details) != 1 || p.Details[0].Parameter != "offsetValue" {
		t.Errorf("details = %v", p.Details)
	}
}

func TestACallerThatLeavesIsLoggedAndNoError(t *testing.T) {
	s := newStage(t)
	searching := make(chan struct{})
	s.searcher.answer = func(ctx context.Context, _ tenancy.Scope, _ search.Query) (search.Result, error) {
		close(searching)
		<-ctx.Done()
		return search.Result{}, ctx.Err()
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.supervisor(t))
	go func() { <-searching; cancel() }()
	if response, err := s.client.Do(r); err == nil {
		_ = response.Body.Close()
		t.Fatal("the request was answered")
	}
	line := s.waitForLine(t, "request")
	if line["status"] != float64(statusCallerGone) || line["error"] != "caller_gone" || line["level"] != "INFO" {
		t.Errorf("line = %v", line)
	}
}

// waitForLine waits for the first log line with the message.
func (s *stage) waitForLine(tb testing.TB, message string) map[string]any {
	tb.Helper()
	for range 500 {
		for _, line := range s.logLines(tb) {
			if line["msg"] == message {
				return line
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatalf("no line %q in %s", message, s.logs.String())
	return nil
}

func TestOptionsAreCheckedTogether(t *testing.T) {
	_, err := New(Options{RequestTimeout: -1, MaxURLBytes: -1, CORSOrigins: []string{"*"}, Limits: Limits{Account: limits.Rate{PerMinute: 1}}})
	for _, want := range []string{"Searcher", "Verifier", "Directory", "Logger", "TracerProvider", "MeterProvider", "RequestTimeout", "MaxURLBytes", "CORSOrigins", "limit Account"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	for name, change := range map[string]func(*Options){
		"at least one key": func(o *Options) { o.CursorKeys = nil },
		"has 5 bytes":      func(o *Options) { o.CursorKeys = [][]byte{[]byte("short")} },
		"trusted proxies":  func(o *Options) { o.TrustedProxies = []string{"nonsense"} },
		"must be X-Forwarded-For, Forwarded or X-Real-IP": func(o *Options) { o.ForwardedHeader = "X-Forwared-For" },
	} {
		o := validOptions(t)
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not say %q", err, name)
		}
	}
}

// validOptions are those of a stage.
func validOptions(tb testing.TB) Options {
	tb.Helper()
	var valid Options
	newStage(tb, func(o *Options) { valid = *o })
	return valid
}
