package search

import (
	"context"
	"errors"

	"github.com/scopegate/scopegate/tenancy"
)

// Limits of a Summary that are part of the contract.
const (
	MaxTop     = 50     // values of an axis that are listed
	MaxBuckets = 10_000 // of a histogram
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
	// ErrInexact: the engine's numbers do not add up. None of them may be used.
	ErrInexact = errors.New("summary does not add up")
)

// Summarizer computes aggregated counts of sessions.
type Summarizer interface {
	// Summarize counts the sessions that match the query and belong to a company of
	// the scope: in total, by date, company, messenger type, operator type and
	// status. The counts are exact and all of one moment, so that every axis adds
	// up to the total. An empty scope matches nothing.
	//
	// Errors: ErrTooManyBuckets, ErrUnavailable, ErrTimeout, ErrForeignRow,
	// ErrInexact, or the context's error when the caller went away.
	Summarize(ctx context.Context, scope tenancy.Scope, q SummaryQuery) (Summary, error)
}

// SummaryQuery is one request for a summary.
type SummaryQuery struct {
	Filter   Filter
	Interval Interval // "": IntervalAuto
	Timezone int      // minutes east of UTC; sets where hours, days, … begin
}

// DateField returns the date field of the histogram, whether or not it is bounded.
func (q SummaryQuery) DateField() DateField {
	if q.Filter.DateField == "" {
		return CreatedAt
	}
	return q.Filter.DateField
}

// Summary is the answer to a SummaryQuery. Its lists are shared and must not be
// modified.
type Summary struct {
	Count          int64
	Histogram      Histogram
	Companies      Axis[tenancy.CompanyID]
	MessengerTypes Axis[Label]
	OperatorTypes  Axis[Label] // a session without a value is NONE
	Statuses       Axis[Label]
	Provenance     Provenance `json:"-"` // not stored in a cache
}

// Histogram counts sessions by date.
type Histogram struct {
	Field    DateField
	Interval Interval // never IntervalAuto
	Timezone int      // as requested
	// Buckets reach from the first match to the last one, ascending, without a gap.
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
	// Top lists the MaxTop values with the most sessions, most sessions first, then
	// by value.
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
func (a Axis[V]) whole() bool {
	for _, s := range a.Top {
		if s.Count < 1 {
			return false
		}
	}
	return len(a.Top) == MaxTop || len(a.Top) < MaxTop && a.Rest == Rest{}
}

func (h Histogram) total() int64 {
	n := h.WithoutDate
	for _, b := range h.Buckets {
		n += b.Count
	}
	return n
}
