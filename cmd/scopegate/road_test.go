package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// companyLine makes a line of the directory; parent 0 is a root.
func companyLine(id, parent int) string {
	up := "null"
	if parent != 0 {
		up = strconv.Itoa(parent)
	}
	return fmt.Sprintf(`{"type": "company", "doc": {"id": %d, "name": "Company %d", "parentId": %s}}`, id, id, up)
}

func sessionLine(id string, company int, fields string) string {
	if fields != "" {
		fields = ", " + fields
	}
	return fmt.Sprintf(`{"type": "session", "doc": {"id": %q, "companyId": %d%s}}`, id, company, fields)
}

// smallTree is companies 1 over 2 and 3, and 9 apart, with a few sessions.
func smallTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plantSmallTree(t, folder(dir))
	return dir
}

func plantSmallTree(t *testing.T, at place) {
	t.Helper()
	importLinesInto(t, at,
		companyLine(1, 0), companyLine(2, 1), companyLine(3, 1), companyLine(9, 0),
		sessionLine("a", 1, `"name": "Ann Ó Briain", "createdAt": "2018-05-27T21:30:54Z", "startedAt": "2018-05-27T21:30:54Z"`),
		sessionLine("b", 2, `"name": "Bob", "whatsappPhone": "79991234567", "createdAt": "2019-01-01T00:00:00Z", "startedAt": "2019-01-01T00:00:00Z"`),
		sessionLine("c", 2, `"name": "Семён Воробьёв", "clientId": "client-77", "createdAt": "2020-01-01T00:00:00Z"`),
		sessionLine("d", 3, `"name": "Zoë", "createdAt": "2018-05-27T21:30:53.999Z", "startedAt": "2021-01-01T00:00:00Z"`),
		sessionLine("x", 9, `"name": "Bob", "whatsappPhone": "79991234567", "clientId": "client-77", "createdAt": "2019-01-01T00:00:00Z"`),
	)
}

func TestASupervisorFindsSessionsAcrossCompanies(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			plantSmallTree(t, at)
			g := serveAt(t, at)
			token := g.supervisor(t, 1)
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
				got := g.get(t, "/api/v1/sessions"+query("showAllSupervised", "true", "keyword", keyword), token).page(t)
				if diff := cmp.Diff(want, got.ids(t)); diff != "" || got.Count != int64(len(want)) {
					t.Errorf("%s: count %d, %s", keyword, got.Count, diff)
				}
			}
		})
	}
}

func TestParametersAsPeopleWriteThem(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			plantSmallTree(t, at)
			g := serveAt(t, at)
			token := g.supervisor(t, 1)
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
				got := g.get(t, "/api/v1/sessions?showAllSupervised=1&"+raw, token).page(t)
				if diff := cmp.Diff(test.want, got.ids(t)); diff != "" {
					t.Errorf("%s: %s", test.query, diff)
				}
			}
			if got := string(g.get(t, "/api/v1/sessions?withoutCount=1&fields=id,%20name&companyId=3", token).body); got != `{"items":[{"id":"d","name":"Zoë"}]}` {
				t.Errorf("withoutCount answers %s", got)
			}
		})
	}
}

func TestEveryFaultOfARequestIsNamedAtOnce(t *testing.T) {
	g := serve(t, smallTree(t))
	r := g.get(t, "/api/v1/sessions?keywrod=x&limit=0&page=1&offset=1&from=yesterday&fields=id,nope&sort=city", g.supervisor(t, 1))
	if r.status != http.StatusBadRequest {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	var problem struct{ Details []struct{ Parameter string } }
	if err := json.Unmarshal(r.body, &problem); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, fault := range problem.Details {
		named[fault.Parameter] = true
	}
	for _, parameter := range []string{"keywrod", "limit", "page", "from", "fields", "sort"} {
		if !named[parameter] {
			t.Errorf("%s is not named: %s", parameter, r.body)
		}
	}
}

func TestNothingForeignIsAnswered(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			plantSmallTree(t, at)
			g := serveAt(t, at)
			agent := g.issuer.Token(t, tenancytest.Claims{Subject: "agent", Company: 2})
			supervisor := g.supervisor(t, 1)
			without := regexp.MustCompile(`"(traceId|instance)":"[^"]*"`)
			foreign := g.get(t, "/api/v1/sessions?companyId=9", supervisor)
			missing := g.get(t, "/api/v1/sessions?companyId=777", supervisor)
			if foreign.status != http.StatusForbidden || missing.status != http.StatusForbidden ||
				without.ReplaceAllString(string(foreign.body), "") != without.ReplaceAllString(string(missing.body), "") {
				t.Errorf("a foreign company answers %d %s,\na missing one %d %s", foreign.status, foreign.body, missing.status, missing.body)
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
				if got := g.get(t, target, agent); got.status != want {
					t.Errorf("an agent of company 2 gets %d for %s, want %d", got.status, target, want)
				}
			}
			if got := g.get(t, "/api/v1/sessions", agent).page(t); got.Count != 2 {
				t.Errorf("an agent of company 2 counts %d sessions, want 2", got.Count)
			}
			if r := g.get(t, "/api/v1/sessions", ""); r.status != http.StatusUnauthorized {
				t.Errorf("nobody gets %d", r.status)
			}
		})
	}
}

