package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestASecondSearchIsAHitForCountAndPage(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c := newCache(t, next, Options{})
		start := time.Now()

		first := mustSearch(t, c, scope, query())
		want := search.Provenance{Stored: true, LoadedAt: start, TTL: 5 * time.Second}
		if diff := cmp.Diff(want, first.Page.Provenance); diff != "" {
			t.Errorf("page of a miss (-want +got):\n%s", diff)
		}

		time.Sleep(2 * time.Second)
		second := mustSearch(t, c, scope, query())
		want = search.Provenance{Tier: "memory", LoadedAt: start, TTL: 3 * time.Second}
		if diff := cmp.Diff(want, second.Page.Provenance); diff != "" {
			t.Errorf("page of a hit (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, second.Count.Provenance); diff != "" {
			t.Errorf("count of a hit (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(first.Page.Rows, second.Page.Rows); diff != "" || !second.Page.More || second.Count.Total != 25 {
			t.Errorf("a hit answered otherwise than its miss: %s", diff)
		}
		next.wantSearches(t, 1, 1)
	})
}

func TestAnEntryIsNotServedOnceItIsStale(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c := newCache(t, next, Options{Fresh: time.Second})
		mustSearch(t, c, scope, query())
		time.Sleep(time.Second - 1)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("just fresh: %s", got)
		}
		next.holds(26, full())
		time.Sleep(time.Nanosecond)
		r := mustSearch(t, c, scope, query())
		if got := outcomes(r); got != "engine engine" || r.Count.Total != 26 {
			t.Errorf("just stale: %s, total %d", got, r.Count.Total)
		}
	})
}

func TestFreshnessCountsFromBeforeTheSearch(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		next.hold(func(context.Context, search.Query) error { time.Sleep(2 * time.Second); return nil })
		c := newCache(t, next, Options{Fresh: 5 * time.Second})
		start := time.Now()
		r := mustSearch(t, c, scope, query())
		want := search.Provenance{Stored: true, LoadedAt: start, TTL: 3 * time.Second}
		if diff := cmp.Diff(want, r.Count.Provenance); diff != "" {
			t.Errorf("count (-want +got):\n%s", diff)
		}

		next.hold(func(context.Context, search.Query) error { time.Sleep(6 * time.Second); return nil })
		r = mustSearch(t, c, scope, queryAt(10))
		if s := r.Page.Provenance; s.Stored || s.TTL != 0 {
			t.Errorf("a page that was stale when it came is kept: %+v", s)
		}
	})
}

func TestTheClockIsTheGivenOne(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	var now atomic.Int64
	now.Store(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	c := newCache(t, newEngine(), Options{now: func() time.Time { return time.Unix(0, now.Load()) }})
	mustSearch(t, c, scope, query())
	now.Add(int64(testFresh) - 1)
	if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
		t.Errorf("fresh by the given clock: %s", got)
	}
	now.Add(1)
	if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
		t.Errorf("stale by the given clock: %s", got)
	}
}

func TestWhatDoesNotChangeTheCountSharesIt(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	change := map[string]func(*search.Query){
		"another offset":   func(q *search.Query) { q.Offset = 10 },
		"another limit":    func(q *search.Query) { q.Limit = 5 },
		"another sort":     func(q *search.Query) { q.Sort = search.NormalizeSort([]search.SortKey{{Field: "name"}}) },
		"fewer fields":     func(q *search.Query) { q.Fields = session.FieldSet{}.With(0) },
		"behind a cursor":  func(q *search.Query) { q.After = &search.Position{Values: []json.RawMessage{[]byte("1")}} },
		"no items":         func(q *search.Query) { q.WithoutItems = true },
		"default sort cut": func(q *search.Query) { q.Sort = nil },
	}
	for name, change := range change {
		t.Run(name, func(t *testing.T) {
			next := newEngine()
			c := newCache(t, next, Options{})
			mustSearch(t, c, scope, query())
			q := query()
			change(&q)
			r := mustSearch(t, c, scope, q)
			if !r.Count.Provenance.Hit() || r.Count.Total != 25 {
				t.Errorf("the count was not the kept one: %+v", r.Count)
			}
			if counts, _ := next.searches(); counts != 1 {
				t.Errorf("the engine counted %d times", counts)
			}
		})
	}
}

