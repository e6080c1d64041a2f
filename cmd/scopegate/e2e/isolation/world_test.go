package isolation_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// world is a gateway over companies of which no account may see all, and the
// accounts.
type world struct {
	*harness.Gateway

	north   *tenancytest.Issuer
	model   *tenants
	callers []caller
}

// worldParents are four trees:
//
//	1 ─┬─ 2 ─┬─ 4 ── 7     10 ─┬─ 11     20     30 ── 31
//	   │     └─ 5              └─ 12
//	   └─ 3 ── 6
//
// Nobody may see the last one. Companies 98 and 99 have sessions and are in no
// directory; 777 is nowhere.
func worldParents() map[tenancy.CompanyID]tenancy.CompanyID {
	return map[tenancy.CompanyID]tenancy.CompanyID{1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3, 7: 4, 10: 0, 11: 10, 12: 10, 20: 0, 30: 0, 31: 30}
}

// newWorld stores it and starts a gateway that trusts two issuers: north speaks
// for all, south for the subtrees of 2 and 10.
func newWorld(t *testing.T, at harness.Place, settings ...string) *world {
	t.Helper()
	north, south := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	w := &world{north: north, model: &tenants{parent: worldParents(), grants: map[tenancy.Grant]bool{}}}
	for _, company := range append(w.model.which(func(tenancy.CompanyID) bool { return true }), 98, 99) {
		for n := range 2 + int(company)%4 {
			w.model.sessions = append(w.model.sessions, newCanarySession(company, n))
		}
	}
	w.addCallers(t, north, south)
	harness.ImportLinesInto(t, at, w.model.lines()...)
	w.Gateway = harness.ServeAt(t, at, append(settings, "limits.address.per_minute=0", "exports.at_once=100", "exports.per_account=100",
		"identity.issuers=["+issuerSetting(north, "[1, 10, 20, 30]")+","+issuerSetting(south, "[2, 10]")+"]")...)
	w.AwaitReady(t)
	w.addStrangers(t, north)
	return w
}

// addCallers makes an account of each kind, and its grants.
func (w *world) addCallers(t *testing.T, north, south *tenancytest.Issuer) {
	t.Helper()
	supervisor := []string{tenancytest.SupervisorRole}
	for _, a := range []struct {
		issuer  *tenancytest.Issuer
		company tenancy.CompanyID
		roles   []string
		grants  []tenancy.CompanyID
	}{
		{north, 1, supervisor, nil}, // of a root
		{north, 2, supervisor, nil}, // of a branch
		{north, 3, supervisor, nil},
		{north, 7, supervisor, nil}, // of a leaf
		{north, 10, supervisor, nil},
		{north, 20, supervisor, nil}, // of a root that is a leaf
		{north, 2, nil, nil},
		{north, 7, []string{"agent"}, nil},
		{north, 10, []string{"Supervisor", "supervisors", "admin"}, nil},
		{north, 20, nil, nil},
		{north, 7, supervisor, []tenancy.CompanyID{11, 3}},
		{north, 20, supervisor, []tenancy.CompanyID{10}},
		{north, 4, supervisor, []tenancy.CompanyID{1}},     // above its own
		{north, 2, supervisor, []tenancy.CompanyID{4, 98}}, // below its own, and one that is not there
		{north, 5, []string{"agent"}, []tenancy.CompanyID{10}},
		{north, 99, supervisor, []tenancy.CompanyID{1}}, // of a company that is in no directory
		{north, 99, nil, nil},
		{south, 2, supervisor, []tenancy.CompanyID{3}},  // outside what its issuer speaks for
		{south, 4, supervisor, []tenancy.CompanyID{10}}, // inside
		{south, 5, supervisor, []tenancy.CompanyID{1}},  // above
		{south, 1, supervisor, nil},
		{south, 12, nil, nil},
		{south, 3, nil, nil},
		{south, 4, supervisor, nil},
	} {
		c := caller{issuer: a.issuer.URL(), company: a.company, roles: a.roles, subject: fmt.Sprintf("account-%d", len(w.callers))}
		if a.issuer == south {
			c.bounds = []tenancy.CompanyID{2, 10}
		}
		if a.issuer == south && a.company == 4 && len(a.grants) == 0 {
			c.subject = "account-10" // as the one of north that has grants for 11 and 3
		}
		c.name = fmt.Sprintf("%s of %d, granted %v, %v", c.subject, c.company, a.grants, c.roles)
		c.token = a.issuer.Token(t, tenancytest.Claims{Subject: c.subject, Company: c.company, Roles: c.roles})
		for _, granted := range a.grants {
			w.model.grants[tenancy.Grant{Account: tenancy.Account{Issuer: c.issuer, Subject: c.subject}, CompanyID: granted}] = true
		}
		w.callers = append(w.callers, c)
	}
}

// addStrangers makes callers whose tokens are no good.
func (w *world) addStrangers(t *testing.T, north *tenancytest.Issuer) {
	t.Helper()
	claims := tenancytest.Claims{Subject: "account-0", Company: 1, Roles: []string{tenancytest.SupervisorRole}}
	expired := claims
	expired.Expires = time.Now().Add(-time.Hour)
	forged := claims
	forged.Extra = map[string]any{"iss": north.URL()}
	w.callers = append(w.callers,
		caller{name: "nobody", refused: saysMissing},
		caller{name: "one whose token is expired", token: north.Token(t, expired), refused: saysExpired},
		caller{name: "one whose token is forged", token: w.Issuer.Token(t, forged), refused: saysInvalid},
		caller{name: "one of an unknown issuer", token: w.Issuer.Token(t, claims), refused: saysInvalid},
	)
}

// lines are what an import makes of it.
func (m *tenants) lines() []string {
	var lines []string
	for id, parent := range m.parent {
		lines = append(lines, canaryCompanyLine(id, parent))
	}
	for g := range m.grants {
		lines = append(lines, fmt.Sprintf(`{"type": "grant", "doc": {"issuer": %q, "subject": %q, "companyId": %d}}`,
			g.Account.Issuer, g.Account.Subject, g.CompanyID))
	}
	for _, s := range m.sessions {
		lines = append(lines, fmt.Sprintf(`{"type": "session", "doc": %s}`, s.item(nil)))
	}
	return lines
}

func canaryCompanyLine(id, parent tenancy.CompanyID) string {
	up := "null"
	if parent != 0 {
		up = fmt.Sprint(parent)
	}
	return fmt.Sprintf(`{"type": "company", "doc": {"id": %d, "name": %q, "parentId": %s}}`, id, companyName(id), up)
}

// ask sends the request in the caller's name. What was compressed is given back
// plain, under the header that it came with.
func ask(ctx context.Context, g *harness.Gateway, c caller, a asked, headers ...string) (harness.Reply, error) {
	method := a.method
	if method == "" {
		method = http.MethodGet
	}
	headers = slices.Concat([]string{"Accept-Encoding", "identity"}, a.header, headers)
	r, err := g.Exchange(ctx, method, g.URL+a.target, c.token, strings.NewReader(a.body), headers...)
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" || len(r.Body) == 0 {
		return r, err
	}
	plain, err := gzip.NewReader(bytes.NewReader(r.Body))
	if err != nil {
		return r, err
	}
	r.Body, err = io.ReadAll(plain)
	return r, err
}