func TestTheSecondRequestIsAHitAndTheNextPageHitsTheCount(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			plantSmallTree(t, at)
			g := serveAt(t, at, "cache.fresh=1m")
			token := g.supervisor(t, 1)
			first := "/api/v1/sessions?showAllSupervised=true&limit=2"
			statuses := make([]string, 0, 3)
			for _, target := range []string{first, first, first + "&page=1"} {
				status := g.get(t, target, token).header.Get("Cache-Status")
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
	g := serve(t, smallTree(t), "cache.fresh=0s")
	token := g.supervisor(t, 1)
	for range 2 {
		if status := g.get(t, "/api/v1/sessions", token).header.Get("Cache-Status"); strings.Contains(status, "hit") || strings.Contains(status, "stored") {
			t.Errorf("Cache-Status: %s", status)
		}
	}
}

func TestNothingPlantedIsRecorded(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			importLinesInto(t, at, companyLine(1, 0), companyLine(2, 1),
				sessionLine("s-planted", 2, `"name": "Plantagenet Quux", "whatsappPhone": "70005551234", "clientId": "client-canary"`))
			g := serveAt(t, at, "log.level=debug")
			token := g.supervisor(t, 1)
			for range 2 { // cold and warm
				g.get(t, "/api/v1/sessions"+query("showAllSupervised", "true", "keyword", "Plantagenet"), token)
				g.get(t, "/api/v1/sessions"+query("showAllSupervised", "true", "keyword", "+7 000 555-12-34"), token)
				g.post(t, "/api/v1/sessions/search", token, map[string]any{"keyword": "client-canary", "showAllSupervised": true})
			}
			g.get(t, "/api/v1/sessions/Plantagenet", token)
			g.get(t, "/api/v1/sessions"+query("keywrod", "Plantagenet", "70005551234", "70005551234"), token)
			g.get(t, "/Plantagenet/70005551234", token)
			g.get(t, "/api/v1/me", token+"x")
			g.get(t, "/api/v1/companies"+query("query", "Plantagenet"), token, "User-Agent", "Plantagenet", "X-Request-Id", "Plantagenet 70005551234")

			recorded := map[string]string{
				"metrics": string(g.send(t, http.MethodGet, g.admin+"/metrics", "", nil).body),
				"traces":  everyTrace(t, g),
			}
			if !strings.Contains(recorded["traces"], `"engine"`) || !strings.Contains(recorded["metrics"], "scopegate_") {
				t.Fatal("there are no traces or metrics to look into")
			}
			if err := g.stop(); err != nil {
				t.Fatal(err)
			}
			recorded["log"] = g.logs.String()
			planted := regexp.MustCompile(`(?i)plantagenet|quux|7?000.?555.?12.?34|canary|` + regexp.QuoteMeta(token[len(token)-20:]))
			for where, text := range recorded {
				if found := planted.FindString(text); found != "" {
					t.Errorf("the %s holds %q", where, found)
				}
			}
		})
	}
}

// everyTrace is each trace that the gateway remembers.
func everyTrace(t *testing.T, g *servedGateway) string {
	t.Helper()
	list := string(g.send(t, http.MethodGet, g.admin+"/debug/traces", "", nil).body)
	ids := regexp.MustCompile(`[0-9a-f]{32}`).FindAllString(list, -1)
	slices.Sort(ids)
	var all strings.Builder
	all.WriteString(list)
	for _, id := range slices.Compact(ids) {
		all.Write(g.send(t, http.MethodGet, g.admin+"/debug/traces/"+id, "", nil).body)
	}
	return all.String()
}
