package journeys_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestASupervisorFindsSessionsAcrossCompanies(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			g := harness.ServeAt(t, at)
			token := g.Supervisor(t, 1)
			for keyword, want := range map[string][]string{
				"o briain":           {"a"},
				"BOB":                {"b"},
				"семен":              {"c"},
				"client-77":          {"c"},
				"+7 (999) 123-45-67": {"b"},
				"9991234567":         {"b"},
				"123-45":             {"b"},
				"8 999 123 45 67":    {"b"},
				"zoe":                {"d"},
				"nobody":             {},
			} {
				got := g.Get(t, "/api/v1/sessions"+harness.Query("showAllSupervised", "true", "keyword", keyword), token).Page(t)
				if diff := cmp.Diff(want, got.IDs(t)); diff != "" || got.Count != int64(len(want)) {
					t.Errorf("%s: count %d, %s", keyword, got.Count, diff)
				}
			}
		})
	}
}

func TestParametersAsPeopleWriteThem(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			g := harness.ServeAt(t, at)
			token := g.Supervisor(t, 1)
			for _, test := range []struct {
				query string
				want  []string
			}{
				{"sort=+name", []string{"a", "b", "d", "c"}},
				{"sort=-name", []string{"c", "d", "b", "a"}},
				{"sort=started_at", []string{"a", "b", "d", "c"}},
				{"", []string{"d", "b", "a", "c"}},
				{"from=2018-05-27T21:30:54+00:00", []string{"b", "a", "c"}},
				{"to=2018-05-27T21:30:54+00:00", []string{"d", "a"}},
				{"limit=1&page=3", []string{"c"}},
				{"limit=2&offset=1", []string{"b", "a"}},
				{"fields=id, name", []string{"d", "b", "a", "c"}},
			} {
				// Spaces would end the request line; everything else goes out raw.
				raw := strings.ReplaceAll(test.query, " ", "%20")
				got := g.Get(t, "/api/v1/sessions?showAllSupervised=1&"+raw, token).Page(t)
				if diff := cmp.Diff(test.want, got.IDs(t)); diff != "" {
					t.Errorf("%s: %s", test.query, diff)
				}
			}
			if got := string(g.Get(t, "/api/v1/sessions?withoutCount=1&fields=id,%20name&companyId=3", token).Body); got != `{"items":[{"id":"d","name":"Zoë"}]}` {
				t.Errorf("withoutCount answers %s", got)
			}
		})
	}
}

func TestEveryFaultOfARequestIsNamedAtOnce(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t))
	r := g.Get(t, "/api/v1/sessions?keywrod=x&limit=0&page=1&offset=1&from=yesterday&fields=id,nope&sort=city", g.Supervisor(t, 1))
	if r.Status != http.StatusBadRequest {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	var problem struct{ Details []struct{ Parameter string } }
	if err := json.Unmarshal(r.Body, &problem); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, fault := range problem.Details {
		named[fault.Parameter] = true
	}
	for _, parameter := range []string{"keywrod", "limit", "page", "from", "fields", "sort"} {
		if !named[parameter] {
			t.Errorf("%s is not named: %s", parameter, r.Body)
		}
	}
}

func TestNothingForeignIsAnswered(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			g := harness.ServeAt(t, at)
			agent := g.Issuer.Token(t, tenancytest.Claims{Subject: "agent", Company: 2})
			supervisor := g.Supervisor(t, 1)
			without := regexp.MustCompile(`"(traceId|instance)":"[^"]*"`)
			foreign := g.Get(t, "/api/v1/sessions?companyId=9", supervisor)
			missing := g.Get(t, "/api/v1/sessions?companyId=777", supervisor)
			if foreign.Status != http.StatusForbidden || missing.Status != http.StatusForbidden ||
				without.ReplaceAllString(string(foreign.Body), "") != without.ReplaceAllString(string(missing.Body), "") {
				t.Errorf("a foreign company answers %d %s,\na missing one %d %s", foreign.Status, foreign.Body, missing.Status, missing.Body)
			}
			for target, want := range map[string]int{
				"/api/v1/sessions?showAllSupervised=true": http.StatusForbidden,
				"/api/v1/sessions?companyId=1":            http.StatusForbidden,
				"/api/v1/sessions?companyId=3":            http.StatusForbidden,
				"/api/v1/sessions/x":                      http.StatusNotFound,
				"/api/v1/sessions/a":                      http.StatusNotFound,
				"/api/v1/sessions/no-such":                http.StatusNotFound,
				"/api/v1/sessions/b":                      http.StatusOK,
				"/api/v1/sessions?companyId=2":            http.StatusOK,
			} {
				if got := g.Get(t, target, agent); got.Status != want {
					t.Errorf("an agent of company 2 gets %d for %s, want %d", got.Status, target, want)
				}
			}
			if got := g.Get(t, "/api/v1/sessions", agent).Page(t); got.Count != 2 {
				t.Errorf("an agent of company 2 counts %d sessions, want 2", got.Count)
			}
			if r := g.Get(t, "/api/v1/sessions", ""); r.Status != http.StatusUnauthorized {
				t.Errorf("nobody gets %d", r.Status)
			}
		})
	}
}

