package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// gateways are two over one place that believe one issuer.
func gateways(t *testing.T, at place) [2]*servedGateway {
	t.Helper()
	issuer := tenancytest.NewIssuer(t)
	trusted := fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
		issuer.URL(), issuer.Options().JWKSURL, tenancytest.Audience)
	var both [2]*servedGateway
	for i := range both {
		both[i] = serveAt(t, at, trusted, "cache.fresh=1m")
		both[i].issuer = issuer
		both[i].awaitReady(t)
	}
	return both
}

const allSupervised = "/api/v1/sessions?showAllSupervised=true&fields=id,companyId&sort=id&limit=2"

// follow waits until a search on each gateway counts so many.
func follow(t *testing.T, both [2]*servedGateway, token, what string, count int64) {
	t.Helper()
	for _, g := range both {
		within(t, revocationBound, what, func() bool { return g.get(t, allSupervised, token).page(t).Count == count })
	}
}

func TestGrantsRevocationsAndMovesReachEveryGatewayWithinTheirBound(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			plantSmallTree(t, at)
			both, ops := gateways(t, at), newOperator(t, at)
			g, token, issuer := both[0], both[0].supervisor(t, 1), both[0].issuer.URL()
			account := []string{"--issuer", issuer, "--subject", "supervisor", "--company", "9"}
			follow(t, both, token, "the own tree", 4)

			ops.do(t, "", append([]string{"grant"}, account...)...)
			follow(t, both, token, "the granted company is seen", 5)
			granted := g.get(t, allSupervised, token)
			ops.do(t, "", append([]string{"revoke"}, account...)...)
			follow(t, both, token, "the granted company is lost", 4)
			wantForgotten(t, both, token, granted, `"companyId":9`, 4)
			wantStatuses(t, both, token, map[string]int{"/api/v1/sessions?companyId=9": http.StatusForbidden, "/api/v1/sessions/x": http.StatusNotFound})

			before := g.get(t, allSupervised, token)
			other := g.supervisor(t, 9)
			follow(t, both, other, "nothing but the own company", 1)
			ops.do(t, "", "move", "2", "--parent", "9")
			follow(t, both, token, "the moved company is lost", 2)
			follow(t, both, other, "the moved company is seen from above its new place", 3)
			wantForgotten(t, both, token, before, `"companyId":2`, 2)
			wantStatuses(t, both, token, map[string]int{
				"/api/v1/sessions?companyId=2": http.StatusForbidden, "/api/v1/sessions/b": http.StatusNotFound, "/api/v1/sessions/a": http.StatusOK,
			})

			ops.wantRecorded(t,
				grantEvent("grant.add", "done", "directory grant", issuer, "supervisor", 9),
				grantEvent("grant.remove", "done", "directory revoke", issuer, "supervisor", 9),
				moveEvent("directory move", 2, 1.0, 9.0),
			)
			for _, g := range both {
				if strings.Contains(g.logs.String(), `"supervisor"`) {
					t.Errorf("the log names the account:\n%s", g.logs)
				}
			}
		})
	}
}

// wantForgotten holds what was handed out before against what is lost since.
func wantForgotten(t *testing.T, both [2]*servedGateway, token string, before reply, lost string, count int64) {
	t.Helper()
	g := both[0] // cursors die with their gateway: there are no cursor.keys
	if r := g.get(t, allSupervised, token, "If-None-Match", before.header.Get("ETag")); r.status != http.StatusOK || r.page(t).Count != count {
		t.Errorf("with the ETag from before: %d %s", r.status, r.body)
	}
	if before.next() == "" {
		t.Fatal("there was no next page")
	}
	for next := before.next(); next != ""; {
		r := g.get(t, next, token)
		if strings.Contains(string(r.body), lost) || r.page(t).Count != count {
			t.Errorf("the cursor from before leads to %s", r.body)
		}
		next = r.next()
	}
}

func wantStatuses(t *testing.T, both [2]*servedGateway, token string, want map[string]int) {
	t.Helper()
	for _, g := range both {
		got := map[string]int{}
		for target := range want {
			got[target] = g.get(t, target, token).status
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	}
}

func TestWhatCannotBeIsRefusedAndOnRecord(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			plantSmallTree(t, at)
			importLinesInto(t, at, companyLine(4, 2), grantOf("https://id.example", "u1", 9))
			ops := newOperator(t, at)
			before := ops.do(t, "", "show", "--json")
			account := func(verb, subject, company string) []string {
				return []string{verb, "--issuer", "https://id.example", "--subject", subject, "--company", company}
			}
			for name, tt := range map[string]struct {
				args []string
				in   string
				says string
			}{
				"a grant of an unknown company":      {account("grant", "u1", "77"), "", "company 77 is not in the directory"},
				"a grant that is not there":          {account("revoke", "u2", "9"), "", "no grant of company 9"},
				"a revocation of an unknown company": {account("revoke", "u1", "77"), "", "company 77 is not in the directory"},
				"an unknown company moved":           {[]string{"move", "77", "--root"}, "", "company 77 is not"},
				"an unknown parent":                  {[]string{"move", "2", "--parent", "77"}, "", "company 77 is not"},
				"below itself":                       {[]string{"move", "2", "--parent", "2"}, "", "cannot be below"},
				"below one that is below it":         {[]string{"move", "1", "--parent", "4"}, "", "cannot be below"},
				"a cycle":                            {[]string{"import", "-"}, companyLine(1, 4), "company 1 is below itself"},
				"its own parent":                     {[]string{"import", "-"}, companyLine(5, 5), "company 5 is below itself"},
				"an orphan":                          {[]string{"import", "-"}, companyLine(5, 77), "parent 77, which is not in the directory"},
				"children left behind":               {[]string{"import", "-"}, `{"type": "company", "op": "delete", "doc": {"id": 2}}`, "company 4 has parent 2"},
				"a grant of nothing":                 {[]string{"import", "-"}, grantOf("i", "s", 77), "a grant names company 77"},
				"a session":                          {[]string{"import", "-"}, companyLine(5, 0) + "\n" + sessionLine("s", 1, ""), "standard input: line 2: a session"},
				"a bad line":                         {[]string{"import", "-"}, companyLine(5, 0) + "\nbad", "line 2: invalid line"},
				"nothing to replace all by":          {[]string{"import", "--replace", "-"}, "", "there is no company"},
			} {
				t.Run(name, func(t *testing.T) {
					_, err := ops.try(t, tt.in, tt.args...)
					if err == nil || !strings.Contains(err.Error(), tt.says) {
						t.Fatalf("error %v, want one that says %q", err, tt.says)
					}
					if code := exitCode(err, &strings.Builder{}); code != exitRefused {
						t.Errorf("exit code %d", code)
					}
					if events := ops.recorded(t); len(events) != 1 || events[0]["outcome"] != "refused" {
						t.Errorf("audit %v", events)
					}
				})
			}
			if diff := cmp.Diff(before, ops.do(t, "", "show", "--json")); diff != "" {
				t.Errorf("the directory has changed (-before +after):\n%s", diff)
			}
		})
	}
}
