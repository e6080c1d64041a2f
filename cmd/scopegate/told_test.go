package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/session"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/elastic"
)

// toldBound is the promise: from the moment somebody was told to the new answer.
const toldBound = time.Second

// countOf is the count of a company's sessions, and how its page was come by.
func countOf(t *testing.T, g *servedGateway, company int) (count int64, status string) {
	t.Helper()
	r := g.get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", company), g.supervisor(t, 1))
	return r.page(t).Count, r.header.Get("Cache-Status")
}

func isPageHit(status string) bool { return strings.Contains(status, "scopegate-page; hit") }

func sessionChange(t *testing.T, id string, company int) session.Change {
	t.Helper()
	doc, err := session.Parse(fmt.Appendf(nil, `{"id": %q, "companyId": %d}`, id, company))
	if err != nil {
		t.Fatal(err)
	}
	return session.Change{Kind: session.KindSession, Session: doc}
}

func TestWithinASecondOfAnInvalidationAllGatewaysAnswerAnewAndOthersStayHits(t *testing.T) {
	at, bounds := followed(t, "Elasticsearch")
	plantSmallTree(t, at)
	gateways := []*servedGateway{serveAt(t, at, bounds...), serveAt(t, at, bounds...)}
	for _, g := range gateways {
		for _, company := range []int{2, 3} {
			eventually(t, "it is a hit", func() bool { _, status := countOf(t, g, company); return isPageHit(status) })
		}
	}
	foreign := openPlace(t, at) // it writes, and tells nobody
	if _, err := foreign.Write(t.Context(), []session.Change{sessionChange(t, "new", 2)}); err != nil {
		t.Fatal(err)
	}
	for i, g := range gateways {
		if count, status := countOf(t, g, 2); count != 2 || !isPageHit(status) {
			t.Errorf("gateway %d before it is told: %d, %s", i, count, status)
		}
	}
	command(t, at, nil, "invalidate", "--company", "2")
	told := time.Now()
	for i, g := range gateways {
		within(t, toldBound-time.Since(told), "the new data is answered", func() bool { count, _ := countOf(t, g, 2); return count == 3 })
		if count, status := countOf(t, g, 3); count != 1 || !isPageHit(status) {
			t.Errorf("gateway %d, a company that was not touched: %d, %s", i, count, status)
		}
	}
}

// An index that shows what is written to it after half a minute, an importer on
// its way, and a gateway that is asked all the time.
func TestAnImportOnItsWayIsNeverAnsweredAsItWasBeforeItTold(t *testing.T) {
	at := append(noIndices(t), sharedTierSettings(strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	at = append(at, "elasticsearch.refresh_interval=30s")
	command(t, at, nil, "index", "create")
	plantSmallTree(t, at)
	g := serveAt(t, at, "cache.fresh=1m", "cache.stale=10m")
	importer := newImporter(t, at)
	for written := int64(1); written <= 3; written++ {
		if _, err := importer.Write(t.Context(), []session.Change{sessionChange(t, fmt.Sprintf("new-%d", written), 2)}); err != nil {
			t.Fatal(err)
		}
		for range 5 { // answers of before, loaded behind the write
			if count, status := countOf(t, g, 2); count != 1+written {
				t.Errorf("what cannot be searched yet: %d, %s", count, status)
			}
		}
		if err := importer.finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		within(t, toldBound, "what was told of is answered", func() bool { count, _ := countOf(t, g, 2); return count == 2+written })
		for range 20 {
			if count, status := countOf(t, g, 2); count != 2+written {
				t.Fatalf("an answer of before, after one of afterwards: %d, %s", count, status)
			}
		}
	}
	if _, status := countOf(t, g, 2); !isPageHit(status) {
		t.Errorf("it is not a hit: %s", status)
	}
}

// newImporter is the writer of an import into the place.
func newImporter(t *testing.T, at place) *tellingWriter {
	t.Helper()
	cfg, err := config.LoadEngine(config.Sources{Set: at})
	if err != nil {
		t.Fatal(err)
	}
	var closers closeStack
	t.Cleanup(func() {
		if err := closers.close(); err != nil {
			t.Error(err)
		}
	})
	log, err := openToucher(cfg, &closers)
	if err != nil {
		t.Fatal(err)
	}
	return newTellingWriter(openPlace(t, at).(*elastic.Store), log, configFlags{})
}

// sameQuestion is how many ask for the same at the same time.
const sameQuestion = 500

func TestFiveHundredWhoAskTheSameOfTwoGatewaysAreOneLoadEach(t *testing.T) {
	dir, settings := smallTree(t), sharedTierSettings(strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))
	settings = append(settings, "engine=sqlite", "sqlite.dir="+dir)
	gates := []*gate{newGate(), newGate()}
	var gateways []*servedGateway
	for _, held := range gates {
		gateways = append(gateways, serveBy(t, held.serve, settings...))
	}
	const target = "/api/v1/sessions?showAllSupervised=true"
	leave, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first []<-chan error
	var others []<-chan reply
	for i, g := range gateways {
		token := g.supervisor(t, 1)
		left := make(chan error, 1)
		go func() {
			_, err := g.exchange(leave, http.MethodGet, g.url+target, token, nil)
			left <- err
		}()
		first = append(first, left)
		gates[i].awaitSearches(t, 2) // a page and a count
		for range sameQuestion/len(gateways) - 1 {
			others = append(others, g.begin(t, target, token))
		}
	}
	awaitCallers(t, sameQuestion)
	cancel()
	for _, left := range first {
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
	}
	awaitCallers(t, sameQuestion-len(first))
	for _, held := range gates {
		held.open()
	}
	for _, answer := range others {
		if r := <-answer; r.page(t).Count != 4 {
			t.Errorf("it counts %d sessions, want 4", r.page(t).Count)
		}
	}
	for i, held := range gates {
		if n := len(held.reached); n != 0 {
			t.Errorf("gateway %d has searched %d times more", i, n)
		}
	}
}

// Gateways that read the directory by themselves every fifteen seconds.
func TestWithinASecondOfAMoveOrAGrantAllGatewaysAnswerByTheNewDirectory(t *testing.T) {
	for engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			at, bounds := followed(t, engine)
			plantSmallTree(t, at)
			bounds = append(bounds, "directory.refresh=10s")
			gateways := []*servedGateway{serveAt(t, at, bounds...), serveAt(t, at, bounds...)}
			tokens := make([]string, len(gateways))
			for i, g := range gateways {
				tokens[i] = g.supervisor(t, 1)
			}
			answers := func(t *testing.T, want int64) {
				t.Helper()
				told := time.Now()
				for i, g := range gateways {
					within(t, toldBound-time.Since(told), fmt.Sprintf("gateway %d counts %d", i, want), func() bool {
						return g.get(t, "/api/v1/sessions?showAllSupervised=true", tokens[i]).page(t).Count == want
					})
				}
			}
			answers(t, 4)
			command(t, at, nil, "directory", "move", "2", "--parent", "9")
			answers(t, 2)
			importLinesInto(t, at, companyLine(2, 1))
			answers(t, 4)
		})
	}
}