func TestEachPartIsAskedForOnlyWhenWanted(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	c := newCache(t, next, Options{})
	q := query()
	q.WithoutCount = true
	if r := mustSearch(t, c, scope, q); r.Count != (search.Count{}) || len(r.Page.Rows) != 10 {
		t.Errorf("without count: %+v", r)
	}
	next.wantSearches(t, 0, 1)
	q = query()
	q.WithoutItems = true
	if r := mustSearch(t, c, scope, q); r.Count.Total != 25 || r.Page.Rows != nil || !r.Page.Provenance.LoadedAt.IsZero() {
		t.Errorf("without items: %+v", r)
	}
	next.wantSearches(t, 1, 1)
	if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
		t.Errorf("both, each known: %s", got)
	}
}

func TestDifferentScopesNeverShare(t *testing.T) {
	scopes := []tenancy.Scope{
		tenancytest.Scope(t, 1), tenancytest.Scope(t, 2),
		tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 1, 2, 3),
	}
	next := newEngine()
	c := newCache(t, next, Options{})
	for range 2 { // the second time all are kept
		for i, scope := range scopes {
			next.holds(int64(100+i), full())
			if r := mustSearch(t, c, scope, query()); r.Count.Total != int64(100+i) {
				t.Errorf("scope %d got the count of scope %d", i, r.Count.Total-100)
			}
		}
	}
	next.wantSearches(t, len(scopes), len(scopes))
	for i, a := range next.asked {
		if want := scopes[i/2].Fingerprint(); a.fingerprint != want {
			t.Errorf("search %d was asked with another scope", i)
		}
	}
}

func TestEqualScopesShare(t *testing.T) {
	next := newEngine()
	c := newCache(t, next, Options{})
	mustSearch(t, c, tenancytest.Scope(t, 1, 2), query())
	if got := outcomes(mustSearch(t, c, tenancytest.Scope(t, 2, 1), query())); got != "memory memory" {
		t.Errorf("the same companies: %s", got)
	}
}

func TestNothingIsStoredForSearchesWithoutAnAnswer(t *testing.T) {
	both := query()
	both.WithoutCount, both.WithoutItems = true, true
	for name, tt := range map[string]struct {
		scope tenancy.Scope
		query search.Query
	}{
		"empty scope":  {tenancy.Scope{}, query()},
		"neither part": {tenancytest.Scope(t, 1), both},
	} {
		t.Run(name, func(t *testing.T) {
			next := newEngine()
			c := newCache(t, next, Options{})
			mustSearch(t, c, tt.scope, tt.query)
			mustSearch(t, c, tt.scope, tt.query)
			if stored, _ := c.memory.size(); len(next.asked) != 2 || stored != 0 {
				t.Errorf("the engine was asked %d times, %d entries are kept", len(next.asked), stored)
			}
		})
	}
}

func TestAPageThatEndsTheListCountsIt(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	after := query()
	after.After = &search.Position{Values: []json.RawMessage{[]byte("1")}}
	for name, tt := range map[string]struct {
		query search.Query
		page  search.Page
		total int64 // -1: not proven
	}{
		"first and only page":    {queryAt(0), search.Page{Rows: rows(3)}, 3},
		"nothing at all":         {queryAt(0), search.Page{}, 0},
		"last page":              {queryAt(20), search.Page{Rows: rows(5)}, 25},
		"full last page":         {queryAt(20), search.Page{Rows: rows(10)}, 30},
		"more rows follow":       {queryAt(20), search.Page{Rows: rows(10), More: true}, -1},
		"offset behind the end":  {queryAt(40), search.Page{}, -1},
		"starts behind a cursor": {after, search.Page{Rows: rows(3)}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			total, proven := provenTotal(tt.query, page{rows: tt.page.Rows, more: tt.page.More})
			if want := tt.total >= 0; proven != want || (proven && int64(total) != tt.total) {
				t.Fatalf("provenTotal = %d, %v, want %d", total, proven, tt.total)
			}
			next := newEngine()
			next.holds(99, tt.page)
			c := newCache(t, next, Options{})
			withoutCount := tt.query
			withoutCount.WithoutCount = true
			mustSearch(t, c, scope, withoutCount)

			r := mustSearch(t, c, scope, tt.query)
			want, counts := tt.total, 0
			if tt.total < 0 {
				want, counts = 99, 1
			}
			if r.Count.Total != want {
				t.Errorf("total %d, want %d", r.Count.Total, want)
			}
			next.wantSearches(t, counts, 1)
		})
	}
}

