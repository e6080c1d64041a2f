package search

import (
	"context"
	"errors"

	"github.com/scopegate/scopegate/tenancy"
)

// Limits of a Summary that are part of the contract.
const (
	DefaultTop = 50     // values of a facet that are listed
	MaxTop     = 1000   // values of a facet that a caller can have listed
	MaxBuckets = 10_000 // of a histogram
	// MaxAllCompanies is the largest number of companies that can be listed with
	// AllCompanies.
	MaxAllCompanies = 20_000
	// MaxSummaryText is the longest text, in characters, that an axis lists; a
	// session with a longer one counts as one without a value. Filters refuse
	// longer texts too.
	MaxSummaryText = 1000
)

// Errors of a Summarizer, in addition to those of a Searcher.
var (
	// ErrTooManyBuckets: the matches span more than MaxBuckets of the requested
	// interval. Request a wider interval or fewer sessions.
	ErrTooManyBuckets = errors.New("too many buckets")
	// ErrTooManyCompanies: all companies are to be listed, and more than
	// MaxAllCompanies have a match.
	ErrTooManyCompanies = errors.New("too many companies")
	// ErrInexact: the engine's numbers do not add up. None of them may be used.
	ErrInexact = errors.New("summary does not add up")
)

// Summarizer computes aggregated counts of sessions.
type Summarizer interface {
	// Summarize counts the sessions that match the query and belong to a company of
	// the scope: in total, by date and by each facet. The counts are exact and all of
	// one moment. An empty scope matches nothing.
	//
	// Errors: ErrTooManyBuckets, ErrTooManyCompanies, ErrUnavailable, ErrTimeout,
	// ErrForeignRow, ErrInexact, or the context's error when the caller went away.
	Summarize(ctx context.Context, scope tenancy.Scope, q SummaryQuery) (Summary, error)
}

// SummaryQuery is one request for a summary.
type SummaryQuery struct {
	Filter Filter

	Interval         Interval // "": IntervalAuto
	Zone             Zone     // its calendar sets where hours, days, … begin
	Fill             bool     // buckets from From to To of the filter, not from the first match to the last
	WithoutHistogram bool

	Facets       []Facet // nil: DefaultFacets
	Top          int     // values that a facet lists, 1 … MaxTop; 0: DefaultTop
	AllCompanies bool    // list every company instead
	// ExceptOwn counts each facet without the conditions on its own field. The
	// companies are counted as they are: the scope is not part of the query.
	ExceptOwn bool
}

// DateField returns the date field of the histogram, whether or not it is bounded.
func (q SummaryQuery) DateField() DateField {
	if q.Filter.DateField == "" {
		return CreatedAt
	}
	return q.Filter.DateField
}

// Summary is the answer to a SummaryQuery. What was not asked for is zero. Its lists
// are shared and must not be modified.
type Summary struct {
	Count          int64
	Histogram      Histogram
	Companies      Axis[tenancy.CompanyID]
	MessengerTypes Axis[Label]
	OperatorTypes  Axis[Label]
	Statuses       Axis[Label]
	BotStatuses    Axis[Label]
	Operators      Axis[Operator]
	Tags           Axis[Label]
	Provenance     Provenance `json:"-"` // not stored in a cache
}

// Texts returns the axis of a facet with labels; nil for companies and operators.
func (s *Summary) Texts(f Facet) *Axis[Label] {
	switch f {
	case FacetMessengerTypes:
		return &s.MessengerTypes
	case FacetOperatorTypes:
		return &s.OperatorTypes
	case FacetStatuses:
		return &s.Statuses
	case FacetBotStatuses:
		return &s.BotStatuses
	case FacetTags:
		return &s.Tags
	case FacetCompanies, FacetOperators:
	}
	return nil
}

// Histogram counts sessions by date.
type Histogram struct {
	Field    DateField
	Interval Interval // never IntervalAuto
	Zone     Zone     // as requested
	// Buckets are ascending and without a gap. They reach from the first match to the
	// last one, or over the whole range of the filter; see SummaryQuery.Fill.
	Buckets     []Bucket
	WithoutDate int64 // sessions without a date
}

// Bucket is one interval of a histogram.
type Bucket struct {
	From, To int64 // milliseconds since 1970, both inclusive
	Count    int64
}

// Axis counts sessions by one property.
type Axis[V any] struct {
	// Top lists the values with the most sessions, most sessions first, then by
	// value.
	Top  []Share[V]
	Rest Rest
}

// Share is one value and its number of sessions.
type Share[V any] struct {
	Value V
	Count int64
}

// Rest is the total of the values that an axis does not list.
type Rest struct {
	Values int64 // number of other values
	Count  int64 // number of their sessions
}

// Label is a text, or marks that there is none.
type Label struct {
	Text string
	None bool
}

// Operator is the value of an operator's sessions.
type Operator struct {
	ID Label
	// Name is operatorName of the operator's newest matching session: by startedAt,
	// then by id.
	Name Label
}

// total returns the number of sessions of all values.
func (a Axis[V]) total() int64 {
	n := a.Rest.Count
	for _, s := range a.Top {
		n += s.Count
	}
	return n
}

// whole reports whether the axis lists as many values as it may, each with at least
// one session.
func (a Axis[V]) whole(listed int) bool {
	for _, s := range a.Top {
		if s.Count < 1 {
			return false
		}
	}
	return len(a.Top) == listed || len(a.Top) < listed && a.Rest == Rest{}
}

func (h Histogram) total() int64 {
	n := h.WithoutDate
	for _, b := range h.Buckets {
		n += b.Count
	}
	return n
}
