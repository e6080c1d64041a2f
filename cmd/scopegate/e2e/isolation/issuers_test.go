package isolation_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// issuerSetting is an entry of the setting identity.issuers; companies is a
// JSON list.
func issuerSetting(i *tenancytest.Issuer, companies string) string {
	return fmt.Sprintf(`{"issuer": %q, "jwks_url": %q, "audiences": [%q], "companies": %s}`,
		i.URL(), i.Options().JWKSURL, tenancytest.Audience, companies)
}

// tokenOf is a token of the one supervisor that there is, signed by the issuer
// under the name.
func tokenOf(t *testing.T, i *tenancytest.Issuer, company tenancy.CompanyID, name string) string {
	t.Helper()
	return i.Token(t, tenancytest.Claims{
		Subject: "supervisor", Company: company, Roles: []string{tenancytest.SupervisorRole}, Extra: map[string]any{"iss": name},
	})
}

func grantLine(i *tenancytest.Issuer, company tenancy.CompanyID) string {
	return fmt.Sprintf(`{"type": "grant", "doc": {"issuer": %q, "subject": "supervisor", "companyId": %d}}`, i.URL(), company)
}

// Each speaks for companies of its own, and has grants for those of the other.
func TestSeveralIssuersSpeakForTheirOwnCompaniesOnly(t *testing.T) {
	north, south := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	dir := harness.SmallTree(t)
	harness.ImportLines(t, dir, harness.CompanyLine(4, 2), harness.SessionLine("e", 4, ""),
		grantLine(north, 3), grantLine(north, 9), grantLine(south, 1), grantLine(south, 2), grantLine(south, 9))
	g := harness.Serve(t, dir, "identity.issuers=["+issuerSetting(north, "[2]")+","+issuerSetting(south, "[3, 9]")+"]")
	g.AwaitReady(t) // it has the keys of both
	stranger := g.Issuer

	const all = "/api/v1/sessions?showAllSupervised=true"
	for name, test := range map[string]struct {
		token  string
		target string
		status int
		count  int64
	}{
		"its own subtree, without the grants outside": {tokenOf(t, north, 2, north.URL()), all, http.StatusOK, 3},
		"below the root of its subtree":               {tokenOf(t, north, 4, north.URL()), all, http.StatusOK, 1},
		"two subtrees, of which one is granted":       {tokenOf(t, south, 3, south.URL()), all, http.StatusOK, 2},
		"a grant above, cut down to its subtrees":     {tokenOf(t, south, 9, south.URL()), all, http.StatusOK, 2},

		"a company of the other's, claimed":            {tokenOf(t, north, 9, north.URL()), all, http.StatusForbidden, 0},
		"a company of the other's, claimed, by itself": {tokenOf(t, south, 4, south.URL()), "/api/v1/sessions", http.StatusForbidden, 0},
		"a company of the other's, asked for":          {tokenOf(t, north, 2, north.URL()), all + "&companyId=9", http.StatusForbidden, 0},
		"a company of the other's beside one's own":    {tokenOf(t, north, 2, north.URL()), "/api/v1/sessions?companyIds=4,3", http.StatusForbidden, 0},
		"the company above both, claimed":              {tokenOf(t, north, 1, north.URL()), all, http.StatusForbidden, 0},
		"the company above both, granted":              {tokenOf(t, south, 3, south.URL()), all + "&companyId=1", http.StatusForbidden, 0},

		"one's name on the other's key":  {tokenOf(t, south, 2, north.URL()), all, http.StatusUnauthorized, 0},
		"the same the other way round":   {tokenOf(t, north, 9, south.URL()), all, http.StatusUnauthorized, 0},
		"an unknown issuer":              {tokenOf(t, stranger, 2, stranger.URL()), all, http.StatusUnauthorized, 0},
		"an unknown name on a known key": {tokenOf(t, north, 2, stranger.URL()), all, http.StatusUnauthorized, 0},
		"a known name on an unknown key": {tokenOf(t, stranger, 2, north.URL()), all, http.StatusUnauthorized, 0},
		"no name on a known key":         {tokenOf(t, north, 2, ""), all, http.StatusUnauthorized, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := g.Get(t, test.target, test.token)
			if r.Status != test.status {
				t.Fatalf("status %d, want %d: %s", r.Status, test.status, r.Body)
			}
			if test.status == http.StatusOK && r.Page(t).Count != test.count {
				t.Errorf("counts %d sessions, want %d", r.Page(t).Count, test.count)
			}
		})
	}
}
