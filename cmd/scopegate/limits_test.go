package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// askUntilRefused asks the gateways in turn and returns how many requests were
// answered before one of them refused.
func askUntilRefused(t *testing.T, token string, gateways ...*servedGateway) int {
	t.Helper()
	for n := range 100 {
		switch r := gateways[n%len(gateways)].get(t, "/api/v1/me", token); r.status {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			if r.header.Get("Retry-After") == "" || !strings.Contains(r.header.Get("RateLimit"), "r=0") {
				t.Errorf("headers: %v", r.header)
			}
			return n
		default:
			t.Fatalf("status %d: %s", r.status, r.body)
		}
	}
	t.Fatal("nothing was refused")
	return 0
}

func TestGatewaysThatShareARedisShareTheirLimits(t *testing.T) {
	address := strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://")
	dir := smallTree(t)
	settings := append(sharedTierSettings(address), "redis.budget=1s", // a loaded machine's
		"limits.account.per_minute=1", "limits.account.burst=5", "limits.company.per_minute=1", "limits.company.burst=7")
	first := serve(t, dir, settings...)
	// Both trust the issuer of the first, so that an account is the same to both.
	trust := fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
		first.issuer.URL(), first.issuer.Options().JWKSURL, tenancytest.Audience)
	second := serve(t, dir, append(settings, trust)...)
	if got := askUntilRefused(t, first.supervisor(t, 1), first, second); got != 5 {
		t.Errorf("%d requests of the account were answered by both, want 5", got)
	}
	colleague := first.issuer.Token(t, tenancytest.Claims{Subject: "colleague", Company: 1})
	if got := askUntilRefused(t, colleague, second, first); got != 2 {
		t.Errorf("%d requests of the company's other account were answered, want the 2 that were left", got)
	}
}

func TestARedisThatIsDownLeavesEachGatewayItsOwnLimits(t *testing.T) {
	g := serve(t, smallTree(t), append(sharedTierSettings("127.0.0.1:1"), "limits.account.per_minute=1", "limits.account.burst=30")...)
	if got := askUntilRefused(t, g.supervisor(t, 1), g); got != 30 {
		t.Errorf("%d requests were answered, want 30", got)
	}
	if !strings.Contains(g.logs.String(), "this gateway counts rate limits by itself") {
		t.Error("the log does not tell")
	}
}

func TestALimitOf0IsNone(t *testing.T) {
	g := serve(t, smallTree(t), "limits.account.per_minute=0", "limits.company.per_minute=0", "limits.address.per_minute=0")
	if r := g.get(t, "/api/v1/me", g.supervisor(t, 1)); r.status != http.StatusOK || r.header.Get("RateLimit") != "" {
		t.Errorf("status %d, RateLimit %q", r.status, r.header.Get("RateLimit"))
	}
}

func TestAGatewayToldOfItsProxyLimitsTheAddressesBehindIt(t *testing.T) {
	for header, clients := range map[string][2]string{
		"X-Forwarded-For": {"192.0.2.1:50001", "192.0.2.2:41822"}, // as Azure Application Gateway writes it
		"Forwarded":       {`for="192.0.2.1:50001";proto=https`, `for="[2001:db8::2]:41822"`},
		"X-Real-IP":       {"192.0.2.1", "192.0.2.2"},
	} {
		t.Run(header, func(t *testing.T) {
			g := serve(t, smallTree(t), "limits.address.per_minute=1", "limits.address.burst=2", "http.trusted_proxies=[127.0.0.1]", "http.forwarded_header="+header)
			for _, want := range []int{http.StatusUnauthorized, http.StatusUnauthorized, http.StatusTooManyRequests} {
				if r := g.get(t, "/api/v1/me", "guess", header, clients[0]); r.status != want {
					t.Errorf("status %d, want %d", r.status, want)
				}
			}
			token := g.supervisor(t, 1)
			if r := g.get(t, "/api/v1/me", token, header, clients[1]); r.status != http.StatusOK {
				t.Errorf("a supervisor at another address: status %d", r.status)
			}
			if r := g.get(t, "/api/v1/me", token, header, clients[0]); r.status != http.StatusOK {
				t.Errorf("a supervisor who is known, at the spent address: status %d", r.status)
			}
		})
	}
}

func TestOriginsAndLengthsAreSettings(t *testing.T) {
	const origin = "https://console.example.org"
	g := serve(t, smallTree(t), "http.cors_origins=["+origin+"]", "http.max_url=1KiB", "http.max_header=4KiB")
	token := g.supervisor(t, 1)
	if r := g.get(t, "/api/v1/me", token, "Origin", origin); r.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("headers: %v", r.header)
	}
	for status, r := range map[int]reply{
		http.StatusRequestURITooLong:           g.get(t, "/api/v1/sessions?keyword="+strings.Repeat("x", 1100), token),
		http.StatusRequestHeaderFieldsTooLarge: g.get(t, "/api/v1/me", token, "X-Padding", strings.Repeat("x", 4100)),
	} {
		if r.status != status || r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %s, want a problem with %d", r.status, r.body, status)
		}
	}
}
