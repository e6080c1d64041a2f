package limits

import (
	"context"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Searcher admits the searches of next. It is for a gateway without a cache. A
// cache calls Loads itself, since callers share its loads.
func (l *Loads) Searcher(next search.Searcher) search.Searcher {
	return searcher{loads: l, next: next}
}

type searcher struct {
	loads *Loads
	next  search.Searcher
}

// Search implements search.Searcher. It also returns the errors of Loads.Admit.
func (s searcher) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	n := 0
	if !q.WithoutCount {
		n++
	}
	if !q.WithoutItems {
		n++
	}
	done, err := s.loads.admitAll(ctx, scope, n)
	if err != nil {
		return search.Result{}, err
	}
	defer done()
	return s.next.Search(ctx, scope, q)
}

// Summarizer does for summaries what Searcher does for searches.
func (l *Loads) Summarizer(next search.Summarizer) search.Summarizer {
	return summarizer{loads: l, next: next}
}

type summarizer struct {
	loads *Loads
	next  search.Summarizer
}

// Summarize implements search.Summarizer. It also returns the errors of
// Loads.Admit.
func (s summarizer) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	done, err := s.loads.admitAll(ctx, scope, 1)
	if err != nil {
		return search.Summary{}, err
	}
	defer done()
	return s.next.Summarize(ctx, scope, q)
}

// admitAll admits n loads that end together. A search with an empty scope matches
// nothing and is always admitted: the engine does no work for it.
func (l *Loads) admitAll(ctx context.Context, scope tenancy.Scope, n int) (done func(), err error) {
	if n == 0 || scope.IsEmpty() {
		return func() {}, nil
	}
	release, err := l.Admit(ctx, n)
	if err != nil {
		return nil, err
	}
	return func() {
		for range n {
			release()
		}
	}, nil
}
