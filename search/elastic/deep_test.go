package elastic

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// counting counts searches and points in time on their way to a real Elasticsearch.
// It does not count the periodic requests about the index and its nodes.
type counting struct {
	http.Transport

	requests atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost || r.Method == http.MethodDelete {
		c.requests.Add(1)
	}
	return c.Transport.RoundTrip(r)
}

// deepStore opens a store with small windows on the index of another store.
func deepStore(tb testing.TB, s *Store) (*Store, *counting) {
	tb.Helper()
	transport := &counting{}
	tb.Cleanup(transport.CloseIdleConnections)
	deep := openWith(tb, Options{Addresses: []string{address(tb)}, Index: s.options.Index, Transport: transport})
	deep.limits.window, deep.limits.anchorEvery = 40, 5
	return deep, transport
}

const deepSessions = 600

func deepSession(tb testing.TB, n int, date string) session.Document {
	tb.Helper()
	return newSession(tb, fmt.Sprintf("deep-%04d", n*7919%deepSessions), 7, values{"startedAt": date, "name": fmt.Sprint("name ", n%9)})
}

func filledDeep(tb testing.TB) *Store {
	tb.Helper()
	s := openSessions(tb, conformanceShards)
	docs := make([]session.Document, deepSessions)
	for n := range docs {
		docs[n] = deepSession(tb, n, fmt.Sprintf("2024-03-01T%02d:%02d:00.000Z", n/60, n%60))
	}
	write(tb, s, docs...)
	return s
}

// A deep page costs one walk. After it, pages near it in the same order cost a few
// requests, also when sessions were written before them.
func TestTheNeighboursOfADeepPageAreCheap(t *testing.T) {
	t.Parallel()
	s := filledDeep(t)
	deep, counter := deepStore(t, s)
	scope := tenancytest.Scope(t, 7)
	for name, keys := range map[string][]search.SortKey{
		"the default order":   search.DefaultSort(),
		"by id":               {{Field: "id"}},
		"by id downwards":     {{Field: "id", Desc: true}},
		"by a name that many": {{Field: "name"}, {Field: "id", Desc: true}},
		"by what all miss":    {{Field: "rating"}, {Field: "id"}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := everything()
			whole.Sort, whole.Limit = keys, 1000
			page := func(offset int) (requests int64) {
				t.Helper()
				want, err := s.Search(t.Context(), scope, whole)
				if err != nil {
					t.Fatal(err)
				}
				q := whole
				q.Offset, q.Limit = offset, 10
				before := counter.requests.Load()
				got, err := deep.Search(t.Context(), scope, q)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(ids(t, want.Page)[offset:offset+10], ids(t, got.Page)); diff != "" {
					t.Errorf("offset %d (-want +got):\n%s", offset, diff)
				}
				if got.Count.Total != want.Count.Total {
					t.Errorf("offset %d: count %d, want %d", offset, got.Count.Total, want.Count.Total)
				}
				return counter.requests.Load() - before
			}
			const few = 4 // open, count up to the anchor, page, close
			if n := page(500); n < 10 {
				t.Errorf("the first deep page took %d requests: the test is of no use", n)
			}
			for _, offset := range []int{510, 490, 500, 470, 430} {
				if n := page(offset); n > few+1 {
					t.Errorf("offset %d took %d requests, want at most %d", offset, n, few+1)
				}
			}
			write(t, s, newSession(t, "deep-0000-a", 7, values{"startedAt": "2025-01-01T00:00:00.000Z", "name": "a"}),
				newSession(t, "deep-9999-a", 7, values{"startedAt": "2025-01-01T00:00:00.000Z", "name": "name"}))
			for _, offset := range []int{500, 480} {
				if n := page(offset); n > few+3 {
					t.Errorf("after writing, offset %d took %d requests, want at most %d", offset, n, few+3)
				}
			}
			if _, err := s.Write(t.Context(), []session.Change{gone("deep-0000-a"), gone("deep-9999-a")}); err != nil {
				t.Fatal(err)
			}
			if n := page(500); n > few+1 {
				t.Errorf("after deleting, offset 500 took %d requests, want at most %d", n, few+1)
			}
		})
	}
}

// A wrong anchor never makes a page wrong.
func TestAnAnchorThatLiesMakesNoPageWrong(t *testing.T) {
	t.Parallel()
	s := filledDeep(t)
	deep, _ := deepStore(t, s)
	scope := tenancytest.Scope(t, 7)
	whole := everything()
	whole.Sort, whole.Limit = []search.SortKey{{Field: "name"}, {Field: "id"}}, 1000
	want, err := s.Search(t.Context(), scope, whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]int{"too far": 550, "far too early": 3, "at the end": deepSessions - 1, "right": 449} {
		q := whole
		q.Offset, q.Limit = 450, 10
		place := want.Page.Rows[of].Position
		if place.Values == nil {
			t.Fatal("no position")
		}
		deep.anchors.Add(newAnchorKey(scope, q), paging.Anchor{Rows: 450, Position: place})
		got, err := deep.Search(t.Context(), scope, q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(t, want.Page)[450:460], ids(t, got.Page)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// BenchmarkDeepPage reads a page past many windows, with and without anchors near
// it, and the first page for comparison.
func BenchmarkDeepPage(b *testing.B) {
	deep, counter := deepStore(b, filledDeep(b))
	scope := tenancytest.Scope(b, 7)
	for name, at := range map[string]struct {
		offset int
		forget bool
	}{"first": {0, false}, "deep, cold": {500, true}, "deep, warm": {500, false}} {
		b.Run(name, func(b *testing.B) {
			before := counter.requests.Load()
			for b.Loop() {
				if at.forget {
					deep.anchors = paging.NewAnchors(anchorBytes)
				}
				q := everything()
				q.Offset, q.WithoutCount = at.offset, true
				if _, err := deep.Search(b.Context(), scope, q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(counter.requests.Load()-before)/float64(b.N), "requests/op")
		})
	}
}
