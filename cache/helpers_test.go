package cache

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is the searcher behind the cache. It answers every query with page
// and total, and remembers what it was asked.
type engine struct {
	mu     sync.Mutex
	asked  []asked
	total  int64
	page   search.Page
	before func(ctx context.Context, q search.Query) error // may block or fail
}

type asked struct {
	fingerprint tenancy.Fingerprint
	query       search.Query
}

func (e *engine) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	e.mu.Lock()
	e.asked = append(e.asked, asked{scope.Fingerprint(), q})
	before := e.before
	e.mu.Unlock()
	if before != nil {
		if err := before(ctx, q); err != nil {
			return search.Result{}, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var r search.Result
	if !q.WithoutCount {
		r.Count.Total = e.total
	}
	if !q.WithoutItems {
		r.Page = e.page
	}
	return r, nil
}

// holds changes what the engine answers from now on.
func (e *engine) holds(total int64, page search.Page) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total, e.page = total, page
}

func (e *engine) hold(before func(context.Context, search.Query) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before = before
}

// searches is how many count and page searches there were.
func (e *engine) searches() (counts, pages int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.asked {
		if !a.query.WithoutCount {
			counts++
		}
		if !a.query.WithoutItems {
			pages++
		}
	}
	return counts, pages
}

func (e *engine) wantSearches(t *testing.T, counts, pages int) {
	t.Helper()
	if gotCounts, gotPages := e.searches(); gotCounts != counts || gotPages != pages {
		t.Errorf("the engine ran %d counts and %d pages, want %d and %d", gotCounts, gotPages, counts, pages)
	}
}

// rows makes a page's rows, each with a position.
func rows(n int) []search.Row {
	list := make([]search.Row, n)
	for i := range list {
		list[i] = search.Row{
			CompanyID: 1,
			JSON:      json.RawMessage(fmt.Sprintf(`{"id":"s%d"}`, i)),
			Position:  search.Position{Values: []json.RawMessage{json.RawMessage(fmt.Sprintf(`"s%d"`, i))}},
		}
	}
	return list
}

// full is a page that more rows follow.
func full() search.Page { return search.Page{Rows: rows(10), More: true} }

func newEngine() *engine { return &engine{total: 25, page: full()} }

// What tests that say nothing else have for Options.
const (
	testFresh        = 5 * time.Second
	testStale        = time.Minute
	testStaleIfError = 10 * time.Minute
)

// testOptions are the options with what tests leave out.
func testOptions(o Options) Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 64<<20)
	o.Fresh = cmp.Or(o.Fresh, testFresh)
	o.Stale = cmp.Or(o.Stale, max(o.Fresh, testStale))
	o.StaleIfError = cmp.Or(o.StaleIfError, max(o.Stale, testStaleIfError))
	o.LoadTimeout = cmp.Or(o.LoadTimeout, 15*time.Second)
	return o.withDefaults()
}

func newCache(tb testing.TB, next search.Searcher, o Options) *Cache {
	tb.Helper()
	c, err := New(next, testOptions(o))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// mustSearch fails the test on an error; it may be called in any goroutine.
func mustSearch(t *testing.T, c search.Searcher, scope tenancy.Scope, q search.Query) search.Result {
	t.Helper()
	r, err := c.Search(t.Context(), scope, q)
	if err != nil {
		t.Errorf("Search: %v", err)
	}
	return r
}

// query is a plain first page.
func query() search.Query {
	return search.Query{Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 10}
}

func queryAt(offset int) search.Query {
	q := query()
	q.Offset = offset
	return q
}

// outcomes is how count and page were come by.
func outcomes(r search.Result) string {
	name := func(s search.Provenance) string {
		switch {
		case s.Hit():
			return s.Tier
		case s.Shared:
			return "shared"
		}
		return "engine"
	}
	return name(r.Count.Provenance) + " " + name(r.Page.Provenance)
}

func countKey(c *Cache, scope tenancy.Scope, q search.Query) key {
	return c.data().keys.of((*countPart)(&q), scope)
}

func pageKey(c *Cache, scope tenancy.Scope, q search.Query) key {
	return c.data().keys.of((*pagePart)(&q), scope)
}

func pageEntry(m meta, p search.Page) *entry[page] {
	return &entry[page]{meta: m, value: page{rows: p.Rows, more: p.More}}
}
