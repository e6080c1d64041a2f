package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// three is a budget that does not refill while a test runs.
var three = limits.Rate{PerMinute: 1, Burst: 3}

// limited is a stage with these limits.
func limited(tb testing.TB, limits Limits, change ...func(*Options)) *stage {
	tb.Helper()
	return newStage(tb, append(change, func(o *Options) { o.Limits = limits })...)
}

func TestAnAccountSeesWhatIsLeftAndIsThenRefused(t *testing.T) {
	s := limited(t, Limits{Account: three})
	token := s.supervisor(t)
	for _, left := range []string{"2", "1", "0"} {
		r := s.get(t, "/api/v1/me", token)
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("RateLimit"), `"account";r=`+left+";t=") {
			t.Errorf("%d, RateLimit %q, want %s left", r.StatusCode, r.Header.Get("RateLimit"), left)
		}
		if got := r.Header.Get("RateLimit-Policy"); got != `"account";q=3;w=180` {
			t.Errorf("RateLimit-Policy %q", got)
		}
	}
	r := s.get(t, "/api/v1/sessions?limit=nonsense", token) // refused before it is decoded
	checkEveryHeader(t, r)
	p := r.problem(t, http.StatusTooManyRequests)
	if p.Error != "Too many requests. Please wait as long as Retry-After says." {
		t.Errorf("error = %q", p.Error)
	}
	if after, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || after < 1 || after > 60 {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	if !strings.HasPrefix(r.Header.Get("RateLimit"), `"account";r=0;t=1`) {
		t.Errorf("RateLimit %q", r.Header.Get("RateLimit"))
	}
	if r := s.get(t, "/api/v1/me", s.agent(t)); r.StatusCode != http.StatusOK {
		t.Errorf("another account of the company: %d", r.StatusCode)
	}
	if got := counterOf(t, s.metrics, "scopegate.limits.refused"); got != 1 {
		t.Errorf("refusals counted = %d, want 1", got)
	}
	if len(s.searcher.queries()) != 0 {
		t.Error("the searcher was asked")
	}
}

func TestARequestThatTheCompanyRefusesCostsTheAccountNothing(t *testing.T) {
	s := limited(t, Limits{Account: limits.Rate{PerMinute: 1, Burst: 5}, Company: three})
	for range 3 {
		s.get(t, "/api/v1/me", s.agent(t))
	}
	for range 3 {
		r := s.get(t, "/api/v1/me", s.supervisor(t))
		r.problem(t, http.StatusTooManyRequests)
		if got := r.Header.Get("RateLimit"); !strings.HasPrefix(got, `"account";r=5;t=0, "company";r=0;t=`) {
			t.Errorf("RateLimit %q, want the account's whole budget", got)
		}
	}
}

func TestEachLimitIsCountedFromTheStart(t *testing.T) {
	s := newStage(t)
	for _, limit := range []string{"address", "account", "company", "exports", "account_loads"} {
		if got := refusalsBy(t, s, limit); got != 0 {
			t.Errorf("%s: %d, want 0", limit, got)
		}
	}
}

// refusalsBy is how many requests a limit has refused; -1 if it is not counted.
func refusalsBy(tb testing.TB, s *stage, limit string) int64 {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := s.metrics.Collect(context.Background(), &all); err != nil {
		tb.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "scopegate.limits.refused" {
				continue
			}
			for _, point := range sum.DataPoints {
				if value, _ := point.Attributes.Value("limit"); value.AsString() == limit {
					return point.Value
				}
			}
		}
	}
	return -1
}

func TestTooManyLoadsAreA429WithRetryAfter(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(ctx context.Context, _ tenancy.Scope, _ search.Query) (search.Result, error) {
		loads := limits.NewLoads(2)
		if _, err := loads.Admit(ctx, 2); err != nil {
			return search.Result{}, err
		}
		if _, ok := loads.TryAdmit(ctx, 1); ok {
			return search.Result{}, errors.New("the context has no account")
		}
		return search.Result{}, fmt.Errorf("wrapped: %w", search.ErrTooManyLoads)
	}
	for i, path := range []string{"/api/v1/sessions", "/api/v1/sessions/s100"} {
		r := s.get(t, path, s.supervisor(t))
		p := r.problem(t, http.StatusTooManyRequests)
		if r.Header.Get("Retry-After") != "2" || !strings.Contains(p.Detail, "under way") {
			t.Errorf("%s: Retry-After %q, detail %q", path, r.Header.Get("Retry-After"), p.Detail)
		}
		if got := refusalsBy(t, s, "account_loads"); got != int64(i+1) {
			t.Errorf("refusals counted: %d", got)
		}
	}
}

