package freshness_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/session"
)

// publishBound is the promise: from the moment somebody was told to the new answer.
const publishBound = time.Second

func TestWithinASecondOfAnInvalidationAllGatewaysAnswerAnewAndOthersStayHits(t *testing.T) {
	at, bounds := harness.WithRedis(t, "Elasticsearch")
	harness.PlantSmallTree(t, at)
	gateways := []*harness.Gateway{harness.ServeAt(t, at, bounds...), harness.ServeAt(t, at, bounds...)}
	for _, g := range gateways {
		for _, company := range []int{2, 3} {
			harness.Eventually(t, "it is a hit", func() bool { _, status := harness.CountOf(t, g, company); return harness.IsPageHit(status) })
		}
	}
	foreign := harness.OpenPlace(t, at) // it writes, and tells nobody
	if _, err := foreign.Write(t.Context(), []session.Change{harness.SessionChange(t, "new", 2)}); err != nil {
		t.Fatal(err)
	}
	for i, g := range gateways {
		if count, status := harness.CountOf(t, g, 2); count != 2 || !harness.IsPageHit(status) {
			t.Errorf("gateway %d before it is told: %d, %s", i, count, status)
		}
	}
	harness.Command(t, at, nil, "invalidate", "--company", "2")
	announced := time.Now()
	for i, g := range gateways {
		harness.Within(t, publishBound-time.Since(announced), "the new data is answered", func() bool { count, _ := harness.CountOf(t, g, 2); return count == 3 })
		if count, status := harness.CountOf(t, g, 3); count != 1 || !harness.IsPageHit(status) {
			t.Errorf("gateway %d, a company that was not touched: %d, %s", i, count, status)
		}
	}
}

