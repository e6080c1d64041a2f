package search

import (
	"encoding/json"
	"time"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// Limits of a Query that are part of the contract.
const (
	DefaultLimit = 10
	MaxLimit     = 1000
)

// DefaultMaxPageBytes is the default limit of the rows of one page, in bytes of
// JSON of the requested fields. A session may have 1 MiB, and a page MaxLimit
// sessions.
const DefaultMaxPageBytes = 64 << 20

// Query is one search. It contains no companies: those come as a tenancy.Scope. A
// Query is a value; what it points at must not change after it is made.
type Query struct {
	Filter Filter
	// Sort is the order. It ends with the tiebreaker {Field: "id"}; see
	// NormalizeSort.
	Sort   []SortKey
	Fields session.FieldSet
	Limit  int // 1 … MaxLimit
	Offset int // rows to skip, counted from After if it is set, else from the start
	// After starts the page after a position in the order; nil: at the start. It
	// never changes the count.
	After        *Position
	WithoutCount bool
	WithoutItems bool
}

// DateField is the field that Filter.From and Filter.To bound.
type DateField string

// The date fields of the contract.
const (
	CreatedAt DateField = "createdAt"
	UpdatedAt DateField = "updatedAt"
)

// Filter holds the conditions of a Query; all of them must hold. A zero value means
// no condition. Strings compare byte by byte. A list matches any of its values.
type Filter struct {
	From, To           time.Time // inclusive, whole milliseconds, UTC
	DateField          DateField // "": CreatedAt
	SessionID          string
	ChatID             string
	MessengerTypes     []string
	MinMessageCount    int64 // 0 or less: no condition
	OnlyClientMessages bool
	Keyword            keyword.Keyword
	OperatorType       string
	Status             []string
	BotStatus          string
	OperatorIDs        []string
	Name               string
	Tags               []string // any of the session's comma-separated tags, trimmed
	MarkedAsSpam       *bool    // false also matches sessions without a value
	ClientBanned       *bool    // false also matches sessions without a value
}

// SortKey is one key of an order. Missing values come last in both directions.
type SortKey struct {
	Field string // name of a sortable field in the catalogue
	Desc  bool
}

// Position is a place in an order: the sort values of a row, one per sort key. With
// fewer values, counted from the first key, it is the place after all rows that
// share them. Values are JSON scalars in canonical form: null (missing), a folded
// string (the id: unchanged), an integer (dates: milliseconds since 1970), a
// number, true or false.
type Position struct {
	Values []json.RawMessage
}

// CountOnly returns the part of the query that the count depends on.
func (q Query) CountOnly() Query {
	return Query{Filter: q.Filter, WithoutItems: true}
}

// PageOnly returns the query without its count.
func (q Query) PageOnly() Query {
	q.WithoutCount, q.WithoutItems = true, false
	return q
}

// Wanted names the requested parts, for telemetry: "count", "page" or "count+page".
func (q Query) Wanted() string {
	switch {
	case q.WithoutItems:
		return "count"
	case q.WithoutCount:
		return "page"
	}
	return "count+page"
}