func TestARefusedAccountTakesNothingFromItsCompany(t *testing.T) {
	s := limited(t, Limits{Account: three, Company: limits.Rate{PerMinute: 1, Burst: 5}})
	for range 10 {
		s.get(t, "/api/v1/me", s.supervisor(t))
	}
	for _, want := range []string{`"account";r=2;t=60, "company";r=1;t=`, `"account";r=1;t=120, "company";r=0;t=`} {
		if r := s.get(t, "/api/v1/me", s.agent(t)); r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("RateLimit"), want) {
			t.Errorf("%d, RateLimit %q, want %q", r.StatusCode, r.Header.Get("RateLimit"), want)
		}
	}
	s.get(t, "/api/v1/me", s.agent(t)).problem(t, http.StatusTooManyRequests)
	elsewhere := s.issuer.Token(t, tenancytest.Claims{Company: grantedCompany, Subject: "elsewhere"})
	if r := s.get(t, "/api/v1/me", elsewhere); r.StatusCode != http.StatusOK {
		t.Errorf("another company: %d", r.StatusCode)
	}
}

func TestAccountsAreTheirIssuersOwn(t *testing.T) {
	for _, pair := range [][2]tenancy.Account{
		{{Issuer: "a", Subject: "x"}, {Issuer: "b", Subject: "x"}},
		{{Issuer: "a", Subject: "bc"}, {Issuer: "ab", Subject: "c"}},
		{{Issuer: "a", Subject: "1 a"}, {Issuer: "a1 ", Subject: "a"}},
	} {
		if accountKey(pair[0]) == accountKey(pair[1]) {
			t.Errorf("%v and %v share a budget", pair[0], pair[1])
		}
	}
}

// limiterFunc is a Limiter with one answer.
type limiterFunc func(key string, cost int) limits.Decision

func (f limiterFunc) Allow(_ context.Context, key string, cost int, _ limits.Rate) limits.Decision {
	return f(key, cost)
}

// Refund implements Limiter.
func (limiterFunc) Refund(context.Context, string, int, limits.Rate) {}

func TestEveryRouteCosts(t *testing.T) {
	var (
		mu    sync.Mutex
		costs = map[string]int{}
	)
	s := limited(t, Limits{Account: three, Company: three}, func(o *Options) {
		o.Limiter = limiterFunc(func(key string, cost int) limits.Decision {
			mu.Lock()
			defer mu.Unlock()
			whose, _, _ := strings.Cut(key, " ")
			costs[whose] += cost
			return limits.Decision{Allowed: true}
		})
	})
	token := s.supervisor(t)
	for n, ask := range []func(){
		func() { s.get(t, "/api/v1/sessions", token) },
		func() { s.post(t, "/api/v1/sessions/search", token, "{}") },
		func() { s.get(t, "/api/v1/sessions/s100", token) },
		func() { s.get(t, "/api/v1/companies", token) },
		func() { s.do(t, http.MethodHead, "/api/v1/me", token, "") },
	} {
		ask()
		if want := map[string]int{"account": n + 1, "company": n + 1}; !cmp.Equal(costs, want) {
			t.Errorf("after request %d: %v, want %v", n+1, costs, want)
		}
	}
	s.get(t, "/docs", "")
	s.get(t, "/api/v1/me", "garbage")
	if costs["account"] != 5 {
		t.Error("a request without an account has cost one")
	}
}