func TestTheSecondRequestIsAHitAndTheNextPageHitsTheCount(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			g := harness.ServeAt(t, at, "cache.fresh=1m")
			token := g.Supervisor(t, 1)
			first := "/api/v1/sessions?showAllSupervised=true&limit=2"
			statuses := make([]string, 0, 3)
			for _, target := range []string{first, first, first + "&page=1"} {
				status := g.Get(t, target, token).Header.Get("Cache-Status")
				statuses = append(statuses, regexp.MustCompile(`; (ttl=-?\d+|detail=\w+|stored)`).ReplaceAllString(status, ""))
			}
			want := []string{
				"scopegate-count; fwd=miss, scopegate-page; fwd=miss",
				"scopegate-count; hit, scopegate-page; hit",
				"scopegate-count; hit, scopegate-page; fwd=miss",
			}
			if diff := cmp.Diff(want, statuses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutFreshnessNothingIsCached(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t), "cache.fresh=0s")
	token := g.Supervisor(t, 1)
	for range 2 {
		if status := g.Get(t, "/api/v1/sessions", token).Header.Get("Cache-Status"); strings.Contains(status, "hit") || strings.Contains(status, "stored") {
			t.Errorf("Cache-Status: %s", status)
		}
	}
}

func TestNothingPlantedIsRecorded(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.ImportLinesInto(t, at, harness.CompanyLine(1, 0), harness.CompanyLine(2, 1),
				harness.SessionLine("s-planted", 2, `"name": "Plantagenet Quux", "whatsappPhone": "70005551234", "clientId": "client-canary"`))
			g := harness.ServeAt(t, at, "log.level=debug")
			token := g.Supervisor(t, 1)
			for range 2 { // cold and warm
				g.Get(t, "/api/v1/sessions"+harness.Query("showAllSupervised", "true", "keyword", "Plantagenet"), token)
				g.Get(t, "/api/v1/sessions"+harness.Query("showAllSupervised", "true", "keyword", "+7 000 555-12-34"), token)
				g.Post(t, "/api/v1/sessions/search", token, map[string]any{"keyword": "client-canary", "showAllSupervised": true})
			}
			g.Get(t, "/api/v1/sessions/Plantagenet", token)
			g.Get(t, "/api/v1/sessions"+harness.Query("keywrod", "Plantagenet", "70005551234", "70005551234"), token)
			g.Get(t, "/Plantagenet/70005551234", token)
			g.Get(t, "/api/v1/me", token+"x")
			g.Get(t, "/api/v1/companies"+harness.Query("query", "Plantagenet"), token, "User-Agent", "Plantagenet", "X-Request-Id", "Plantagenet 70005551234")

			recorded := map[string]string{
				"metrics": string(g.Send(t, http.MethodGet, g.Admin+"/metrics", "", nil).Body),
				"traces":  harness.EveryTrace(t, g),
			}
			if !strings.Contains(recorded["traces"], `"engine"`) || !strings.Contains(recorded["metrics"], "scopegate_") {
				t.Fatal("there are no traces or metrics to look into")
			}
			if err := g.Stop(); err != nil {
				t.Fatal(err)
			}
			recorded["log"] = g.Logs.String()
			planted := regexp.MustCompile(`(?i)plantagenet|quux|7?000.?555.?12.?34|canary|` + regexp.QuoteMeta(token[len(token)-20:]))
			for where, text := range recorded {
				if found := planted.FindString(text); found != "" {
					t.Errorf("the %s holds %q", where, found)
				}
			}
		})
	}
}
