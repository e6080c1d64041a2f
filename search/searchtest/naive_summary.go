package searchtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/scopegate/scopegate/search"
)

// sum counts the sessions in the simplest way, with the calendar of the time zone.
// ok is false when there are too many buckets.
func sum(found []record, q search.SummaryQuery) (s search.Summary, ok bool) {
	s = search.Summary{
		Count:          int64(len(found)),
		Companies:      ranking(found, func(r record) any { return int64(r.company) }, companyOf),
		MessengerTypes: ranking(found, func(r record) any { return r.values["messengerType"] }, labelOf),
		OperatorTypes: ranking(found, func(r record) any {
			if r.values["operatorType"] == nil {
				return "NONE"
			}
			return r.values["operatorType"]
		}, labelOf),
		Statuses: ranking(found, func(r record) any {
			if text := r.text("status"); len([]rune(text)) > 1000 {
				return nil
			}
			return r.values["status"]
		}, labelOf),
	}
	s.Histogram, ok = chart(found, q)
	return s, ok
}

// ranking counts by the value that of returns: most sessions first; among equals,
// sessions without a value come last.
func ranking[V any](found []record, of func(record) any, as func(any) V) search.Axis[V] {
	counts := map[any]int64{}
	for _, r := range found {
		counts[of(r)]++
	}
	var values []any
	for value := range counts {
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b any) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), compareValues(a, b, false))
	})
	var axis search.Axis[V]
	for i, value := range values {
		if i < 50 {
			axis.Top = append(axis.Top, search.Share[V]{Value: as(value), Count: counts[value]})
			continue
		}
		axis.Rest.Values++
		axis.Rest.Count += counts[value]
	}
	return axis
}

func labelOf(value any) search.Label {
	text, ok := value.(string)
	return search.Label{Text: text, None: !ok}
}

// chart counts by date.
func chart(found []record, q search.SummaryQuery) (h search.Histogram, ok bool) {
	field := dateFieldOf(q.Filter)
	h = search.Histogram{Field: search.DateField(field), Interval: q.Interval, Timezone: q.Timezone}
	var dates []time.Time
	for _, r := range found {
		if ms, ok := r.values[field].(int64); ok {
			dates = append(dates, time.UnixMilli(ms).In(time.FixedZone("", q.Timezone*60)))
		} else {
			h.WithoutDate++
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	choice, most := []search.Interval{q.Interval}, 10_000
	if q.Interval == "" || q.Interval == "auto" {
		choice, most = []search.Interval{"hour", "day", "week", "month", "year"}, 100
	}
	for _, h.Interval = range choice {
		if h.Buckets, ok = slots(dates, h.Interval, most); ok {
			return h, true
		}
	}
	h.Buckets, ok = slots(dates, h.Interval, 10_000)
	return h, ok
}

// slots lists the buckets from the first date to the last one.
func slots(dates []time.Time, interval search.Interval, most int) ([]search.Bucket, bool) {
	if len(dates) == 0 {
		return nil, true
	}
	var list []search.Bucket
	for at := begin(dates[0], interval); len(dates) > 0; at = after(at, interval) {
		if len(list) == most {
			return nil, false
		}
		end := after(at, interval)
		n := 0
		for n < len(dates) && dates[n].Before(end) {
			n++
		}
		dates = dates[n:]
		list = append(list, search.Bucket{From: at.UnixMilli(), To: end.UnixMilli() - 1, Count: int64(n)})
	}
	return list, true
}

// begin returns the beginning of the bucket that contains the moment.
func begin(at time.Time, interval search.Interval) time.Time {
	year, month, day := at.Date()
	switch interval {
	case "hour":
		return time.Date(year, month, day, at.Hour(), 0, 0, 0, at.Location())
	case "week":
		for at.Weekday() != time.Monday {
			at = at.AddDate(0, 0, -1)
		}
		year, month, day = at.Date()
	case "month":
		day = 1
	case "year":
		month, day = time.January, 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, at.Location())
}

func after(at time.Time, interval search.Interval) time.Time {
	switch interval {
	case "hour":
		return at.Add(time.Hour)
	case "week":
		return at.AddDate(0, 0, 7)
	case "month":
		return at.AddDate(0, 1, 0)
	case "year":
		return at.AddDate(1, 0, 0)
	}
	return at.AddDate(0, 0, 1)
}
