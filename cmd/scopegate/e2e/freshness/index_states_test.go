package freshness_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// administer sends Elasticsearch a request about the sessions' index of the place,
// whose name is put before the path.
func administer(t *testing.T, g *harness.Gateway, at harness.Place, method, path, body string) {
	t.Helper()
	target := fmt.Sprintf("%s/%s-sessions-000001%s", harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), harness.IndexOf(at), path)
	r := g.Send(t, method, target, "", strings.NewReader(body), "Content-Type", "application/json")
	if r.Status != http.StatusOK {
		t.Fatalf("%s %s: status %d: %s", method, path, r.Status, r.Body)
	}
}

func TestAnIndexThatCannotBeSearchedIsA503OrAStaleAnswerUntilItCan(t *testing.T) {
	at, _ := harness.WithRedis(t, "Elasticsearch")
	harness.PlantSmallTree(t, at)
	g := harness.ServeAt(t, at, "cache.fresh=1s", "cache.stale=1s", "cache.stale_if_error=10m", "directory.max_stale=10m")
	token := g.Supervisor(t, 1)
	ready := func() int { return g.Send(t, http.MethodGet, g.Admin+"/readyz", "", nil).Status }
	older := func() harness.Reply { return g.Get(t, "/api/v1/sessions?companyId=2", token) }
	for name, state := range map[string]struct{ method, path, begin, end, path2 string }{
		"closed":                 {http.MethodPost, "/_close", "", "", "/_open"},
		"blocked for reads":      {http.MethodPut, "/_settings", `{"index.blocks.read":true}`, `{"index.blocks.read":null}`, "/_settings"},
		"a limit that was lower": {http.MethodPut, "/_settings", `{"index.max_result_window":10}`, `{"index.max_result_window":10000}`, "/_settings"},
	} {
		t.Run(name, func(t *testing.T) {
			harness.Eventually(t, "it is a hit", func() bool { return strings.Contains(older().Header.Get("Cache-Status"), "; hit") })
			administer(t, g, at, state.method, state.path, state.begin)
			harness.Eventually(t, "it is not ready", func() bool { return ready() == http.StatusServiceUnavailable })
			harness.Eventually(t, "an older answer stands in", func() bool {
				r := older()
				if p := r.Page(t); p.Count != 2 {
					t.Fatalf("it counts %d sessions, want 2", p.Count)
				}
				return strings.Contains(r.Header.Get("Cache-Status"), "-stale-if-error")
			})
			for _, path := range []string{
				"/api/v1/sessions?companyId=2&name=nobody", "/api/v1/sessions/summary?companyId=2&name=nobody",
				"/api/v1/sessions/export?companyId=2&name=nobody", "/api/v1/sessions?companyId=2&name=nobody&limit=1000",
			} {
				if r := g.Get(t, path, token); r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
					t.Errorf("%s: status %d, %v, want a 503 with Retry-After: %s", path, r.Status, r.Header, r.Body)
				}
			}
			administer(t, g, at, state.method, state.path2, state.end)
			harness.Eventually(t, "it is ready", func() bool { return ready() == http.StatusOK })
			harness.Eventually(t, "it is answered", func() bool {
				return g.Get(t, "/api/v1/sessions?companyId=2&name=nobody-else", token).Status == http.StatusOK
			})
		})
	}
}

// A document that is no company, by another producer.
func TestAnOddCompanyLeavesTheDirectoryOfEverybodyElse(t *testing.T) {
	at := harness.EmptyIndices(t)
	harness.PlantSmallTree(t, at)
	g := harness.ServeAt(t, at, "directory.refresh=200ms", "directory.max_stale=2s")
	token := g.Supervisor(t, 1)
	put := func(kind, id, document string) {
		t.Helper()
		target := fmt.Sprintf("%s/%s-%s-write/_doc/%s", harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), harness.IndexOf(at), kind, id)
		r := g.Send(t, http.MethodPut, target, "", strings.NewReader(document), "Content-Type", "application/json")
		if r.Status != http.StatusCreated {
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
	}
	companies := func() string { return string(g.Get(t, "/api/v1/companies", token).Body) }
	put("companies", "odd-1", `{"name":"no id"}`)
	put("companies", "odd-2", `{"id":7002,"name":"odd","parentId":0}`)
	put("grants", "odd-3", `{"issuer":"i","subject":5,"companyId":1}`)
	put("companies", "7003", `{"id":7003,"name":"sound","parentId":1}`)
	harness.Eventually(t, "a sound company beside it is seen", func() bool { return strings.Contains(companies(), "7003") })
	if text := companies(); strings.Contains(text, "7002") {
		t.Errorf("a company without a parent that can be read is seen: %s", text)
	}
	metrics := string(g.Send(t, http.MethodGet, g.Admin+"/metrics", "", nil).Body)
	if !strings.Contains(metrics, "scopegate_directory_problems") {
		t.Error("problems are not counted")
	}
	show := harness.Command(t, at, nil, "directory", "show")
	for _, id := range []string{"odd-1", "odd-2", "odd-3"} {
		if !strings.Contains(show, id) {
			t.Errorf("%s is not among the problems:\n%s", id, show)
		}
	}
}
