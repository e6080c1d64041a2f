package search

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/tenancy"
)

// Guard wraps an engine and checks every answer against the scope again,
// independently of the engine's filter. A row of a foreign company, more rows than
// requested, or anything found under an empty scope fails the whole answer with
// ErrForeignRow.
//
// SECURITY: it is between engine and cache, so that no unchecked row is cached. A
// cache binds its entries to the scope by their key.
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
	return CheckRows(scope, rows)
}

// CheckRows fails with ErrForeignRow if a row belongs to a company outside the scope.
func CheckRows(scope tenancy.Scope, rows []Row) error {
	for _, row := range rows {
		if !scope.Contains(row.CompanyID) {
			return fmt.Errorf("%w: company %d", ErrForeignRow, row.CompanyID)
		}
	}
	return nil
}

// GuardSummaries does for summaries what Guard does for rows. A company outside the
// scope, or anything counted under an empty scope, fails the whole summary with
// ErrForeignRow; a summary that does not add up fails with ErrInexact.
//
// SECURITY: it is between engine and cache, as Guard is.
func GuardSummaries(next Summarizer) Summarizer { return &summaryGuard{next} }

type summaryGuard struct{ next Summarizer }

var _ Summarizer = (*summaryGuard)(nil)

// Summarize implements Summarizer.
func (g *summaryGuard) Summarize(ctx context.Context, scope tenancy.Scope, q SummaryQuery) (Summary, error) {
	summary, err := g.next.Summarize(ctx, scope, q)
	if err == nil {
		err = summary.Check(scope)
	}
	if err != nil {
		return Summary{}, err
	}
	return summary, nil
}

// Check verifies that the summary contains only companies of its scope and adds up.
// Errors: ErrForeignRow, ErrInexact.
func (s Summary) Check(scope tenancy.Scope) error {
	if scope.IsEmpty() && s.Count != 0 {
		return fmt.Errorf("%w: %d sessions counted in an empty scope", ErrForeignRow, s.Count)
	}
	for _, company := range s.Companies.Top {
		if !scope.Contains(company.Value) {
			return fmt.Errorf("%w: company %d", ErrForeignRow, company.Value)
		}
	}
	if n := int64(len(s.Companies.Top)) + s.Companies.Rest.Values; n > int64(scope.Len()) {
		return fmt.Errorf("%w: sessions of %d companies in a scope of %d", ErrForeignRow, n, scope.Len())
	}
	return s.checkSums()
}

func (s Summary) checkSums() error {
	for _, axis := range []struct {
		name  string
		total int64
		whole bool
	}{
		{"dates", s.Histogram.total(), len(s.Histogram.Buckets) <= MaxBuckets},
		{"companies", s.Companies.total(), s.Companies.whole()},
		{"messenger types", s.MessengerTypes.total(), s.MessengerTypes.whole()},
		{"operator types", s.OperatorTypes.total(), s.OperatorTypes.whole()},
		{"statuses", s.Statuses.total(), s.Statuses.whole()},
	} {
		if axis.total != s.Count || !axis.whole {
			return fmt.Errorf("%w: %d sessions, %d by %s", ErrInexact, s.Count, axis.total, axis.name)
		}
	}
	return nil
}
