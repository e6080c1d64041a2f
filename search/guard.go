package search

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/tenancy"
)

// Guard wraps an engine: it checks what it answers against the scope once more,
// whatever the engine's own filter did. A row of a foreign company, a row more
// than was asked for, or anything found under an empty scope fails the whole
// answer with ErrForeignRow.
//
// SECURITY: it stands between engine and cache, so that nothing unchecked is
// cached; a cache binds what it holds to the scope by its key.
func Guard(next Searcher) Searcher { return &guard{next} }

type guard struct{ next Searcher }

var _ Searcher = (*guard)(nil)

// Search implements Searcher.
func (g *guard) Search(ctx context.Context, scope tenancy.Scope, q Query) (Result, error) {
	result, err := g.next.Search(ctx, scope, q)
	if err != nil {
		return Result{}, err
	}
	if err := checkScope(scope, q, result); err != nil {
		return Result{}, err
	}
	return result, nil
}

func checkScope(scope tenancy.Scope, q Query, result Result) error {
	limit := q.Limit
	if q.WithoutItems {
		limit = 0
	}
	rows := result.Page.Rows
	switch {
	case len(rows) > limit:
		return fmt.Errorf("%w: %d rows where at most %d were asked for", ErrForeignRow, len(rows), limit)
	case scope.IsEmpty() && result.Count.Total != 0:
		return fmt.Errorf("%w: %d sessions counted in an empty scope", ErrForeignRow, result.Count.Total)
	}
	for _, row := range rows {
		if !scope.Contains(row.CompanyID) {
			return fmt.Errorf("%w: company %d", ErrForeignRow, row.CompanyID)
		}
	}
	return nil
}
