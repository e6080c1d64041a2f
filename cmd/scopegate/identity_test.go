package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// soon asks until the answer is as wanted, or the contract's bound is over.
func soon(t *testing.T, what string, bound time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %s", what, bound)
		}
	}
}

func (g *servedGateway) probe(t *testing.T, path string) reply {
	t.Helper()
	return g.send(t, http.MethodGet, g.admin+path, "", nil)
}

func TestAGatewayWithoutAnIssuersKeysIsAliveButNotReadyAndRecovers(t *testing.T) {
	up, down := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	down.Answer(http.NotFoundHandler())
	entry := func(i *tenancytest.Issuer) string {
		return fmt.Sprintf(`{"issuer": %q, "jwks_url": %q, "audiences": [%q], "companies": [1]}`, i.URL(), i.Options().JWKSURL, tenancytest.Audience)
	}
	g := serve(t, smallTree(t), "identity.issuers=["+entry(up)+","+entry(down)+"]")
	ask := func(i *tenancytest.Issuer, company tenancy.CompanyID) int {
		return g.get(t, "/api/v1/sessions", i.Token(t, tenancytest.Claims{Company: company})).status
	}
	soon(t, "the issuer that is up is known", revocationBound, func() bool { return ask(up, 2) == http.StatusOK })
	if r := g.probe(t, "/readyz"); r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), down.URL()) || strings.Contains(string(r.body), up.URL()) {
		t.Errorf("readyz answers %d %s", r.status, r.body)
	}
	if r := g.probe(t, "/livez"); r.status != http.StatusOK {
		t.Errorf("livez answers %d", r.status)
	}
	if status := ask(down, 2); status != http.StatusServiceUnavailable {
		t.Errorf("an account of the issuer that is down gets %d, want 503", status)
	}
	if status := ask(up, 9); status != http.StatusForbidden {
		t.Errorf("an account outside its issuer's subtree gets %d, want 403", status)
	}
	down.Answer(nil)
	soon(t, "the issuer that was down is known", 2*revocationBound, func() bool { return g.probe(t, "/readyz").status == http.StatusOK })
	if status := ask(down, 2); status != http.StatusOK {
		t.Errorf("an account of the issuer that was down gets %d, want 200", status)
	}
}

// rename puts the text where a file is, whole or not at all.
func rename(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestRevokedTokensAndAccountsAreRefusedAlsoAfterARestart(t *testing.T) {
	dir, file := smallTree(t), filepath.Join(t.TempDir(), "revocations.ndjson")
	settings := []string{"identity.revocations=" + file, "directory.refresh=50ms"}
	g := serve(t, dir, settings...)
	one := g.issuer.Token(t, tenancytest.Claims{Subject: "one", Company: 2, Extra: map[string]any{"jti": "token-1"}})
	two := g.issuer.Token(t, tenancytest.Claims{Subject: "two", Company: 2})
	status := func(token string) int { return g.get(t, "/api/v1/sessions", token).status }

	soon(t, "without its file nobody is let in", revocationBound, func() bool { return status(one) == http.StatusServiceUnavailable })
	if r := g.probe(t, "/readyz"); r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "revocations") {
		t.Errorf("readyz answers %d %s", r.status, r.body)
	}
	rename(t, file, "")
	soon(t, "with an empty file all are", revocationBound, func() bool { return status(one) == http.StatusOK && status(two) == http.StatusOK })

	rename(t, file, fmt.Sprintf("{\"jti\": \"token-1\", \"until\": %q}\n", time.Now().Add(time.Hour).Format(time.RFC3339)))
	soon(t, "the token is refused", revocationBound, func() bool { return status(one) == http.StatusUnauthorized })
	if status(two) != http.StatusOK {
		t.Error("another token is refused too")
	}
	rename(t, file, fmt.Sprintf("{\"issuer\": %q, \"subject\": \"two\", \"before\": %q}\n", g.issuer.URL(), time.Now().Add(time.Second).Format(time.RFC3339Nano)))
	soon(t, "the account is refused", revocationBound, func() bool { return status(two) == http.StatusUnauthorized && status(one) == http.StatusOK })
	rename(t, file, "not a revocation\n")
	soon(t, "the file that is broken is noticed", revocationBound, func() bool { return strings.Contains(g.logs.String(), "revocations not refreshed") })
	if status(two) != http.StatusUnauthorized {
		t.Error("what is known did not stay in force")
	}
	if logs := g.logs.String(); strings.Contains(logs, "token-1") {
		t.Errorf("the log tells whose token is revoked:\n%s", logs)
	}

	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	rename(t, file, "{\"jti\": \"token-1\"}\n")
	g = serve(t, dir, settings...) // of another issuer, which the revocation means too
	soon(t, "the gateway is ready again", revocationBound, func() bool { return g.probe(t, "/readyz").status == http.StatusOK })
	one = g.issuer.Token(t, tenancytest.Claims{Subject: "one", Company: 2, Extra: map[string]any{"jti": "token-1"}})
	if status(one) != http.StatusUnauthorized {
		t.Error("the token is good again after a restart")
	}
}