func TestAShortPageCorrectsAnOlderCount(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c := newCache(t, next, Options{})
		mustSearch(t, c, scope, query()) // 25, and a full first page

		time.Sleep(time.Second)
		next.holds(99, search.Page{Rows: rows(4)})
		r := mustSearch(t, c, scope, queryAt(20))
		if r.Count.Total != 24 || r.Count.Provenance.Hit() || !r.Count.Provenance.Stored {
			t.Errorf("count beside a last page of 4 at 20: %+v", r.Count)
		}
		if r := mustSearch(t, c, scope, query()); r.Count.Total != 24 || outcomes(r) != "memory memory" {
			t.Errorf("the corrected count is not the kept one: %d, %s", r.Count.Total, outcomes(r))
		}
		next.wantSearches(t, 1, 2)
	})
}

func TestAnOlderPageDoesNotCorrectANewerCount(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		next.holds(3, search.Page{Rows: rows(3)})
		c := newCache(t, next, Options{})
		page := query()
		page.WithoutCount = true
		mustSearch(t, c, scope, page)

		time.Sleep(time.Second)
		next.holds(4, search.Page{Rows: rows(4)})
		count := query()
		count.WithoutItems = true
		mustSearch(t, c, scope, count)
		if r := mustSearch(t, c, scope, query()); r.Count.Total != 4 {
			t.Errorf("total %d, want the newer 4", r.Count.Total)
		}
	})
}

func TestAPageThatIsTooHeavyIsNotStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	next.holds(25, search.Page{More: true, Rows: []search.Row{{
		CompanyID: 1, JSON: json.RawMessage(`{"id":"` + strings.Repeat("x", 4000) + `"}`),
	}}})
	c := newCache(t, next, Options{MaxBytes: 1 << 20, maxEntryBytes: 2000})
	first := mustSearch(t, c, scope, query())
	if first.Page.Provenance.Stored || !first.Count.Provenance.Stored || len(first.Page.Rows) != 1 {
		t.Errorf("page %+v, count %+v", first.Page.Provenance, first.Count.Provenance)
	}
	if got := outcomes(mustSearch(t, c, scope, query())); got != "memory engine" {
		t.Errorf("again: %s", got)
	}
}

func TestWhatIsHeldStaysBounded(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	const maxBytes = 64 << 10
	c := newCache(t, newEngine(), Options{MaxBytes: maxBytes})
	for offset := range 500 {
		q := queryAt(offset)
		q.WithoutCount = true
		mustSearch(t, c, scope, q)
	}
	if _, held := c.memory.size(); held > maxBytes || held < maxBytes/2 {
		t.Errorf("%d bytes are held, want nearly %d", held, maxBytes)
	}
	var weight int64
	for e := range c.memory.entries.Values() {
		weight += e.weight()
	}
	if weight > maxBytes {
		t.Errorf("the entries weigh %d, the bound is %d", weight, maxBytes)
	}
}

func TestReadersCannotChangeWhatIsStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	c := newCache(t, next, Options{})
	want := rows(10)
	for range 3 {
		r := mustSearch(t, c, scope, query())
		if diff := cmp.Diff(want, r.Page.Rows); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
		_ = append(r.Page.Rows[0].JSON, "overrun"...)
		_ = append(r.Page.Rows[0].Position.Values[0], "overrun"...)
		clear(r.Page.Rows)
		clear(next.page.Rows[:1]) // nor can the engine, with what it gave
		next.holds(25, full())
	}
	next.wantSearches(t, 1, 1)
}

func TestRevalidationAsksTheEngineAndRenewsWhatIsStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	c := newCache(t, next, Options{})
	mustSearch(t, c, scope, query())
	next.holds(26, full())
	r, err := c.Search(WithMaxAge(t.Context(), 0), scope, query())
	if err != nil || outcomes(r) != "engine engine" || r.Count.Total != 26 {
		t.Errorf("revalidated: %v, %s, total %d", err, outcomes(r), r.Count.Total)
	}
	if r := mustSearch(t, c, scope, query()); outcomes(r) != "memory memory" || r.Count.Total != 26 {
		t.Errorf("after it: %s, total %d", outcomes(r), r.Count.Total)
	}
}

func TestACallersMaxAgeBoundsWhatTheCacheAnswers(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	var now atomic.Int64
	now.Store(int64(time.Hour))
	c := newCache(t, next, Options{now: func() time.Time { return time.Unix(0, now.Load()) }})
	mustSearch(t, c, scope, query())
	now.Add(int64(2 * time.Second))
	for _, step := range []struct {
		age  time.Duration
		want string
	}{
		{3 * time.Second, "memory memory"}, {2 * time.Second, "memory memory"}, {time.Second, "engine engine"},
		{time.Second, "memory memory"}, {0, "engine engine"},
	} {
		r, err := c.Search(WithMaxAge(t.Context(), step.age), scope, query())
		if err != nil || outcomes(r) != step.want {
			t.Errorf("at most %s old: %s, %v, want %s", step.age, outcomes(r), err, step.want)
		}
	}
	next.wantSearches(t, 3, 3)
}

