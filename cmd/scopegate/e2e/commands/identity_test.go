package commands_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestAGatewayWithoutAnIssuersKeysIsAliveButNotReadyAndRecovers(t *testing.T) {
	up, down := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	down.Answer(http.NotFoundHandler())
	entry := func(i *tenancytest.Issuer) string {
		return fmt.Sprintf(`{"issuer": %q, "jwks_url": %q, "audiences": [%q], "companies": [1]}`, i.URL(), i.Options().JWKSURL, tenancytest.Audience)
	}
	g := harness.Serve(t, harness.SmallTree(t), "identity.issuers=["+entry(up)+","+entry(down)+"]")
	ask := func(i *tenancytest.Issuer, company tenancy.CompanyID) int {
		return g.Get(t, "/api/v1/sessions", i.Token(t, tenancytest.Claims{Company: company})).Status
	}
	harness.Within(t, harness.RevocationBound, "the issuer that is up is known", func() bool { return ask(up, 2) == http.StatusOK })
	if r := g.Probe(t, "/readyz"); r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), down.URL()) || strings.Contains(string(r.Body), up.URL()) {
		t.Errorf("readyz answers %d %s", r.Status, r.Body)
	}
	if r := g.Probe(t, "/livez"); r.Status != http.StatusOK {
		t.Errorf("livez answers %d", r.Status)
	}
	if status := ask(down, 2); status != http.StatusServiceUnavailable {
		t.Errorf("an account of the issuer that is down gets %d, want 503", status)
	}
	if status := ask(up, 9); status != http.StatusForbidden {
		t.Errorf("an account outside its issuer's subtree gets %d, want 403", status)
	}
	down.Answer(nil)
	harness.Within(t, 2*harness.RevocationBound, "the issuer that was down is known", func() bool { return g.Probe(t, "/readyz").Status == http.StatusOK })
	if status := ask(down, 2); status != http.StatusOK {
		t.Errorf("an account of the issuer that was down gets %d, want 200", status)
	}
}

func TestRevokedTokensAndAccountsAreRefusedAlsoAfterARestart(t *testing.T) {
	dir, file := harness.SmallTree(t), filepath.Join(t.TempDir(), "revocations.ndjson")
	settings := []string{"identity.revocations=" + file, "directory.refresh=50ms"}
	g := harness.Serve(t, dir, settings...)
	one := g.Issuer.Token(t, tenancytest.Claims{Subject: "one", Company: 2, Extra: map[string]any{"jti": "token-1"}})
	two := g.Issuer.Token(t, tenancytest.Claims{Subject: "two", Company: 2})
	status := func(token string) int { return g.Get(t, "/api/v1/sessions", token).Status }

	harness.Within(t, harness.RevocationBound, "without its file nobody is let in", func() bool { return status(one) == http.StatusServiceUnavailable })
	if r := g.Probe(t, "/readyz"); r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), "revocations") {
		t.Errorf("readyz answers %d %s", r.Status, r.Body)
	}
	harness.Rename(t, file, "")
	harness.Within(t, harness.RevocationBound, "with an empty file all are", func() bool { return status(one) == http.StatusOK && status(two) == http.StatusOK })

	harness.Rename(t, file, fmt.Sprintf("{\"jti\": \"token-1\", \"until\": %q}\n", time.Now().Add(time.Hour).Format(time.RFC3339)))
	harness.Within(t, harness.RevocationBound, "the token is refused", func() bool { return status(one) == http.StatusUnauthorized })
	if status(two) != http.StatusOK {
		t.Error("another token is refused too")
	}
	harness.Rename(t, file, fmt.Sprintf("{\"issuer\": %q, \"subject\": \"two\", \"before\": %q}\n", g.Issuer.URL(), time.Now().Add(time.Second).Format(time.RFC3339Nano)))
	harness.Within(t, harness.RevocationBound, "the account is refused", func() bool { return status(two) == http.StatusUnauthorized && status(one) == http.StatusOK })
	harness.Rename(t, file, "not a revocation\n")
	harness.Within(t, harness.RevocationBound, "the file that is broken is noticed", func() bool { return strings.Contains(g.Logs.String(), "revocations not refreshed") })
	if status(two) != http.StatusUnauthorized {
		t.Error("what is known did not stay in force")
	}
	if logs := g.Logs.String(); strings.Contains(logs, "token-1") {
		t.Errorf("the log tells whose token is revoked:\n%s", logs)
	}

	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	harness.Rename(t, file, "{\"jti\": \"token-1\"}\n")
	g = harness.Serve(t, dir, settings...) // of another issuer, which the revocation means too
	harness.Within(t, harness.RevocationBound, "the gateway is ready again", func() bool { return g.Probe(t, "/readyz").Status == http.StatusOK })
	one = g.Issuer.Token(t, tenancytest.Claims{Subject: "one", Company: 2, Extra: map[string]any{"jti": "token-1"}})
	if status(one) != http.StatusUnauthorized {
		t.Error("the token is good again after a restart")
	}
}