func TestARouteMayCostMore(t *testing.T) {
	engine := newEngine()
	meters, err := newMeters(validOptions(t).MeterProvider)
	if err != nil {
		t.Fatal(err)
	}
	a := &api{limits: Limits{Account: limits.Rate{PerMinute: 1, Burst: 10}}, limiter: limits.NewProcess(10), meters: meters}
	engine.Use(newState, commonHeaders)
	engine.GET("/dear", a.handle(a.charge(7)), func(c *gin.Context) { c.Status(http.StatusOK) })
	var got []string
	for range 2 {
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/dear", nil))
		left, _, _ := strings.Cut(w.Header().Get("RateLimit"), ";t=")
		got = append(got, fmt.Sprint(w.Code, " ", left, " ", w.Header().Get("Retry-After")))
	}
	// Of the seven that the second one costs three are there.
	if diff := cmp.Diff([]string{`200 "account";r=3 `, `429 "account";r=3 240`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutLimitsNothingIsSaidOfThem(t *testing.T) {
	s := newStage(t)
	r := s.get(t, "/api/v1/me", s.supervisor(t))
	if r.Header.Get("RateLimit") != "" || r.Header.Get("RateLimit-Policy") != "" {
		t.Errorf("headers: %v", r.Header)
	}
}

// countingVerifier counts what reaches it.
type countingVerifier struct {
	TokenVerifier
	mu    sync.Mutex
	asked int
}

func (v *countingVerifier) Verify(ctx context.Context, token string) (tenancy.Principal, error) {
	v.mu.Lock()
	v.asked++
	v.mu.Unlock()
	return v.TokenVerifier.Verify(ctx, token)
}

func TestAnAddressThatGuessesIsRefusedBeforeItsTokensAreVerified(t *testing.T) {
	var verifier *countingVerifier
	s := limited(t, Limits{Address: three}, func(o *Options) {
		verifier = &countingVerifier{TokenVerifier: o.Verifier}
		o.Verifier = verifier
	})
	for range three.Burst {
		s.get(t, "/api/v1/me", "guess").problem(t, http.StatusUnauthorized)
	}
	for range 5 {
		r := s.get(t, "/api/v1/me", "guess")
		r.problem(t, http.StatusTooManyRequests)
		checkEveryHeader(t, r)
		if r.Header.Get("Retry-After") == "" || r.Header.Get("RateLimit-Policy") != `"address";q=3;w=180` {
			t.Errorf("headers: %v", r.Header)
		}
	}
	if verifier.asked != three.Burst {
		t.Errorf("%d tokens were verified, want %d", verifier.asked, three.Burst)
	}
	if text := s.logs.String() + s.spanText() + s.metricText(t); strings.Contains(text, "127.0.0.1") {
		t.Error("the address is recorded")
	}
}

func TestAnAuthenticatedRequestCostsItsAddressNothing(t *testing.T) {
	s := limited(t, Limits{Address: three})
	for range 10 * three.Burst {
		if r := s.get(t, "/api/v1/me", s.supervisor(t)); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
}

func TestAllThatNeedsNoTokenIsPaidByTheAddress(t *testing.T) {
	s := limited(t, Limits{Address: three})
	s.get(t, "/docs", "")
	s.get(t, "/nowhere", "")
	s.do(t, http.MethodDelete, "/api/v1/me", "", "")
	s.get(t, "/openapi.yaml", "").problem(t, http.StatusTooManyRequests)
	s.get(t, "/api/v1/me", s.supervisor(t)).problem(t, http.StatusTooManyRequests)
}

func TestAForwardedAddressCountsOnlyFromATrustedProxy(t *testing.T) {
	const header = "X-Forwarded-For"
	for _, tt := range []struct {
		name    string
		proxies []string
		header  string
		asks    []string // three that spend one budget
		other   string   // one that has another; "": none has
	}{
		{"no proxy is trusted", nil, header, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, ""},
		{"another is trusted", []string{"192.0.2.0/24"}, header, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, ""},
		{"this one is", []string{"127.0.0.1"}, header, []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, "192.0.2.2"},
		{"what the caller itself has written before it", []string{"127.0.0.0/8"}, header,
			[]string{"192.0.2.9, 192.0.2.1", "garbage, 192.0.2.1", "192.0.2.1"}, "192.0.2.1, 192.0.2.2"},
		{"two proxies", []string{"127.0.0.1", "192.0.2.200"}, header,
			[]string{"192.0.2.1, 192.0.2.200", "192.0.2.1", "192.0.2.9, 192.0.2.1, 192.0.2.200"}, "192.0.2.2, 192.0.2.200"},
		{"what is no address has a budget of its own", []string{"127.0.0.1"}, header, []string{"garbage", "unknown", "192.0.2.9, _hidden"}, "192.0.2.9"},
		{"a header that is empty is the proxy's own request", []string{"127.0.0.1"}, header, []string{"", ",", "127.0.0.1"}, "192.0.2.1"},
		{"a port is none of the address", []string{"127.0.0.1"}, header, []string{"192.0.2.1:50001", "192.0.2.1:50002", "192.0.2.1"}, "192.0.2.2:50001"},
		{"one network of IPv6", []string{"127.0.0.1"}, header, []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"}, "2001:db8:0:1::1"},
		{"the other header", []string{"127.0.0.1"}, "X-Real-IP", []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := limited(t, Limits{Address: three}, func(o *Options) { o.TrustedProxies = tt.proxies })
			for _, address := range tt.asks {
				s.get(t, "/nowhere", "", tt.header, address).problem(t, http.StatusNotFound)
			}
			s.get(t, "/nowhere", "", tt.header, tt.asks[0]).problem(t, http.StatusTooManyRequests)
			if tt.other == "" {
				s.get(t, "/nowhere", "", tt.header, "203.0.113.1").problem(t, http.StatusTooManyRequests)
				return
			}
			s.get(t, "/nowhere", "", tt.header, tt.other).problem(t, http.StatusNotFound)
		})
	}
}

func TestRequestsWhoseAddressCannotBeReadHaveABudgetApartFromAllAddresses(t *testing.T) {
	const header = "X-Forwarded-For"
	s := limited(t, Limits{Address: three}, func(o *Options) { o.TrustedProxies = []string{"127.0.0.1"} })
	for _, unreadable := range []string{"unknown", "_hidden", "unix:"} {
		s.get(t, "/nowhere", "", header, unreadable).problem(t, http.StatusNotFound)
	}
	s.get(t, "/nowhere", "", header, "garbage").problem(t, http.StatusTooManyRequests)
	s.get(t, "/nowhere", "", header, "192.0.2.1").problem(t, http.StatusNotFound)
	s.get(t, "/nowhere", "").problem(t, http.StatusNotFound) // the proxy itself
	if got := strings.Count(s.logs.String(), "a trusted proxy names no client address"); got != 1 {
		t.Errorf("the log tells of it %d times, want once", got)
	}
	if strings.Contains(s.logs.String(), "_hidden") {
		t.Error("what stood in the header is in the log")
	}
}

func TestACallerWhoseTokenIsRememberedIsServedWhateverItsAddressHasSpent(t *testing.T) {
	for name, headers := range map[string][]string{
		"its own address":            nil,
		"an address behind a proxy":  {"X-Forwarded-For", "192.0.2.1"},
		"an address that is unknown": {"X-Forwarded-For", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			var verifier *countingVerifier
			s := limited(t, Limits{Address: three, Account: limits.Rate{PerMinute: 1, Burst: 5}}, func(o *Options) {
				o.TrustedProxies = []string{"127.0.0.1"}
				verifier = &countingVerifier{TokenVerifier: o.Verifier}
				o.Verifier = verifier
			})
			known, unknown := s.supervisor(t), s.agent(t)
			get := func(path, token string) reply { return s.get(t, path, token, headers...) }
			if r := get("/api/v1/me", known); r.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			for range three.Burst {
				get("/api/v1/me", "guess").problem(t, http.StatusUnauthorized)
			}
			asked := verifier.asked
			for range 4 {
				if r := get("/api/v1/me", known); r.StatusCode != http.StatusOK {
					t.Errorf("%d %s", r.StatusCode, r.body)
				}
			}
			if r := get("/api/v1/me", known); !strings.HasPrefix(r.Header.Get("RateLimit"), `"account";r=0`) {
				t.Errorf("the account's own budget does not hold: %q", r.Header.Get("RateLimit"))
			} else {
				r.problem(t, http.StatusTooManyRequests)
			}
			// All others get one answer, whatever they send.
			for _, token := range []string{"", "guess", unknown, known + "x", known[:len(known)-1], "a.b.c"} {
				r := get("/api/v1/me", token)
				r.problem(t, http.StatusTooManyRequests)
				if got := r.Header.Get("RateLimit-Policy"); got != `"address";q=3;w=180` {
					t.Errorf("RateLimit-Policy %q", got)
				}
			}
			// What needs no token is paid by the address, with one too.
			for _, path := range []string{"/openapi.json", "/docs", "/nowhere", "/api/v1/nowhere"} {
				get(path, known).problem(t, http.StatusTooManyRequests)
			}
			s.do(t, http.MethodDelete, "/api/v1/me", known, "", headers...).problem(t, http.StatusTooManyRequests)
			if verifier.asked != asked {
				t.Errorf("%d tokens were verified although the budget was spent", verifier.asked-asked)
			}
		})
	}
}

func TestARememberedTokenThatIsNoLongerGoodIsLikeAnyOther(t *testing.T) {
	s := limited(t, Limits{Address: three}, func(o *Options) { o.Verifier = forgetful{o.Verifier} })
	token := s.supervisor(t)
	if r := s.get(t, "/api/v1/me", token); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for range three.Burst {
		s.get(t, "/nowhere", "").problem(t, http.StatusNotFound)
	}
	s.get(t, "/api/v1/me", token).problem(t, http.StatusTooManyRequests)
}

// forgetful remembers no token as good: all were revoked or have expired.
type forgetful struct{ TokenVerifier }

func (forgetful) Cached(string) (tenancy.Principal, bool) { return tenancy.Principal{}, false }

func TestAnAddressSpendsFromOneBudgetHoweverItIsWritten(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "192.0.2.1:4711": "192.0.2.1",
		"2001:db8::1": "2001:db8::/64", "2001:DB8:0:0:1::": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
		"": "unknown", "garbage": "unknown",
	} {
		if got := addressKey(parseNode(address)); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for after, want := range map[time.Duration]int{time.Nanosecond: 1, time.Second: 1, 1001 * time.Millisecond: 2} {
		if got := (&limitedError{after: after}).retryAfter(); got != want {
			t.Errorf("%s: %d, want %d", after, got, want)
		}
	}
}
