package journeys_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/tenancy"
)

// manyCompanies are below the overseer, beside those of the corpus; their ids
// begin behind manyBelow.
const (
	manyCompanies = 5000
	manyBelow     = 2_000_000
	manySummed    = 8000 // sessions of theirs
)

// companyOfNth spreads sessions unevenly.
func companyOfNth(n int) int { return manyBelow + 1 + n*n%4999%manyCompanies }

func linesOfMany() []string {
	var lines []string
	for i := range manyCompanies {
		lines = append(lines, harness.CompanyLine(manyBelow+1+i, overseer))
	}
	for n := range manySummed {
		lines = append(lines, harness.SessionLine(fmt.Sprintf("many-%05d", n), companyOfNth(n), fmt.Sprintf(`"status": "S%d"`, n%3)))
	}
	return lines
}

func TestSummariesOverHTTPAreTheSameOfBothEngines(t *testing.T) {
	corpus, err := searchtest.NewCorpus(2, 400)
	if err != nil {
		t.Fatal(err)
	}
	lines := append(linesOf(corpus), linesOfMany()...)
	embedded := harness.ServeAt(t, filled(t, harness.EmptyFolder(t), lines))
	elastic := harness.ServeAt(t, filled(t, harness.EmptyIndices(t), lines), "cache.fresh=0")
	both := func(ask func(g *harness.Gateway) harness.Reply) (harness.Reply, string) {
		a, b := ask(embedded), ask(elastic)
		if a.Status != b.Status || a.Status == http.StatusOK && !bytes.Equal(a.Body, b.Body) {
			return a, gocmp.Diff(string(a.Body), string(b.Body))
		}
		return a, ""
	}
	rapid.Check(t, func(rt *rapid.T) {
		q := corpus.Draw(rt)
		q.Query.NewestOfClient = false // no summary has it
		if !askable(q) {
			return
		}
		parameters := parametersOf(q)
		for _, name := range []string{"limit", "offset", "fields", "sort"} {
			delete(parameters, name)
		}
		parameters["interval"] = rapid.SampledFrom(search.Intervals()).Draw(rt, "interval")
		parameters["timezone"] = rapid.IntRange(-840, 840).Draw(rt, "timezone")
		if rapid.Bool().Draw(rt, "named zone") {
			parameters["timezone"] = rapid.SampledFrom([]string{"Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"}).Draw(rt, "zone")
		}
		parameters["facets"] = rapid.SliceOfNDistinct(rapid.SampledFrom(search.Facets()), 1, 3, rapid.ID[search.Facet]).Draw(rt, "facets")
		parameters["top"] = rapid.IntRange(1, 5).Draw(rt, "top")
		for _, name := range []string{"fill", "exceptOwn", "histogram"} {
			parameters[name] = rapid.Bool().Draw(rt, name)
		}
		r, diff := both(func(g *harness.Gateway) harness.Reply {
			return g.Post(t, "/api/v1/sessions/summary", g.Supervisor(t, overseer), parameters)
		})
		want, err := corpus.Answer(q)
		if err != nil {
			rt.Fatal(err)
		}
		if diff != "" || r.Status == http.StatusOK && summed(t, r).Count != want.Total || r.Status != http.StatusOK && r.Status != http.StatusBadRequest {
			rt.Fatalf("%v: status %d, %d match (-SQLite +Elasticsearch):\n%s", q, r.Status, want.Total, diff)
		}
	})
	r, diff := both(func(g *harness.Gateway) harness.Reply {
		return g.Get(t, "/api/v1/sessions/summary?showAllSupervised=true&status=S0,S1,S2", g.Supervisor(t, overseer))
	})
	if diff != "" {
		t.Errorf("5,000 companies (-SQLite +Elasticsearch):\n%s", diff)
	}
	wantMany(t, summed(t, r))
}

// summedUp is the body of a summary, as far as the tests look.
type summedUp struct {
	Count     int64
	Histogram struct{ WithoutDate int64 }
	Companies struct {
		Top []struct {
			ID    tenancy.CompanyID
			Name  string
			Count int64
		}
		Other struct{ Values, Count int64 }
	}
}

func summed(t *testing.T, r harness.Reply) summedUp {
	t.Helper()
	var s summedUp
	if err := json.Unmarshal(r.Body, &s); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	return s
}

// wantMany counts the companies' sessions by itself.
func wantMany(t *testing.T, got summedUp) {
	t.Helper()
	counts := map[int]int64{}
	for n := range manySummed {
		counts[companyOfNth(n)]++
	}
	var ids []int
	for id := range counts {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	var counted int64
	for i, share := range got.Companies.Top {
		if int(share.ID) != ids[i] || share.Count != counts[ids[i]] || share.Name != fmt.Sprintf("Company %d", ids[i]) {
			t.Errorf("place %d: %+v, want %d of company %d", i, share, counts[ids[i]], ids[i])
		}
		counted += share.Count
	}
	other := got.Companies.Other
	if len(got.Companies.Top) != search.DefaultTop || other.Values != int64(len(ids)-search.DefaultTop) || other.Count != manySummed-counted {
		t.Errorf("%d companies told, others %+v, want %d", len(got.Companies.Top), other, len(ids)-search.DefaultTop)
	}
	if got.Count != manySummed || got.Histogram.WithoutDate != manySummed {
		t.Errorf("%d sessions, %d without a date", got.Count, got.Histogram.WithoutDate)
	}
}

// A summary is kept for its scope, and made anew when one of its companies is
// written to.
func TestASummaryIsCachedUntilACompanyOfItsScopeChanges(t *testing.T) {
	dir := harness.SmallTree(t)
	g := harness.Serve(t, dir)
	g.AwaitReady(t)
	const target = "/api/v1/sessions/summary?showAllSupervised=true"
	one, other := g.Supervisor(t, 1), g.Supervisor(t, 9)
	before := summed(t, g.Get(t, target, one))
	g.Get(t, target, other)
	hit := func(token string) {
		t.Helper()
		if status := g.Get(t, target, token).Header.Get("Cache-Status"); !strings.HasPrefix(status, "scopegate-summary; hit") {
			t.Errorf("asked again: Cache-Status %q", status)
		}
	}
	hit(one)
	harness.ImportLines(t, dir, harness.SessionLine("one more", 2, ""))
	for summed(t, g.Get(t, target, one)).Count != before.Count+1 {
		time.Sleep(10 * time.Millisecond) // the test's own deadline bounds this
	}
	hit(other)
}
