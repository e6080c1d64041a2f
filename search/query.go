package search

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// Limits of a Query that are part of the contract.
const (
	DefaultLimit = 10
	MaxLimit     = 1000
	// MaxClients is the largest number of clients of a query with NewestOfClient,
	// MaxOfClients that of its matching sessions.
	MaxClients   = 100_000
	MaxOfClients = 1_000_000
)

// DefaultMaxPageBytes is the default limit of the rows of one page, in bytes of
// JSON of the requested fields. A session may have 1 MiB, and a page MaxLimit
// sessions.
const DefaultMaxPageBytes = 64 << 20

// Query is one search. It contains no companies: those come as a tenancy.Scope. A
// Query is a value; what it points at must not change after it is made.
type Query struct {
	Filter Filter
	// NewestOfClient keeps the newest of the matching sessions of each client of a
	// company: by startedAt, a session without one being the oldest, then the one with
	// the greatest id. Sessions without a client stay. The count is that of what is
	// kept.
	NewestOfClient bool
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

	StartedAt            DateField = "startedAt"
	ClosedAt             DateField = "closedAt"
	LastMessageCreatedAt DateField = "lastMessageCreatedAt"
)

// DateFields lists the date fields of the contract, the default first.
func DateFields() []DateField {
	return []DateField{CreatedAt, UpdatedAt, StartedAt, ClosedAt, LastMessageCreatedAt}
}

