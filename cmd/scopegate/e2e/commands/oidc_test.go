package commands_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// oidcProvider is a certified OpenID provider in a process of its own
// (deploy/services/oidc-provider).
type oidcProvider struct {
	Issuer string `json:"issuer"`

	secret string
	client *http.Client
}

// startOIDCProvider starts one that ends with the test.
func startOIDCProvider(t *testing.T) *oidcProvider {
	t.Helper()
	const variable = "SCOPEGATE_TEST_OIDC_PROVIDER"
	script := os.Getenv(variable)
	if script == "" {
		if os.Getenv(harness.RequireServices) != "" {
			t.Fatalf("%s is not set: run by deploy/services/with", variable)
		}
		t.Skipf("needs an OpenID provider: run by deploy/services/with, which sets %s", variable)
	}
	p := &oidcProvider{secret: "secret-of-the-test", client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	node := exec.CommandContext(t.Context(), "node", script) // #nosec G204 -- the services' own
	node.Env = append(os.Environ(), "CLIENT_SECRET="+p.secret)
	node.WaitDelay = 10 * time.Second
	input, err := node.StdinPipe() // whose end ends it
	if err != nil {
		t.Fatal(err)
	}
	output, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = node.Wait() // the test's context has killed it already
	})
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, p) != nil {
		t.Fatalf("the provider said %q and %v", line, err)
	}
	return p
}

// setting is identity.issuers for this provider alone, by its own metadata.
func (p *oidcProvider) setting(t *testing.T) string {
	t.Helper()
	var metadata struct {
		JWKSURL string `json:"jwks_uri"`
	}
	p.do(t, http.MethodGet, "/.well-known/openid-configuration", "", nil, &metadata)
	return fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": ["scopegate"]}]`, p.Issuer, metadata.JWKSURL)
}

// token is an access token for a client, for the resource, "" for none.
func (p *oidcProvider) token(t *testing.T, client, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if resource != "" {
		form.Set("resource", resource)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	p.do(t, http.MethodPost, "/token", client, form, &answer)
	return answer.AccessToken
}

func (p *oidcProvider) do(t *testing.T, method, path, client string, form url.Values, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if client != "" {
		request.SetBasicAuth(client, p.secret)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s answers %d, %v: %s", method, path, response.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatal(err)
	}
}

func TestTheLogSaysWhyATokenOfARealProviderIsRefused(t *testing.T) {
	const ours = "https://scopegate.example"
	p := startOIDCProvider(t)
	g := harness.Serve(t, harness.SmallTree(t), p.setting(t))
	g.AwaitReady(t)
	if r := g.Get(t, "/api/v1/sessions", p.token(t, "good", ours)); r.Status != http.StatusOK {
		t.Fatalf("a good token gets %d %s\n%s", r.Status, r.Body, g.Logs)
	}
	signed, other := p.token(t, "good", ours), p.token(t, "text", ours)
	forged := signed[:strings.LastIndex(signed, ".")] + other[strings.LastIndex(other, "."):]
	for name, c := range map[string]struct{ token, reason, claim string }{
		"of another audience":       {p.token(t, "good", "https://other.example"), "audience", ""},
		"of another audience alone": {p.token(t, "none", "https://other.example"), "audience", ""},
		"with a company as text":    {p.token(t, "text", ours), "claim", "company_id"},
		"without a company":         {p.token(t, "none", ours), "claim", "company_id"},
		"that is opaque":            {p.token(t, "good", ""), "malformed", ""},
		"of another signature":      {forged, "signature", ""},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			r := g.Get(t, "/api/v1/sessions", c.token, "X-Request-Id", id)
			if r.Status != http.StatusUnauthorized || !strings.Contains(string(r.Body), `"Token is invalid."`) {
				t.Errorf("answers %d %s", r.Status, r.Body)
			}
			want := fmt.Sprintf(`"error":"token_invalid","reason":%q`, c.reason)
			if c.claim != "" {
				want += fmt.Sprintf(`,"claim":%q`, c.claim)
			}
			var line string
			harness.Within(t, harness.RevocationBound, "the line is written", func() bool {
				for text := range strings.Lines(g.Logs.String()) {
					if strings.Contains(text, fmt.Sprintf(`"request_id":%q`, id)) {
						line = text
					}
				}
				return line != ""
			})
			if !strings.Contains(line, want) {
				t.Errorf("the line is %s, want %s", line, want)
			}
			if strings.Contains(g.Logs.String(), c.token) {
				t.Error("the log holds the token")
			}
		})
	}
	metrics := string(g.Send(t, http.MethodGet, g.Admin+"/metrics", "", nil).Body)
	for _, want := range []string{`reason="audience"} 2`, `reason="claim"} 2`, `reason="issuer"} 0`, `reason="revoked"} 0`} {
		if !strings.Contains(metrics, "scopegate_auth_refused_total{"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestATokenWhoseIssuerHasASlashMoreIsRefusedForItsIssuer(t *testing.T) {
	p := startOIDCProvider(t)
	g := harness.Serve(t, harness.SmallTree(t), strings.Replace(p.setting(t), p.Issuer+`"`, p.Issuer+`/"`, 1))
	g.AwaitReady(t)
	g.Get(t, "/api/v1/sessions", p.token(t, "good", "https://scopegate.example"))
	harness.Within(t, harness.RevocationBound, "the reason is in the log", func() bool { return strings.Contains(g.Logs.String(), `"reason":"issuer"`) })
}