// An index that shows what is written to it after half a minute, an importer on
// its way, and a gateway that is asked all the time.
func TestAnImportUnderWayIsNeverAnsweredAsBeforeOnceItHasPublished(t *testing.T) {
	at := append(harness.NoIndices(t), harness.RedisSettings(strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	at = append(at, "elasticsearch.refresh_interval=30s")
	harness.Command(t, at, nil, "index", "create")
	harness.PlantSmallTree(t, at)
	g := harness.ServeAt(t, at, "cache.fresh=1m", "cache.stale=10m")
	importer := newImporter(t, at)
	before := 0 // answers
	for written := int64(1); written <= 3; written++ {
		if _, err := importer.Write(t.Context(), []session.Change{harness.SessionChange(t, fmt.Sprintf("new-%d", written), 2)}); err != nil {
			t.Fatal(err)
		}
		for range 5 { // answers of before, loaded behind the write
			// The index may be refreshed early: a repetition of the last refresh, which a
			// busy Elasticsearch did not answer in time, may arrive after the write.
			switch count, status := harness.CountOf(t, g, 2); count {
			case 1 + written:
				before++
			case 2 + written:
			default:
				t.Errorf("what cannot be searched yet: %d, %s", count, status)
			}
		}
		if err := importer.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		harness.Within(t, publishBound, "what was told of is answered", func() bool { count, _ := harness.CountOf(t, g, 2); return count == 2+written })
		for range 20 {
			if count, status := harness.CountOf(t, g, 2); count != 2+written {
				t.Fatalf("an answer of before, after one of afterwards: %d, %s", count, status)
			}
		}
	}
	if before == 0 {
		t.Error("no answer was of before its import was published: this test has tried nothing")
	}
	if _, status := harness.CountOf(t, g, 2); !harness.IsPageHit(status) {
		t.Errorf("it is not a hit: %s", status)
	}
}

// newImporter is the writer of an import into the place.
func newImporter(t *testing.T, at harness.Place) *app.NotifyingWriter {
	t.Helper()
	cfg, err := config.LoadEngine(config.Sources{Set: at})
	if err != nil {
		t.Fatal(err)
	}
	var closers app.Closers
	t.Cleanup(func() {
		if err := closers.Close(); err != nil {
			t.Error(err)
		}
	})
	log, err := app.OpenPublisher(cfg, &closers)
	if err != nil {
		t.Fatal(err)
	}
	return app.NewNotifyingWriter(harness.OpenPlace(t, at).(*elastic.Store), log, "scopegate invalidate")
}

// sameQuestion is how many ask for the same at the same time.
const sameQuestion = 500

func TestFiveHundredWhoAskTheSameOfTwoGatewaysAreOneLoadEach(t *testing.T) {
	// A gateway whose log of invalidations was not read for two seconds, as on a
	// machine that is busy with other tests, shares no load that began before: it may
	// load once more, and then the same is tried again.
	const attempts = 3
	for range attempts {
		if moreSearches := askTheSame(t); moreSearches == 0 {
			return
		} else if moreSearches > 4 {
			t.Fatalf("the gateways have searched %d times more", moreSearches)
		}
	}
	t.Errorf("the gateways have searched more than once each in all of %d attempts", attempts)
}

// askTheSame has many ask the same of two gateways, and returns how often these have
// searched beyond a page and a count each.
func askTheSame(t *testing.T) (moreSearches int) {
	t.Helper()
	dir, settings := harness.SmallTree(t), harness.RedisSettings(strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))
	settings = append(settings, "engine=sqlite", "sqlite.dir="+dir)
	gates := []*harness.Gate{harness.NewGate(), harness.NewGate()}
	var gateways []*harness.Gateway
	for _, held := range gates {
		gateways = append(gateways, harness.ServeBy(t, held.Serve, settings...))
	}
	const target = "/api/v1/sessions?showAllSupervised=true"
	leave, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first []<-chan error
	var others []<-chan harness.Reply
	for i, g := range gateways {
		token := g.Supervisor(t, 1)
		left := make(chan error, 1)
		go func() {
			_, err := g.Exchange(leave, http.MethodGet, g.URL+target, token, nil)
			left <- err
		}()
		first = append(first, left)
		gates[i].AwaitSearches(t, 2) // a page and a count
		for range sameQuestion/len(gateways) - 1 {
			others = append(others, g.Begin(t, target, token))
		}
	}
	harness.AwaitCallers(t, sameQuestion)
	cancel()
	for _, left := range first {
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
	}
	harness.AwaitCallers(t, sameQuestion-len(first))
	for _, held := range gates {
		held.Open()
	}
	for _, answer := range others {
		if r := <-answer; r.Page(t).Count != 4 {
			t.Errorf("it counts %d sessions, want 4", r.Page(t).Count)
		}
	}
	for _, held := range gates {
		moreSearches += len(held.Reached)
	}
	for _, g := range gateways {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	}
	return moreSearches
}

// Gateways that read the directory by themselves every fifteen seconds.
func TestWithinASecondOfAMoveOrAGrantAllGatewaysAnswerByTheNewDirectory(t *testing.T) {
	for engine := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at, bounds := harness.WithRedis(t, engine)
			harness.PlantSmallTree(t, at)
			bounds = append(bounds, "directory.refresh=10s")
			gateways := []*harness.Gateway{harness.ServeAt(t, at, bounds...), harness.ServeAt(t, at, bounds...)}
			tokens := make([]string, len(gateways))
			for i, g := range gateways {
				tokens[i] = g.Supervisor(t, 1)
			}
			answers := func(t *testing.T, want int64) {
				t.Helper()
				announced := time.Now()
				for i, g := range gateways {
					harness.Within(t, publishBound-time.Since(announced), fmt.Sprintf("gateway %d counts %d", i, want), func() bool {
						return g.Get(t, "/api/v1/sessions?showAllSupervised=true", tokens[i]).Page(t).Count == want
					})
				}
			}
			answers(t, 4)
			harness.Command(t, at, nil, "directory", "move", "2", "--parent", "9")
			answers(t, 2)
			harness.ImportLinesInto(t, at, harness.CompanyLine(2, 1))
			answers(t, 4)
		})
	}
}
