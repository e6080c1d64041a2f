package freshness_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/api/client"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
)

// Documents that another producer writes: with faulty values, or no sessions at
// all.
func TestAFaultyDocumentOfAnotherProducerFailsNobodysSearch(t *testing.T) {
	at := harness.EmptyIndices(t)
	harness.PlantSmallTree(t, at)
	put := func(g *harness.Gateway, id, document string) {
		t.Helper()
		target := fmt.Sprintf("%s/%s-sessions-write/_doc/%s?refresh=true", harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), harness.IndexOf(at), id)
		if r := g.Send(t, http.MethodPut, target, "", strings.NewReader(document), "Content-Type", "application/json"); r.Status != http.StatusCreated {
			t.Fatalf("%s: status %d: %s", id, r.Status, r.Body)
		}
	}
	g := harness.ServeAt(t, at, "cache.watch=0s")
	for id, document := range map[string]string{
		"odd-1": `{"id":"odd-1","companyId":2.0,"messengerType":"MAX","createdAt":"2024-05-01T10:00:00+02:00","clientMessageCount":2.0}`,
		"odd-2": `{"id":"odd-2","companyId":[3],"csi":1e400,"ttl":99999999999999999999,"metrics":{"a":1e999},"clientOnlineAt":"2024-05-01"}`,
		"odd-3": "{\"id\":\"odd-3\",\"companyId\":2,\"chatName\":\"a\xc0\xafb\",\"lastMessage\":{\"a\":\"\\ud800\"},\"name\":\"a\\u0000b\"} /* \" */",
		"bad-1": `{"id":"bad-1","companyId":[2,9]}`,
		"bad-2": `{"id":"bad-2","companyId":2,"messengerType":["WEB","EMAIL"]}`,
		"bad-3": `{"id":"b","companyId":2}`,
		"bad-4": `{"companyId":2}`,
	} {
		put(g, id, document)
	}
	g = harness.ServeAt(t, at) // whose first look finds them
	const found = 4 + 3
	all := true
	for company, want := range map[int]int{1: found, 9: 1} {
		caller, err := client.NewClientWithResponses(g.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+g.Supervisor(t, tenancy.CompanyID(company)))
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		page, err := caller.ListSessionsWithResponse(t.Context(), &api.ListSessionsParams{ShowAllSupervised: &all})
		if err != nil || page.JSON200 == nil || len(page.JSON200.Items) != want {
			t.Fatalf("company %d: error %v, %s", company, err, page.Body)
		}
		if total := page.JSON200.Count; total == nil || *total != int64(want) {
			t.Errorf("company %d: count %v, want %d", company, total, want)
		}
	}
	token := g.Supervisor(t, 1)
	if r := g.Get(t, "/api/v1/sessions/summary?showAllSupervised=true", token); r.Status != http.StatusOK || !strings.Contains(string(r.Body), fmt.Sprintf(`"count":%d`, found)) {
		t.Errorf("summary: status %d: %s", r.Status, r.Body)
	}
	for _, format := range []string{"JSON", "NDJSON", "CSV", "CSV_EXCEL", "XLSX"} {
		r := g.Get(t, "/api/v1/sessions/export?showAllSupervised=true&format="+format, token)
		if r.Status != http.StatusOK || r.Header.Get("X-Total-Count") != strconv.Itoa(found) {
			t.Errorf("%s: status %d, %v: %s", format, r.Status, r.Header, r.Body)
		}
		if format == "NDJSON" && strings.Count(string(r.Body), "\n") != found {
			t.Errorf("%s: %s", format, r.Body)
		}
	}
	for sort := range strings.FieldsSeq("createdAt -createdAt messageCount -messageCount rating -rating messengerType id -id") {
		if ids := g.Follow(t, "/api/v1/sessions?showAllSupervised=true&limit=2&sort="+sort, token); len(ids) != found {
			t.Errorf("by %s: %v", sort, ids)
		}
	}
	line := g.AwaitLine(t, "documents that are no sessions", func() {})
	for _, id := range []string{"bad-1: companyId", "bad-2: messengerType", "bad-3: id", "bad-4: id"} {
		if !strings.Contains(line, id) {
			t.Errorf("%s is not in the log: %s", id, line)
		}
	}
	harness.Eventually(t, "they are counted", func() bool {
		metrics := string(g.Send(t, http.MethodGet, g.Admin+"/metrics", "", nil).Body)
		return strings.Contains(metrics, "\nscopegate_engine_faulty_documents 4\n")
	})
}