func TestTheAgeOfACachedAnswerOfTheEngineIsPassedOn(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		loadedAt := time.Now()
		time.Sleep(2 * time.Second)
		next := newEngine()
		next.page.Provenance = search.Provenance{LoadedAt: loadedAt, Took: time.Millisecond}
		c := newCache(t, next, Options{})
		r := mustSearch(t, c, scope, query())
		want := search.Provenance{Stored: true, LoadedAt: loadedAt, TTL: 3 * time.Second, Took: time.Millisecond}
		if diff := cmp.Diff(want, r.Page.Provenance); diff != "" {
			t.Errorf("page (-want +got):\n%s", diff)
		}
	})
}

func TestOptionsAreValidated(t *testing.T) {
	for name, tt := range map[string]struct {
		next    search.Searcher
		options Options
		want    string
	}{
		"no searcher":       {nil, Options{}, "no searcher"},
		"negative bytes":    {newEngine(), Options{MaxBytes: -1}, "MaxBytes"},
		"negative life":     {newEngine(), Options{Fresh: -1}, "Fresh"},
		"jitter over 1":     {newEngine(), Options{Jitter: 1.1}, "Jitter"},
		"negative deadline": {newEngine(), Options{LoadTimeout: -1}, "LoadTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tt.next, testOptions(tt.options)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New: %v, want a fault of %s", err, tt.want)
			}
		})
	}
}

func TestSearchesAfterCloseFail(t *testing.T) {
	c := newCache(t, newEngine(), Options{})
	c.Close()
	if _, err := c.Search(t.Context(), tenancytest.Scope(t, 1), query()); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("Search after Close: %v", err)
	}
}

func TestCompactRowsAreEqualAndApart(t *testing.T) {
	given := append(rows(3), search.Row{CompanyID: 7}, search.Row{JSON: json.RawMessage(`{}`), Position: search.Position{Values: []json.RawMessage{nil, []byte("null")}}})
	stored := compact(given)
	if diff := cmp.Diff(given, stored); diff != "" {
		t.Fatalf("compact (-want +got):\n%s", diff)
	}
	want := bytes.Clone(stored[0].JSON)
	for i := range given[0].JSON {
		given[0].JSON[i] = '!'
	}
	if !bytes.Equal(stored[0].JSON, want) {
		t.Error("the kept row shares the given one's bytes")
	}
}

func TestABoundAFreshnessAndADeadlineAreRequired(t *testing.T) {
	_, err := New(newEngine(), Options{})
	for _, name := range []string{"MaxBytes", "Fresh", "LoadTimeout"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New: %v, want a fault of %s", err, name)
		}
	}
}

func TestAReadyAnswerCountsTowardsTheBoundsOfMemory(t *testing.T) {
	const maxBytes, maxEntryBytes = 64 << 10, 8 << 10
	m, err := newMemory(testOptions(Options{MaxBytes: maxBytes, maxEntryBytes: maxEntryBytes}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	plain := pageEntry(meta{loadedAt: time.Now()}, full())
	with := func(ready int, k byte) *entry[page] {
		e := *plain
		e.key, e.ready = key{k}, make([]byte, ready)
		return &e
	}
	heavy := with(maxEntryBytes-int(plain.weight()), 0)
	if got := heavy.weight(); got != maxEntryBytes {
		t.Errorf("%d bytes of an answer weigh %d", len(heavy.ready), got-plain.weight())
	}
	if !m.put(heavy, time.Now()) || m.put(with(len(heavy.ready)+1, 0), time.Now()) {
		t.Error("the bound of an entry does not count the answer")
	}
	for k := range byte(100) {
		m.put(with(4<<10, k), time.Now())
	}
	if entries, held := m.size(); held > maxBytes || entries > maxBytes/(4<<10) {
		t.Errorf("%d entries of %d bytes are held, the bound is %d", entries, held, maxBytes)
	}
	if plainBody, body := appendEntry(nil, plain), appendEntry(nil, with(1, 0)); len(body) != len(plainBody) {
		t.Error("the answer leaves the process")
	}
}