func TestFilesEmptiedInPlaceCountAfterMaxStaleOnly(t *testing.T) {
	dir := harness.SmallTree(t)
	revocations, companies := filepath.Join(t.TempDir(), "revocations.ndjson"), filepath.Join(t.TempDir(), "directory.ndjson")
	const tree = `{"type": "company", "doc": {"id": 2, "name": "Company 2"}}` + "\n"
	harness.Rename(t, revocations, "{\"jti\": \"token-1\"}\n")
	harness.Rename(t, companies, tree)
	g := harness.Serve(t, dir, "identity.revocations="+revocations, "directory.file="+companies, "directory.refresh=50ms", "directory.max_stale=4s")
	g.AwaitReady(t)
	revoked := g.Issuer.Token(t, tenancytest.Claims{Subject: "one", Company: 2, Extra: map[string]any{"jti": "token-1"}})
	good := g.Issuer.Token(t, tenancytest.Claims{Subject: "two", Company: 2})
	status := func(token string) int { return g.Get(t, "/api/v1/sessions", token).Status }
	logged := func(text string) func() bool {
		return func() bool { return strings.Contains(g.Logs.String(), text) }
	}
	emptied := time.Now()
	for _, path := range []string{revocations, companies} {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	harness.Within(t, harness.RevocationBound, "the revocations are missed", logged("revocations are gone"))
	if got := status(revoked); got != http.StatusUnauthorized && time.Since(emptied) < 4*time.Second {
		t.Errorf("before directory.max_stale the token gets %d", got)
	}
	harness.Within(t, harness.RevocationBound, "the directory is missed", logged("directory is empty all at once"))
	harness.Within(t, harness.RevocationBound, "the revocations are believed to be gone", func() bool { return status(revoked) != http.StatusUnauthorized })
	harness.Within(t, harness.RevocationBound, "the directory is believed to be empty", func() bool { return status(good) == http.StatusForbidden })
	if !strings.Contains(g.Logs.String(), `"reason":"company_unknown"`) {
		t.Error("the log does not tell why the account is refused")
	}
	harness.Rename(t, companies, tree)
	harness.Within(t, harness.RevocationBound, "the directory is back", func() bool { return status(good) == http.StatusOK })
}

// A company is lost in two ways; all that was handed out before forgets it too.
func TestACompanyMovedOrRemovedIsInvisibleWithinItsBound(t *testing.T) {
	for name, change := range map[string]string{
		"moved":   harness.CompanyLine(2, 9),
		"removed": `{"type": "company", "op": "delete", "doc": {"id": 2}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := harness.SmallTree(t)
			g := harness.Serve(t, dir, "cache.fresh=1m")
			token := g.Supervisor(t, 1)
			all := "/api/v1/sessions?showAllSupervised=true&fields=companyId&limit=2"
			before := g.Get(t, all, token)
			if count := before.Page(t).Count; count != 4 || before.Next() == "" {
				t.Fatalf("counts %d sessions, want 4 and a next page", count)
			}
			harness.ImportLines(t, dir, change)
			harness.Within(t, harness.RevocationBound, "company 2 is lost", func() bool { return g.Get(t, all, token).Page(t).Count == 2 })
			if r := g.Get(t, all, token, "If-None-Match", before.Header.Get("ETag")); r.Status != http.StatusOK {
				t.Errorf("the ETag from before answers %d, want 200", r.Status)
			}
			next := g.Get(t, before.Next(), token)
			if strings.Contains(string(next.Body), `"companyId":2`) || next.Page(t).Count != 2 {
				t.Errorf("the cursor from before answers %s", next.Body)
			}
			for target, want := range map[string]int{
				"/api/v1/sessions?companyId=2": http.StatusForbidden,
				"/api/v1/sessions/b":           http.StatusNotFound,
				"/api/v1/sessions/a":           http.StatusOK,
			} {
				if r := g.Get(t, target, token); r.Status != want {
					t.Errorf("%s answers %d, want %d", target, r.Status, want)
				}
			}
			if tree := g.Get(t, "/api/v1/companies", token); strings.Contains(string(tree.Body), "Company 2") {
				t.Errorf("the tree still has it: %s", tree.Body)
			}
			own := g.Get(t, "/api/v1/sessions", g.Issuer.Token(t, tenancytest.Claims{Subject: "agent", Company: 2})).Status
			if want := map[string]int{"moved": 200, "removed": 403}[name]; own != want {
				t.Errorf("an agent of company 2 gets %d, want %d", own, want)
			}
		})
	}
}
