package limits

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Costs of loads. A page without a keyword is 1. They are rough: of loads that take
// about as long as each other, an account gets as many as another one.
const (
	// Every match is read.
	summaryCost = 4
	// An export first counts, and opens a snapshot.
	exportCost = 4
	// A keyword is looked for in an index of three letters and more; a shorter word is
	// compared with every session of the scope.
	keywordCost, shortKeywordCost = 1, 3
	shortWord                     = 3
	// A page this deep is walked to, and a scope this wide is a long condition.
	deepCost, deepOffset = 2, 10_000
	wideCost, wideScope  = 1, 1_000
)

// searchCost is the cost of a count or a page.
func searchCost(scope tenancy.Scope, q search.Query) int {
	cost := 1 + filterCost(scope, q.Filter)
	if !q.WithoutItems && q.Offset > deepOffset {
		cost += deepCost
	}
	return cost
}

func filterCost(scope tenancy.Scope, f search.Filter) (cost int) {
	if scope.Len() > wideScope {
		cost += wideCost
	}
	if f.Keyword.IsZero() {
		return cost
	}
	for _, word := range f.Keyword.Words() {
		if utf8.RuneCountInString(word) < shortWord {
			return cost + shortKeywordCost
		}
	}
	return cost + keywordCost
}

// inTurn runs ask when its turn has come, and returns how long that took. With an empty
// scope nothing matches, and it does not wait.
func inTurn[R any](ctx context.Context, e *Engine, scope tenancy.Scope, cost int, ask func() (R, error)) (r R, waited time.Duration, err error) {
	if scope.IsEmpty() {
		r, err = ask()
		return r, 0, err
	}
	waited, err = e.do(ctx, cost, func() (err error) {
		r, err = ask()
		return err
	})
	return r, waited, err
}

// Searcher lets the searches of next begin when their turn has come.
func (e *Engine) Searcher(next search.Searcher) search.Searcher {
	return engineSearcher{engine: e, next: next}
}

type engineSearcher struct {
	engine *Engine
	next   search.Searcher
}

// Search implements search.Searcher. It also returns search.ErrBusy and
// search.ErrTooManyLoads.
func (s engineSearcher) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	cost := searchCost(scope, q)
	if !q.WithoutCount && !q.WithoutItems {
		cost *= 2 // both are loads
	}
	r, waited, err := inTurn(ctx, s.engine, scope, cost, func() (search.Result, error) { return s.next.Search(ctx, scope, q) })
	r.Count.Provenance.Queued, r.Page.Provenance.Queued = waited, waited
	return r, err
}

// Summarizer does for summaries what Searcher does for searches.
func (e *Engine) Summarizer(next search.Summarizer) search.Summarizer {
	return engineSummarizer{engine: e, next: next}
}

type engineSummarizer struct {
	engine *Engine
	next   search.Summarizer
}

// Summarize implements search.Summarizer. It also returns search.ErrBusy and
// search.ErrTooManyLoads.
func (s engineSummarizer) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	summary, waited, err := inTurn(ctx, s.engine, scope, summaryCost+filterCost(scope, q.Filter), func() (search.Summary, error) {
		return s.next.Summarize(ctx, scope, q)
	})
	summary.Provenance.Queued = waited
	return summary, err
}

// Snapshotter lets snapshots be opened when their turn has come. Their rows are read
// without waiting: Exports bounds how many are read at a time.
func (e *Engine) Snapshotter(next search.Snapshotter) search.Snapshotter {
	return engineSnapshotter{engine: e, next: next}
}

type engineSnapshotter struct {
	engine *Engine
	next   search.Snapshotter
}

// Snapshot implements search.Snapshotter. It also returns search.ErrBusy and
// search.ErrTooManyLoads.
func (s engineSnapshotter) Snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	snapshot, _, err := inTurn(ctx, s.engine, scope, exportCost+filterCost(scope, q.Filter), func() (search.Snapshot, error) {
		return s.next.Snapshot(ctx, scope, q)
	})
	return snapshot, err
}
