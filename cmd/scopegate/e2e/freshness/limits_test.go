package freshness_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// askUntilRefused asks the gateways in turn and returns how many requests were
// answered before one of them refused.
func askUntilRefused(t *testing.T, token string, gateways ...*harness.Gateway) int {
	t.Helper()
	for n := range 100 {
		switch r := gateways[n%len(gateways)].Get(t, "/api/v1/me", token); r.Status {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			if r.Header.Get("Retry-After") == "" || !strings.Contains(r.Header.Get("RateLimit"), "r=0") {
				t.Errorf("headers: %v", r.Header)
			}
			return n
		default:
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
	}
	t.Fatal("nothing was refused")
	return 0
}

func TestGatewaysThatShareARedisShareTheirLimits(t *testing.T) {
	address := strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://")
	dir := harness.SmallTree(t)
	settings := append(harness.RedisSettings(address), "redis.budget=1s", // a loaded machine's
		"limits.account.per_minute=1", "limits.account.burst=5", "limits.company.per_minute=1", "limits.company.burst=7")
	first := harness.Serve(t, dir, settings...)
	// Both trust the issuer of the first, so that an account is the same to both.
	trust := fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
		first.Issuer.URL(), first.Issuer.Options().JWKSURL, tenancytest.Audience)
	second := harness.Serve(t, dir, append(settings, trust)...)
	if got := askUntilRefused(t, first.Supervisor(t, 1), first, second); got != 5 {
		t.Errorf("%d requests of the account were answered by both, want 5", got)
	}
	colleague := first.Issuer.Token(t, tenancytest.Claims{Subject: "colleague", Company: 1})
	if got := askUntilRefused(t, colleague, second, first); got != 2 {
		t.Errorf("%d requests of the company's other account were answered, want the 2 that were left", got)
	}
}

func TestARedisThatIsDownLeavesEachGatewayItsOwnLimits(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t), append(harness.RedisSettings("127.0.0.1:1"), "limits.account.per_minute=1", "limits.account.burst=30")...)
	if got := askUntilRefused(t, g.Supervisor(t, 1), g); got != 30 {
		t.Errorf("%d requests were answered, want 30", got)
	}
	if !strings.Contains(g.Logs.String(), "this gateway counts rate limits by itself") {
		t.Error("the log does not tell")
	}
}

func TestALimitOf0IsNone(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t), "limits.account.per_minute=0", "limits.company.per_minute=0", "limits.address.per_minute=0")
	if r := g.Get(t, "/api/v1/me", g.Supervisor(t, 1)); r.Status != http.StatusOK || r.Header.Get("RateLimit") != "" {
		t.Errorf("status %d, RateLimit %q", r.Status, r.Header.Get("RateLimit"))
	}
}

func TestAGatewayThatTrustsItsProxyLimitsTheAddressesBehindIt(t *testing.T) {
	for header, clients := range map[string][2]string{
		"X-Forwarded-For": {"192.0.2.1:50001", "192.0.2.2:41822"}, // as Azure Application Gateway writes it
		"Forwarded":       {`for="192.0.2.1:50001";proto=https`, `for="[2001:db8::2]:41822"`},
		"X-Real-IP":       {"192.0.2.1", "192.0.2.2"},
	} {
		t.Run(header, func(t *testing.T) {
			g := harness.Serve(t, harness.SmallTree(t), "limits.address.per_minute=1", "limits.address.burst=2", "http.trusted_proxies=[127.0.0.1]", "http.forwarded_header="+header)
			for _, want := range []int{http.StatusUnauthorized, http.StatusUnauthorized, http.StatusTooManyRequests} {
				if r := g.Get(t, "/api/v1/me", "guess", header, clients[0]); r.Status != want {
					t.Errorf("status %d, want %d", r.Status, want)
				}
			}
			token := g.Supervisor(t, 1)
			if r := g.Get(t, "/api/v1/me", token, header, clients[1]); r.Status != http.StatusOK {
				t.Errorf("a supervisor at another address: status %d", r.Status)
			}
			if r := g.Get(t, "/api/v1/me", token, header, clients[0]); r.Status != http.StatusOK {
				t.Errorf("a supervisor who is known, at the spent address: status %d", r.Status)
			}
		})
	}
}

func TestOriginsAndLengthsAreSettings(t *testing.T) {
	const origin = "https://console.example.org"
	g := harness.Serve(t, harness.SmallTree(t), "http.cors_origins=["+origin+"]", "http.max_url=1KiB", "http.max_header=4KiB")
	token := g.Supervisor(t, 1)
	if r := g.Get(t, "/api/v1/me", token, "Origin", origin); r.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("headers: %v", r.Header)
	}
	for status, r := range map[int]harness.Reply{
		http.StatusRequestURITooLong:           g.Get(t, "/api/v1/sessions?keyword="+strings.Repeat("x", 1100), token),
		http.StatusRequestHeaderFieldsTooLarge: g.Get(t, "/api/v1/me", token, "X-Padding", strings.Repeat("x", 4100)),
	} {
		if r.Status != status || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %s, want a problem with %d", r.Status, r.Body, status)
		}
	}
}

func TestAnAccountThatFloodsASlowEngineIsRefusedAndAnotherIsNot(t *testing.T) {
	s := newFaultScene(t, 4, "limits.engine_loads=4")
	page := faultedQuestion{target: "/api/v1/sessions?limit=5&withoutCount=true"}
	polite := s.Issuer.Token(t, tenancytest.Claims{Subject: "polite", Company: 2})
	answer := make(chan struct{})
	answerAll := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(answerAll)
	s.cluster.begin(engineFault{name: "a late answer", send: func(w http.ResponseWriter, r *http.Request, a engineAnswer) {
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		sendAnswer(w, r, a)
	}}, 0)
	const flood = 40
	answers := make(chan harness.Reply, flood+1)
	ask := func(token, target string) {
		r, err := s.Exchange(t.Context(), http.MethodGet, s.URL+target, token, nil)
		if err != nil {
			t.Error(err)
		}
		answers <- r
	}
	for range flood {
		go ask(s.token, s.fresh(page))
	}
	refused := 0
	for range flood - 2 { // half of the limit is the share of one account
		r := <-answers
		if r.Status != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
			t.Errorf("an account that has its share: status %d, %v", r.Status, r.Header)
		}
		refused++
	}
	running := s.cluster.spoiltSoFar()
	go ask(polite, s.fresh(page))
	harness.Eventually(t, "the search of the other account runs", func() bool { return s.cluster.spoiltSoFar() > running })
	answerAll()
	for range flood + 1 - refused {
		if r := <-answers; r.Status != http.StatusOK || !strings.Contains(r.Header.Get("Server-Timing"), "queue;dur=") {
			t.Errorf("a search that was running: status %d, %v: %s", r.Status, r.Header, r.Body)
		}
	}
}