// Filter holds the conditions of a Query; all of them must hold. A zero value means
// no condition. Strings compare byte by byte. A list matches any of its values; a list
// that ends in Not matches none of them, and also a session without a value. A false
// choice also matches sessions without a value. Bounds of numbers are inclusive, and
// a session without the number is outside of them.
type Filter struct {
	From, To           time.Time // inclusive, whole milliseconds, UTC
	DateField          DateField // "": CreatedAt
	SessionID          string
	ChatID             string
	MessengerTypes     []string
	MessengerTypesNot  []string
	MinMessageCount    int64 // 0 or less: no condition
	OnlyClientMessages bool
	Keyword            keyword.Keyword
	OperatorTypes      []string // session.OperatorNone also matches sessions without a value
	Status, StatusNot  []string
	BotStatus          string
	OperatorIDs        []string
	OperatorIDsNot     []string
	Name               string
	Tags               []string // any of the session's comma-separated tags, trimmed
	TagsNot            []string
	MarkedAsSpam       *bool
	ClientBanned       *bool
	Closed             *bool // closedAt has a value
	IsLostSession      *bool
	HasUnread          *bool // unreadClientMessageCount > 0
	ClientID           string
	RatingMin          *float64
	RatingMax          *float64
	NPSMin             *float64
	NPSMax             *float64

	TimerFirstAnswerMin *float64 // seconds
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
	return Query{Filter: q.Filter, NewestOfClient: q.NewestOfClient, WithoutItems: true}
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

// The first byte of a key is its kind, the second the version of the rest. Raise
// the version when a query gains a condition: gateways of different versions share
// keys, and one key must never mean two things.
const (
	countKeyKind = "c\x03"
	pageKeyKind  = "p\x03"

	summaryKeyKind = "s\x03"
)

// CountKey is the canonical form of what the count depends on. It is equal for
// queries whose filters are equivalent: lists in another order, a default written
// out, a keyword in another spelling that folds to the same words. It differs for
// all other filters, and does not depend on sort, fields and page.
//
// It contains the search terms, names and phone numbers included: hash it before it
// is stored or shown.
func (q Query) CountKey() []byte {
	return q.Filter.appendKey(newKey(countKeyKind)).flag(q.NewestOfClient)
}

// PageKey is the canonical form of what the page depends on: the conditions as in
// CountKey, the order, the fields and the place of the page. It does not depend on
// WithoutCount and WithoutItems. It is as confidential as CountKey.
func (q Query) PageKey() []byte {
	k := q.Filter.appendKey(newKey(pageKeyKind)).flag(q.NewestOfClient)
	keys := NormalizeSort(q.Sort)
	k = k.number(int64(len(keys)))
	for _, key := range keys {
		k = k.text(key.Field).flag(key.Desc)
	}
	for _, word := range q.Fields {
		k = binary.BigEndian.AppendUint64(k, word)
	}
	k = k.number(int64(q.Limit)).number(int64(q.Offset))
	return k.position(q.After)
}

// SummaryKey is the canonical form of what the summary depends on: the conditions
// as in CountKey, the histogram's field, interval and time zone, and the facets. It
// is as confidential as CountKey.
func (q SummaryQuery) SummaryKey() []byte {
	k := q.Filter.appendKey(newKey(summaryKeyKind)).flag(q.WithoutHistogram)
	if !q.WithoutHistogram {
		interval := q.Interval
		if interval == "" {
			interval = IntervalAuto
		}
		k = k.text(string(q.DateField())).text(string(interval)).text(q.Zone.String()).flag(q.Fill)
	}
	for _, facet := range q.CountedFacets() {
		k = k.text(string(facet)).number(int64(q.Listed(facet))).flag(q.countsBeyond(facet))
	}
	return k
}

// appendKey writes every condition, set or not, in a fixed order. Each is written
// with its length or in a fixed size, so that two keys are equal only if all
// conditions are.
func (f Filter) appendKey(k keyBuilder) keyBuilder {
	words, phones := f.Keyword.Canonical()
	return k.time(f.From).time(f.To).text(string(f.BoundedField())).
		text(f.SessionID).
		text(f.ChatID).
		set(f.MessengerTypes).set(f.MessengerTypesNot).
		number(max(f.MinMessageCount, 0)).
		flag(f.OnlyClientMessages).
		text(words).text(phones).
		set(f.OperatorTypes).
		set(f.Status).set(f.StatusNot).
		text(f.BotStatus).
		set(f.OperatorIDs).set(f.OperatorIDsNot).
		text(f.Name).
		set(f.Tags).set(f.TagsNot).
		choice(f.MarkedAsSpam).
		choice(f.ClientBanned).
		choice(f.Closed).
		choice(f.IsLostSession).
		choice(f.HasUnread).
		text(f.ClientID).
		bound(f.RatingMin).bound(f.RatingMax).
		bound(f.NPSMin).bound(f.NPSMax).
		bound(f.TimerFirstAnswerMin)
}

// BoundedField returns the date field that From and To bound: CreatedAt unless
// another is named, "" when neither From nor To is set.
func (f Filter) BoundedField() DateField {
	switch {
	case f.From.IsZero() && f.To.IsZero():
		return ""
	case f.DateField == "":
		return CreatedAt
	}
	return f.DateField
}

// keyBuilder appends values with their length, so that different sequences of
// values never give the same bytes.
type keyBuilder []byte

// usualKey is a capacity, in bytes, that is enough for most keys.
const usualKey = 160

func newKey(kind string) keyBuilder { return append(make(keyBuilder, 0, usualKey), kind...) }

func (k keyBuilder) number(n int64) keyBuilder { return binary.AppendVarint(k, n) }

func (k keyBuilder) text(s string) keyBuilder {
	return append(binary.AppendUvarint(k, uint64(len(s))), s...)
}

func (k keyBuilder) flag(set bool) keyBuilder {
	if set {
		return append(k, 1)
	}
	return append(k, 0)
}

// choice writes 0 for no condition, 1 for false and 2 for true.
func (k keyBuilder) choice(b *bool) keyBuilder {
	if b == nil {
		return append(k, 0)
	}
	return append(k, 1).flag(*b)
}

// bound writes a number by its bits. The two zeros are equal as numbers; adding 0
// makes them one (IEEE 754, section 6.3).
func (k keyBuilder) bound(n *float64) keyBuilder {
	if n == nil {
		return append(k, 0)
	}
	return binary.BigEndian.AppendUint64(append(k, 1), math.Float64bits(*n+0))
}

// set writes a list of which any, or none, must match. Order and duplicates make no difference.
func (k keyBuilder) set(list []string) keyBuilder {
	if len(list) > 1 {
		list = slices.Compact(slices.Sorted(slices.Values(list)))
	}
	k = k.number(int64(len(list)))
	for _, s := range list {
		k = k.text(s)
	}
	return k
}

// time distinguishes the zero time (year 1) from a bound in 1970.
func (k keyBuilder) time(t time.Time) keyBuilder {
	if t.IsZero() {
		return append(k, 0)
	}
	return append(k, 1).number(t.Unix()).number(int64(t.Nanosecond()))
}

func (k keyBuilder) position(p *Position) keyBuilder {
	if p == nil {
		return append(k, 0)
	}
	k = append(k, 1).number(int64(len(p.Values)))
	for _, value := range p.Values {
		k = k.text(string(value))
	}
	return k
}
