package search

import (
	"fmt"
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

// widths returns all intervals of a fixed width, the finest first.
func widths() []Interval {
	return []Interval{IntervalHour, IntervalDay, IntervalWeek, IntervalMonth, IntervalYear}
}

const (
	millisAnHour = int64(time.Hour / time.Millisecond)
	millisADay   = 24 * millisAnHour
	// The first day of 1970 was a Thursday: three days after the start of its week.
	daysIntoWeek = 3
)

// calendar numbers the buckets of one interval consecutively.
type calendar struct {
	interval Interval
	offset   int64 // of the time zone, in milliseconds
}

func newCalendar(i Interval, timezone int) calendar {
	return calendar{i, int64(timezone) * int64(time.Minute/time.Millisecond)}
}

// number returns the number of the bucket that contains the moment.
func (c calendar) number(ms int64) int64 {
	local := ms + c.offset
	switch c.interval {
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

// start returns the first moment of a bucket.
func (c calendar) start(number int64) int64 {
	var local int64
	switch c.interval {
	case IntervalHour:
		local = number * millisAnHour
	case IntervalWeek:
		local = (number*7 - daysIntoWeek) * millisADay
	case IntervalMonth:
		year := floorDiv(number, 12)
		local = startOfMonth(year, number-year*12)
	case IntervalYear:
		local = startOfMonth(number, 0)
	default:
		local = number * millisADay
	}
	return local - c.offset
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

// StartOfHour returns the beginning of the hour that contains the moment, in a time
// zone the given number of minutes east of UTC. No bucket begins or ends within
// such an hour. Moments are in milliseconds since 1970.
func StartOfHour(ms int64, timezone int) int64 {
	hours := newCalendar(IntervalHour, timezone)
	return hours.start(hours.number(ms))
}

// HistogramBuilder builds a histogram.
type HistogramBuilder struct {
	calendar  calendar
	first     int64 // number of the first bucket
	auto      bool
	histogram Histogram
}

// NewHistogramBuilder begins a histogram with the number of sessions that have no
// date. If there are sessions with a date, call SetRange before Add.
func NewHistogramBuilder(q SummaryQuery, withoutDate int64) *HistogramBuilder {
	f := &HistogramBuilder{auto: q.Interval == "" || q.Interval == IntervalAuto, histogram: Histogram{
		Field: q.DateField(), Interval: q.Interval, Timezone: q.Timezone, WithoutDate: withoutDate,
	}}
	if f.auto {
		f.histogram.Interval = widths()[0]
	}
	return f
}

// SetRange makes the buckets from the date of the first match to that of the last
// one, in milliseconds since 1970. Error: ErrTooManyBuckets.
func (f *HistogramBuilder) SetRange(first, last int64) error {
	choice := []Interval{f.histogram.Interval}
	if f.auto {
		choice = widths()
	}
	var size int64
	for _, i := range choice {
		f.histogram.Interval = i
		f.calendar = newCalendar(i, f.histogram.Timezone)
		f.first = f.calendar.number(first)
		if size = f.calendar.number(last) - f.first + 1; size <= autoBuckets {
			break
		}
	}
	if size > MaxBuckets {
		return fmt.Errorf("%w: %d", ErrTooManyBuckets, size)
	}
	f.histogram.Buckets = make([]Bucket, size)
	for i := range f.histogram.Buckets {
		number := f.first + int64(i)
		f.histogram.Buckets[i] = Bucket{From: max(f.calendar.start(number), session.MinDate), To: min(f.calendar.start(number+1)-1, session.MaxDate)}
	}
	return nil
}

// Interval returns the chosen interval.
func (f *HistogramBuilder) Interval() Interval { return f.histogram.Interval }

// Add counts sessions in the bucket of a moment, in milliseconds since 1970. It
// returns false when there is no such bucket.
func (f *HistogramBuilder) Add(ms, sessions int64) bool {
	at := f.calendar.number(ms) - f.first
	if at < 0 || at >= int64(len(f.histogram.Buckets)) {
		return false
	}
	f.histogram.Buckets[at].Count += sessions
	return true
}

// Histogram returns the result.
func (f *HistogramBuilder) Histogram() Histogram { return f.histogram }
