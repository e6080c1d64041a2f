package freshness_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search/schema"
)

// Another producer that writes to the index by itself, and tells nobody.
func TestAChangeThatNobodyPublishedIsNoticedWhereTheIndexIsWatched(t *testing.T) {
	at, bounds := harness.WithRedis(t, "Elasticsearch")
	harness.PlantSmallTree(t, at)
	watching, blind := harness.ServeAt(t, at, append(bounds, "cache.watch=1s")...), harness.ServeAt(t, at, bounds...)
	for _, g := range []*harness.Gateway{watching, blind} {
		harness.Eventually(t, "it is a hit", func() bool { _, status := harness.CountOf(t, g, 2); return harness.IsPageHit(status) })
	}
	time.Sleep(2 * time.Second) // the import of the tree has been seen
	harness.Eventually(t, "it is a hit", func() bool { _, status := harness.CountOf(t, watching, 2); return harness.IsPageHit(status) })
	target := fmt.Sprintf("%s/%s-sessions-write/_doc/foreign?refresh=true", harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), harness.IndexOf(at))
	r := watching.Send(t, http.MethodPut, target, "", strings.NewReader(`{"id": "foreign", "companyId": 2}`), "Content-Type", "application/json")
	if r.Status != http.StatusCreated {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	harness.Within(t, harness.Heard, "it is noticed", func() bool { count, _ := harness.CountOf(t, watching, 2); return count == 3 })
	if count, status := harness.CountOf(t, blind, 2); count != 2 || !harness.IsPageHit(status) {
		t.Errorf("a gateway that does not watch: %d, %s", count, status)
	}
}

// Nothing is published when sessions are migrated.
func TestARunningGatewaySearchesTheNewIndexAfterAMigrationAndServesNoAnswerOfTheOldOne(t *testing.T) {
	at, bounds := harness.WithRedis(t, "Elasticsearch")
	harness.PlantSmallTree(t, at)
	upstream := harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH") + "/" + harness.IndexOf(at)
	sender := harness.ServeAt(t, at, bounds...)
	send := func(target, body string) {
		t.Helper()
		r := sender.Send(t, http.MethodPut, upstream+target, "", strings.NewReader(body), "Content-Type", "application/json")
		if r.Status >= http.StatusBadRequest {
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
	}
	steps := schema.Steps()
	before := steps[len(steps)-2]
	send("-sessions-write/_mapping", fmt.Sprintf(`{"_meta": {"scopegate": {"schema": %d, "folding": %q}}}`, before.Schema, before.Folding.Fingerprint()))
	g := harness.ServeAt(t, at, bounds...)
	harness.Eventually(t, "it is a hit", func() bool { _, status := harness.CountOf(t, g, 2); return harness.IsPageHit(status) })
	harness.Command(t, at, nil, "index", "migrate", "--quiet")
	// What is in the new index only shows which one is searched.
	send(fmt.Sprintf("-sessions-schema%d-write/_doc/new?refresh=true", steps.SearchedSince()), `{"id": "new", "companyId": 2}`)
	harness.Eventually(t, "the new index is searched", func() bool { count, _ := harness.CountOf(t, g, 2); return count == 3 })
}
