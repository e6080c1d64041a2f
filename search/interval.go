package search

import (
	"slices"
	"time"

	"github.com/scopegate/scopegate/session"
)

// Interval is the width of a histogram's buckets.
type Interval string

// The intervals of the contract. Weeks begin on Monday.
const (
	IntervalAuto  Interval = "auto" // the finest with at most autoBuckets buckets, else the widest
	IntervalHour  Interval = "hour"
	IntervalDay   Interval = "day"
	IntervalWeek  Interval = "week"
	IntervalMonth Interval = "month"
	IntervalYear  Interval = "year"
)

// autoBuckets is about the number of buckets that a chart can show.
const autoBuckets = 100

// Intervals lists the intervals of the contract, in its order.
func Intervals() []Interval { return append([]Interval{IntervalAuto}, widths()...) }

// widths returns the intervals that buckets can have, the finest first.
func widths() []Interval {
	return []Interval{IntervalHour, IntervalDay, IntervalWeek, IntervalMonth, IntervalYear}
}

const (
	millisAnHour = int64(time.Hour / time.Millisecond)
	millisADay   = 24 * millisAnHour
	// The first day of 1970 was a Thursday: three days after the start of its week.
	daysIntoWeek = 3
)

// number returns the number of the calendar's unit (hour, day, …) that contains a
// local time, in milliseconds since the start of 1970.
func (i Interval) number(local int64) int64 {
	switch i {
	case IntervalHour:
		return floorDiv(local, millisAnHour)
	case IntervalWeek:
		return floorDiv(floorDiv(local, millisADay)+daysIntoWeek, 7)
	case IntervalMonth:
		t := time.UnixMilli(local).UTC()
		return int64(t.Year())*12 + int64(t.Month()) - 1
	case IntervalYear:
		return int64(time.UnixMilli(local).UTC().Year())
	}
	return floorDiv(local, millisADay)
}

// start returns the local time at which a unit begins.
func (i Interval) start(number int64) int64 {
	switch i {
	case IntervalHour:
		return number * millisAnHour
	case IntervalWeek:
		return (number*7 - daysIntoWeek) * millisADay
	case IntervalMonth:
		year := floorDiv(number, 12)
		return startOfMonth(year, number-year*12)
	case IntervalYear:
		return startOfMonth(number, 0)
	}
	return number * millisADay
}

