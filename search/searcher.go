package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

// Errors of a Searcher. Implementations wrap them. Their texts are not shown to
// callers of the API.
var (
	// ErrUnavailable: the engine is down or refuses work; a later retry helps.
	ErrUnavailable = errors.New("search engine unavailable")
	// ErrTimeout: the engine did not answer within its time.
	ErrTimeout = errors.New("search engine timed out")
	// ErrBusy: as many loads of all callers run and wait as may. Nothing was searched.
	ErrBusy = fmt.Errorf("%w: too many loads under way", ErrUnavailable)
	// ErrTooManyLoads: the account has as many running loads as it may have. The
	// engine is not at fault; a retry succeeds when one of them has ended.
	ErrTooManyLoads = errors.New("too many loads of the account under way")
	// ErrForeignRow: an engine returned a row outside the scope. No part of the answer
	// may be used.
	ErrForeignRow = errors.New("row outside the tenant scope")
	// ErrConflict: another writer is changing the same record. Nothing was written;
	// a retry helps.
	ErrConflict = errors.New("somebody else is changing it at the same time")
	// ErrPageTooLarge: the page's rows have more bytes than a page may have.
	// Request fewer rows or fields.
	ErrPageTooLarge = errors.New("page too large")
	// ErrTooManyClients: a query with NewestOfClient matches sessions of more than
	// MaxClients clients, or more than MaxOfClients sessions. Request fewer.
	ErrTooManyClients = errors.New("too many clients")
	// ErrSnapshotBusy: no snapshot may begin until the running ones have ended.
	ErrSnapshotBusy = errors.New("snapshots under way must end first")
	// ErrSnapshotEnded: the engine ended the snapshot, because it delayed others.
	ErrSnapshotEnded = errors.New("snapshot was ended by the engine")
	// ErrInvalidPosition: Query.After does not fit Query.Sort.
	ErrInvalidPosition = errors.New("position does not fit the sort order")
)

// Searcher answers queries.
type Searcher interface {
	// Search returns the sessions that match the query and belong to a company of
	// the scope: the exact count unless q.WithoutCount, and one page of rows unless
	// q.WithoutItems. An empty scope matches nothing. It returns a complete answer
	// or an error.
	//
	// Errors: ErrUnavailable, ErrTimeout, ErrForeignRow, ErrInvalidPosition,
	// ErrPageTooLarge, ErrTooManyClients, or the context's error when the caller went away.
	Search(ctx context.Context, scope tenancy.Scope, q Query) (Result, error)
}

// Result is the answer to a Query.
type Result struct {
	Count Count // zero when Query.WithoutCount
	Page  Page  // zero when Query.WithoutItems
}

// Count is the exact number of matching sessions.
type Count struct {
	Total      int64
	Provenance Provenance
}

// Page is one page of matching sessions in the order of Query.Sort.
type Page struct {
	Rows       []Row
	More       bool // at least one matching row follows the last one
	Provenance Provenance
}

// Row is one session.
type Row struct {
	// CompanyID is set whatever fields were requested, so that the scope can be
	// checked again.
	CompanyID tenancy.CompanyID
	// JSON is an object with exactly the requested fields, in catalogue order.
	JSON json.RawMessage
	// Position is the place of the row under Query.Sort. It is set at least for the
	// last row of a page.
	Position Position
}

// Provenance describes where a count, page or summary came from. The engine sets
// Took, the limit of its loads Queued, a cache the rest.
type Provenance struct {
	Tier     string        // "" for the engine, or the cache tier, "memory" or "redis"
	Shared   bool          // joined a load that another caller had started
	Stored   bool          // now in the cache
	LoadedAt time.Time     // when the engine's search began; zero: now
	TTL      time.Duration // how long it stays fresh; negative: how long it has been stale
	Outage   bool          // stale, and served because the engine failed (stale-if-error)
	Took     time.Duration // time of the engine's search; 0 on a hit
	Queued   time.Duration // time that the load waited for its turn before that; 0 on a hit
}

// Hit reports whether a cache answered.
func (p Provenance) Hit() bool { return p.Tier != "" }

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
		err = summary.Check(scope, q)
	}
	if err != nil {
		return Summary{}, err
	}
	return summary, nil
}

// Check verifies that the summary contains only companies of its scope and adds up.
// Errors: ErrForeignRow, ErrInexact, ErrTooManyCompanies.
func (s Summary) Check(scope tenancy.Scope, q SummaryQuery) error {
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
	if err := s.checkSums(q); err != nil {
		return err
	}
	if q.AllCompanies && s.Companies.Rest.Values > 0 {
		return ErrTooManyCompanies
	}
	return nil
}

// checkSums compares the sums with the count. A facet that is counted under a wider
// filter has as many sessions or more; so have the tags, since a session counts for
// each of its tags.
func (s Summary) checkSums(q SummaryQuery) error {
	if total := s.Histogram.total(); !q.WithoutHistogram && (total != s.Count || len(s.Histogram.Buckets) > MaxBuckets) {
		return fmt.Errorf("%w: %d sessions, %d by date", ErrInexact, s.Count, total)
	}
	for _, facet := range q.CountedFacets() {
		total, whole := s.sums(facet, q.Listed(facet))
		more := facet == FacetTags || q.countsBeyond(facet)
		if !whole || total < s.Count || total > s.Count && !more {
			return fmt.Errorf("%w: %d sessions, %d by %s", ErrInexact, s.Count, total, facet)
		}
	}
	return nil
}

func (s Summary) sums(f Facet, listed int) (total int64, whole bool) {
	switch f {
	case FacetCompanies:
		return s.Companies.total(), s.Companies.whole(listed)
	case FacetOperators:
		return s.Operators.total(), s.Operators.whole(listed)
	}
	axis := s.Texts(f)
	return axis.total(), axis.whole(listed)
}
