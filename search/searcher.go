package search

import (
	"context"
	"encoding/json"
	"errors"
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
	// ErrPageTooLarge, or the context's error when the caller went away.
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
// Took, a cache the rest.
type Provenance struct {
	Tier     string        // "" for the engine, or the cache tier, "memory" or "redis"
	Shared   bool          // joined a load that another caller had started
	Stored   bool          // now in the cache
	LoadedAt time.Time     // when the engine's search began; zero: now
	TTL      time.Duration // how long it stays fresh; negative: how long it has been stale
	Outage   bool          // stale, and served because the engine failed (stale-if-error)
	Took     time.Duration // time of the engine's search; 0 on a hit
}

// Hit reports whether a cache answered.
func (p Provenance) Hit() bool { return p.Tier != "" }
