package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Another producer that writes to the index by itself, and tells nobody.
func TestWhatNobodyToldOfIsNoticedWhereTheIndexIsWatched(t *testing.T) {
	at, bounds := followed(t, "Elasticsearch")
	plantSmallTree(t, at)
	watching, blind := serveAt(t, at, append(bounds, "cache.watch=1s")...), serveAt(t, at, bounds...)
	for _, g := range []*servedGateway{watching, blind} {
		eventually(t, "it is a hit", func() bool { _, status := countOf(t, g, 2); return isPageHit(status) })
	}
	time.Sleep(2 * time.Second) // the import of the tree has been seen
	eventually(t, "it is a hit", func() bool { _, status := countOf(t, watching, 2); return isPageHit(status) })
	target := fmt.Sprintf("%s/%s-sessions-write/_doc/foreign?refresh=true", service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), indexOf(at))
	r := watching.send(t, http.MethodPut, target, "", strings.NewReader(`{"id": "foreign", "companyId": 2}`), "Content-Type", "application/json")
	if r.status != http.StatusCreated {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	within(t, heard, "it is noticed", func() bool { count, _ := countOf(t, watching, 2); return count == 3 })
	if count, status := countOf(t, blind, 2); count != 2 || !isPageHit(status) {
		t.Errorf("a gateway that does not watch: %d, %s", count, status)
	}
}

// indexOf is what the names of the place's indices begin with.
func indexOf(at place) string {
	for _, setting := range at {
		if name, ok := strings.CutPrefix(setting, "elasticsearch.index="); ok {
			return name
		}
	}
	return ""
}