func startOfMonth(year, month int64) int64 {
	return time.Date(int(year), time.January+time.Month(month), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// edges walks over the moments at which the buckets of an interval begin, in the
// calendar of a time zone. Moments are in milliseconds since 1970.
//
// A bucket is one span of time, so a day that the clock repeats in part, since it
// is put back over midnight, does not come twice. An hour that the clock repeats
// does: it is a bucket of its own, as is the rest of an hour after a change of the
// offset.
type edges struct {
	interval Interval
	location *time.Location

	at     int64 // the current moment, within a bucket
	number int64 // of the unit that contains it
	offset int64 // of the zone at that moment, in milliseconds
	change int64 // when that offset ends; noChange: never
}

const noChange = int64(1<<63 - 1)

// newEdges starts at a moment before all edges that it will return.
func newEdges(i Interval, location *time.Location, from int64) *edges {
	e := &edges{interval: i, location: location}
	e.move(from)
	e.number = i.number(from + e.offset)
	return e
}

func (e *edges) move(to int64) {
	e.at = to
	t := time.UnixMilli(to).In(e.location)
	_, seconds := t.Zone()
	e.offset, e.change = int64(seconds)*1000, noChange
	if _, end := t.ZoneBounds(); !end.IsZero() {
		e.change = end.UnixMilli()
	}
}

// next returns the next edge.
func (e *edges) next() int64 {
	for {
		edge := e.interval.start(e.number+1) - e.offset
		if edge < e.change {
			e.at = edge
			e.number++
			return edge
		}
		before := e.offset
		e.move(e.change)
		number := e.interval.number(e.at + e.offset)
		isEdge := number > e.number
		if e.interval == IntervalHour {
			isEdge = isEdge || e.offset != before
			e.number = number
		}
		if isEdge {
			e.number = number
			return e.at
		}
	}
}

// bucketEdges returns the edges of the buckets from the one that contains the first
// moment to the one that contains the last. The last edge ends the last bucket. It
// returns false when there are more than most buckets.
func bucketEdges(i Interval, location *time.Location, first, last int64, most int) ([]int64, bool) {
	// The walk begins before the bucket of the first moment. A clock is put forward or
	// back by a day at most.
	e := newEdges(i, location, first)
	e = newEdges(i, location, e.interval.start(e.number)-e.offset-3*millisADay)
	begin := e.next()
	end := e.next()
	for end <= first {
		begin, end = end, e.next()
	}
	list := []int64{begin, end}
	for end <= last {
		if len(list) > most {
			return nil, false
		}
		end = e.next()
		list = append(list, end)
	}
	return list, true
}

// HistogramBuilder builds a histogram.
type HistogramBuilder struct {
	query     SummaryQuery
	edges     []int64 // where the buckets begin, and where the last one ends
	histogram Histogram
}

// NewHistogramBuilder begins a histogram. If there are sessions with a date, call
// SetRange before Add.
func NewHistogramBuilder(q SummaryQuery) *HistogramBuilder {
	h := &HistogramBuilder{query: q, histogram: Histogram{Field: q.DateField(), Interval: q.Interval, Zone: q.Zone}}
	if h.isAuto() {
		h.histogram.Interval = widths()[0]
	}
	return h
}

func (h *HistogramBuilder) isAuto() bool {
	return h.query.Interval == "" || h.query.Interval == IntervalAuto
}

// SetRange makes the buckets from the date of the first match to that of the last
// one, in milliseconds since 1970. With Fill they reach from From to To of the
// filter. Error: ErrTooManyBuckets.
func (h *HistogramBuilder) SetRange(first, last int64) error {
	if f := h.query.Filter; h.query.Fill {
		if !f.From.IsZero() {
			first = session.RoundUpMilli(f.From)
		}
		if !f.To.IsZero() {
			last = f.To.UnixMilli()
		}
	}
	location := h.query.Zone.Location()
	if !h.isAuto() {
		return h.setEdges(bucketEdges(h.histogram.Interval, location, first, last, MaxBuckets))
	}
	for _, h.histogram.Interval = range widths() {
		if list, few := bucketEdges(h.histogram.Interval, location, first, last, autoBuckets); few {
			return h.setEdges(list, true)
		}
	}
	return h.setEdges(bucketEdges(h.histogram.Interval, location, first, last, MaxBuckets))
}

func (h *HistogramBuilder) setEdges(list []int64, few bool) error {
	if !few {
		return ErrTooManyBuckets
	}
	h.edges = list
	h.histogram.Buckets = make([]Bucket, len(list)-1)
	for i := range h.histogram.Buckets {
		h.histogram.Buckets[i] = Bucket{From: max(list[i], session.MinDate), To: min(list[i+1]-1, session.MaxDate)}
	}
	return nil
}

// SetNoDates makes the buckets when no match has a date: none, or with Fill those
// from From to To of the filter if both are set. Error: ErrTooManyBuckets.
func (h *HistogramBuilder) SetNoDates() error {
	f := h.query.Filter
	if !h.query.Fill || f.From.IsZero() || f.To.IsZero() || f.From.After(f.To) {
		return nil
	}
	return h.SetRange(0, 0)
}

// Edges returns the moments at which the buckets begin, ascending, and the moment
// at which the last one ends, in milliseconds since 1970. There are none without
// dates.
func (h *HistogramBuilder) Edges() []int64 { return h.edges }

// Add counts sessions in the bucket of a moment, in milliseconds since 1970. It
// returns false when there is no such bucket.
func (h *HistogramBuilder) Add(ms, sessions int64) bool {
	at, found := slices.BinarySearch(h.edges, ms)
	if !found {
		at--
	}
	return h.AddTo(at, sessions)
}

// AddTo counts sessions in the bucket with the given index. It returns false when
// there is no such bucket.
func (h *HistogramBuilder) AddTo(bucket int, sessions int64) bool {
	if bucket < 0 || bucket >= len(h.histogram.Buckets) {
		return false
	}
	h.histogram.Buckets[bucket].Count += sessions
	return true
}

// AddMissing counts sessions without a date.
func (h *HistogramBuilder) AddMissing(sessions int64) { h.histogram.WithoutDate += sessions }

// Histogram returns the result.
func (h *HistogramBuilder) Histogram() Histogram { return h.histogram }
