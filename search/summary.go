package search

import (
	"context"
	"errors"

	"github.com/scopegate/scopegate/tenancy"
)

// Bounds of a Summary that are part of the contract.
const (
	MaxTop     = 50     // values of an axis that are told one by one
	MaxBuckets = 10_000 // of a histogram
	// MaxSummaryText is the longest text, in characters, that an axis tells; a
	// session with a longer one counts as one without a value. No filter takes
	// longer ones either.
	MaxSummaryText = 1000
)

// Errors of a Summarizer, beside those of a Searcher.
var (
	// ErrTooManyBuckets: the matches span more than MaxBuckets of the asked
	// interval. A wider one, or fewer sessions, would do.
	ErrTooManyBuckets = errors.New("too many buckets")
	// ErrInexact: what an engine says does not add up. Nothing of it may be
	// used.
	ErrInexact = errors.New("summary does not add up")
)

// Summarizer tells what sessions add up to.
type Summarizer interface {
	// Summarize counts the sessions that match the query and belong to a company
	// of the scope: in all, by date, company, messenger type, operator type and
	// status, exactly, and all of one moment, so that every axis adds up to the
	// count. An empty scope matches nothing.
	//
	// Errors: ErrTooManyBuckets, ErrUnavailable, ErrTimeout, ErrForeignRow,
	// ErrInexact, or the context's error when the caller went away.
	Summarize(ctx context.Context, scope tenancy.Scope, q SummaryQuery) (Summary, error)
}

// SummaryQuery is one question for a summary.
type SummaryQuery struct {
	Filter   Filter
	Interval Interval // "": IntervalAuto
	Timezone int      // minutes east of UTC in which hours, days, … begin
}

// DateField is the field that the histogram is over, whether or not it is
// bounded.
func (q SummaryQuery) DateField() DateField {
	if q.Filter.DateField == "" {
		return CreatedAt
	}
	return q.Filter.DateField
}

// Summary is the answer to a SummaryQuery. Its lists are shared and must not be
// written to.
type Summary struct {
	Count          int64
	Histogram      Histogram
	Companies      Axis[tenancy.CompanyID]
	MessengerTypes Axis[Label]
	OperatorTypes  Axis[Label] // a session without a value is NONE
	Statuses       Axis[Label]
	Provenance     Provenance `json:"-"` // not a part of what a cache stores
}

// Histogram counts sessions by date.
type Histogram struct {
	Field    DateField
	Interval Interval // never IntervalAuto
	Timezone int      // as asked
	// Buckets are those from the first match to the last one, ascending,
	// without a gap.
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
	// Top are the MaxTop values with the most sessions, most first, then by
	// value.
	Top  []Share[V]
	Rest Rest
}

// Share is the sessions of one value.
type Share[V any] struct {
	Value V
	Count int64
}

// Rest is what an axis does not tell one by one.
type Rest struct {
	Values int64 // how many other values there are
	Count  int64 // their sessions
}

// Label is a text, or that there is none.
type Label struct {
	Text string
	None bool
}

// total is the sessions of all values.
func (a Axis[V]) total() int64 {
	n := a.Rest.Count
	for _, s := range a.Top {
		n += s.Count
	}
	return n
}

// whole reports whether the axis tells as many values as it may, each with
// sessions.
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