func TestFilesEmptiedInPlaceCountAfterMaxStaleOnly(t *testing.T) {
	dir := smallTree(t)
	revocations, companies := filepath.Join(t.TempDir(), "revocations.ndjson"), filepath.Join(t.TempDir(), "directory.ndjson")
	const tree = `{"type": "company", "doc": {"id": 2, "name": "Company 2"}}` + "\n"
	rename(t, revocations, "{\"jti\": \"token-1\"}\n")
	rename(t, companies, tree)
	g := serve(t, dir, "identity.revocations="+revocations, "directory.file="+companies, "directory.refresh=50ms", "directory.max_stale=4s")
	g.awaitReady(t)
	revoked := g.issuer.Token(t, tenancytest.Claims{Subject: "one", Company: 2, Extra: map[string]any{"jti": "token-1"}})
	good := g.issuer.Token(t, tenancytest.Claims{Subject: "two", Company: 2})
	status := func(token string) int { return g.get(t, "/api/v1/sessions", token).status }
	logged := func(text string) func() bool {
		return func() bool { return strings.Contains(g.logs.String(), text) }
	}
	emptied := time.Now()
	for _, path := range []string{revocations, companies} {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	soon(t, "the revocations are missed", revocationBound, logged("revocations are gone"))
	if got := status(revoked); got != http.StatusUnauthorized && time.Since(emptied) < 4*time.Second {
		t.Errorf("before directory.max_stale the token gets %d", got)
	}
	soon(t, "the directory is missed", revocationBound, logged("directory is empty all at once"))
	soon(t, "the revocations are believed to be gone", revocationBound, func() bool { return status(revoked) != http.StatusUnauthorized })
	soon(t, "the directory is believed to be empty", revocationBound, func() bool { return status(good) == http.StatusForbidden })
	if !strings.Contains(g.logs.String(), `"reason":"company_unknown"`) {
		t.Error("the log does not tell why the account is refused")
	}
	rename(t, companies, tree)
	soon(t, "the directory is back", revocationBound, func() bool { return status(good) == http.StatusOK })
}

// A company is lost in two ways; all that was handed out before forgets it too.
func TestACompanyMovedOrRemovedIsInvisibleWithinItsBound(t *testing.T) {
	for name, change := range map[string]string{
		"moved":   companyLine(2, 9),
		"removed": `{"type": "company", "op": "delete", "doc": {"id": 2}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallTree(t)
			g := serve(t, dir, "cache.fresh=1m")
			token := g.supervisor(t, 1)
			all := "/api/v1/sessions?showAllSupervised=true&fields=companyId&limit=2"
			before := g.get(t, all, token)
			if count := before.page(t).Count; count != 4 || before.next() == "" {
				t.Fatalf("counts %d sessions, want 4 and a next page", count)
			}
			importLines(t, dir, change)
			soon(t, "company 2 is lost", revocationBound, func() bool { return g.get(t, all, token).page(t).Count == 2 })
			if r := g.get(t, all, token, "If-None-Match", before.header.Get("ETag")); r.status != http.StatusOK {
				t.Errorf("the ETag from before answers %d, want 200", r.status)
			}
			next := g.get(t, before.next(), token)
			if strings.Contains(string(next.body), `"companyId":2`) || next.page(t).Count != 2 {
				t.Errorf("the cursor from before answers %s", next.body)
			}
			for target, want := range map[string]int{
				"/api/v1/sessions?companyId=2": http.StatusForbidden,
				"/api/v1/sessions/b":           http.StatusNotFound,
				"/api/v1/sessions/a":           http.StatusOK,
			} {
				if r := g.get(t, target, token); r.status != want {
					t.Errorf("%s answers %d, want %d", target, r.status, want)
				}
			}
			if tree := g.get(t, "/api/v1/companies", token); strings.Contains(string(tree.body), "Company 2") {
				t.Errorf("the tree still has it: %s", tree.body)
			}
			own := g.get(t, "/api/v1/sessions", g.issuer.Token(t, tenancytest.Claims{Subject: "agent", Company: 2})).status
			if want := map[string]int{"moved": 200, "removed": 403}[name]; own != want {
				t.Errorf("an agent of company 2 gets %d, want %d", own, want)
			}
		})
	}
}
