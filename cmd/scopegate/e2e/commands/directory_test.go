package commands_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// gateways are two over one place that believe one issuer.
func gateways(t *testing.T, at harness.Place) [2]*harness.Gateway {
	t.Helper()
	issuer := tenancytest.NewIssuer(t)
	trusted := fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
		issuer.URL(), issuer.Options().JWKSURL, tenancytest.Audience)
	var both [2]*harness.Gateway
	for i := range both {
		both[i] = harness.ServeAt(t, at, trusted, "cache.fresh=1m")
		both[i].Issuer = issuer
		both[i].AwaitReady(t)
	}
	return both
}

const allSupervised = "/api/v1/sessions?showAllSupervised=true&fields=id,companyId&sort=id&limit=2"

// follow waits until a search on each gateway counts so many.
func follow(t *testing.T, both [2]*harness.Gateway, token, what string, count int64) {
	t.Helper()
	for _, g := range both {
		harness.Within(t, harness.RevocationBound, what, func() bool { return g.Get(t, allSupervised, token).Page(t).Count == count })
	}
}

func TestGrantsRevocationsAndMovesReachEveryGatewayWithinTheirBound(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			both, ops := gateways(t, at), newOperator(t, at)
			g, token, issuer := both[0], both[0].Supervisor(t, 1), both[0].Issuer.URL()
			account := []string{"--issuer", issuer, "--subject", "supervisor", "--company", "9"}
			follow(t, both, token, "the own tree", 4)

			ops.do(t, "", append([]string{"grant"}, account...)...)
			follow(t, both, token, "the granted company is seen", 5)
			granted := g.Get(t, allSupervised, token)
			ops.do(t, "", append([]string{"revoke"}, account...)...)
			follow(t, both, token, "the granted company is lost", 4)
			wantForgotten(t, both, token, granted, `"companyId":9`, 4)
			wantStatuses(t, both, token, map[string]int{"/api/v1/sessions?companyId=9": http.StatusForbidden, "/api/v1/sessions/x": http.StatusNotFound})

			before := g.Get(t, allSupervised, token)
			other := g.Supervisor(t, 9)
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
				if strings.Contains(g.Logs.String(), `"supervisor"`) {
					t.Errorf("the log names the account:\n%s", g.Logs)
				}
			}
		})
	}
}

// wantForgotten holds what was handed out before against what is lost since.
func wantForgotten(t *testing.T, both [2]*harness.Gateway, token string, before harness.Reply, lost string, count int64) {
	t.Helper()
	g := both[0] // cursors die with their gateway: there are no cursor.keys
	if r := g.Get(t, allSupervised, token, "If-None-Match", before.Header.Get("ETag")); r.Status != http.StatusOK || r.Page(t).Count != count {
		t.Errorf("with the ETag from before: %d %s", r.Status, r.Body)
	}
	if before.Next() == "" {
		t.Fatal("there was no next page")
	}
	for next := before.Next(); next != ""; {
		r := g.Get(t, next, token)
		if strings.Contains(string(r.Body), lost) || r.Page(t).Count != count {
			t.Errorf("the cursor from before leads to %s", r.Body)
		}
		next = r.Next()
	}
}

func wantStatuses(t *testing.T, both [2]*harness.Gateway, token string, want map[string]int) {
	t.Helper()
	for _, g := range both {
		got := map[string]int{}
		for target := range want {
			got[target] = g.Get(t, target, token).Status
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	}
}

func TestWhatCannotBeIsRefusedAndOnRecord(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			harness.ImportLinesInto(t, at, harness.CompanyLine(4, 2), grantOf("https://id.example", "u1", 9))
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
				"a cycle":                            {[]string{"import", "-"}, harness.CompanyLine(1, 4), "company 1 is below itself"},
				"its own parent":                     {[]string{"import", "-"}, harness.CompanyLine(5, 5), "company 5 is below itself"},
				"an orphan":                          {[]string{"import", "-"}, harness.CompanyLine(5, 77), "parent 77, which is not in the directory"},
				"children left behind":               {[]string{"import", "-"}, `{"type": "company", "op": "delete", "doc": {"id": 2}}`, "company 4 has parent 2"},
				"a grant of nothing":                 {[]string{"import", "-"}, grantOf("i", "s", 77), "a grant names company 77"},
				"a session":                          {[]string{"import", "-"}, harness.CompanyLine(5, 0) + "\n" + harness.SessionLine("s", 1, ""), "standard input: line 2: a session"},
				"a bad line":                         {[]string{"import", "-"}, harness.CompanyLine(5, 0) + "\nbad", "line 2: invalid line"},
				"nothing to replace all by":          {[]string{"import", "--replace", "-"}, "", "there is no company"},
			} {
				t.Run(name, func(t *testing.T) {
					_, err := ops.try(t, tt.in, tt.args...)
					if err == nil || !strings.Contains(err.Error(), tt.says) {
						t.Fatalf("error %v, want one that says %q", err, tt.says)
					}
					if code := cli.ExitCode(err, &strings.Builder{}); code != cli.ExitRefused {
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
