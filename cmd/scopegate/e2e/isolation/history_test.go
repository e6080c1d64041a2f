package isolation_test

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// historyChecks are how many histories of about thirty steps are tried: what an
// engine does in half a minute.
func historyChecks() map[string]int { return map[string]int{"SQLite": 20, "Elasticsearch": 5} }

// Companies of a history: any of the first may be anywhere, or not there.
const (
	historyCompanies                   = 7
	markCompany      tenancy.CompanyID = 1000 // tells by its name how far the gateway's directory is
)

func TestScopesAreTheModelsThroughAnyHistory(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			checkTimes(t, historyChecks()[engine])
			h := newHistory(t, empty(t))
			rapid.Check(t, func(rt *rapid.T) {
				h.begin(rt)
				rt.Repeat(map[string]func(*rapid.T){
					"move": h.move, "remove": h.remove, "grant": h.grant, "revoke": h.revoke,
					"ask": h.askAnything, "ask again": h.askAnything, "go on": h.goOn, "ask with a tag": h.askWithTag, "steal": h.steal,
				})
			})
			t.Logf("%d changes, %d answers, %d of them as before a change that was under way", h.changes, h.answers, h.between)
		})
	}
}

// checkTimes sets how often rapid checks: it has no other way than its flag.
func checkTimes(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(before) }) // it was its value
}

// history is a gateway whose directory and revocations change under the model's
// eyes.
type history struct {
	*harness.Gateway

	t           *testing.T
	at          harness.Place
	store       app.Engine
	revocations string // the file
	mark        caller // of markCompany
	issuer      *tenancytest.Issuer

	now        moment
	generation int // of the last change
	earlier    []earlierPage

	changes, answers, between int
}

// moment is what holds at one time.
type moment struct {
	*tenants

	accounts []caller
}

func (m moment) clone() moment {
	return moment{&tenants{parent: maps.Clone(m.parent), grants: maps.Clone(m.grants), sessions: m.sessions}, slices.Clone(m.accounts)}
}

// earlierPage is an answer of some time before.
type earlierPage struct {
	account int
	q       inquiry
	asked   asked
	was     outcome
	tag     string
	next    string
}

func newHistory(t *testing.T, at harness.Place) *history {
	t.Helper()
	north, south := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	h := &history{t: t, at: at, issuer: north, revocations: filepath.Join(t.TempDir(), "revocations.ndjson")}
	h.now.tenants = &tenants{parent: map[tenancy.CompanyID]tenancy.CompanyID{}, grants: map[tenancy.Grant]bool{}}
	for company := range tenancy.CompanyID(historyCompanies + 1) {
		for n := range 3 {
			h.now.sessions = append(h.now.sessions, newCanarySession(company+1, n)) // the last one's company is never there
		}
	}
	supervisor := []string{tenancytest.SupervisorRole}
	for i, a := range []caller{
		{company: 1, roles: supervisor}, {company: 2, roles: supervisor}, {company: 3, roles: supervisor}, {company: 4, roles: supervisor},
		{company: 5}, {company: 6, roles: []string{"agent"}},
		{company: 2, roles: supervisor, bounds: []tenancy.CompanyID{2, 5}}, {company: 6, roles: supervisor, bounds: []tenancy.CompanyID{2, 5}},
	} {
		issuer := north
		if len(a.bounds) > 0 {
			issuer = south
		}
		a.issuer, a.subject = issuer.URL(), fmt.Sprintf("account-%d", i)
		a.name = fmt.Sprintf("%s of %d %v within %v", a.subject, a.company, a.roles, a.bounds)
		a.token = issuer.Token(t, tenancytest.Claims{Subject: a.subject, Company: a.company, Roles: a.roles, Extra: map[string]any{"jti": a.subject}})
		h.now.accounts = append(h.now.accounts, a)
	}
	harness.ImportLinesInto(t, at, h.now.lines()...)
	harness.Rename(t, h.revocations, "")
	h.mark = caller{token: north.Token(t, tenancytest.Claims{Subject: "mark", Company: markCompany})}
	h.Gateway = harness.ServeAt(t, at, "cache.fresh=1m", "directory.refresh=10ms", "limits.address.per_minute=0", "identity.revocations="+h.revocations,
		"identity.issuers=["+issuerSetting(north, fmt.Sprintf("[1, 2, 3, 4, 5, 6, 7, 8, %d]", markCompany))+","+issuerSetting(south, "[2, 5]")+"]")
	h.AwaitReady(t)
	h.store = harness.OpenPlace(t, at)
	return h
}
