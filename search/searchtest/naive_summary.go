package searchtest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// sum counts the sessions in the simplest way, with the calendar of the time zone.
// find returns the sessions that match a filter. ok is false when there are too many
// buckets or companies.
func sum(find func(search.Filter) []record, q search.SummaryQuery) (s search.Summary, ok bool) {
	found := find(q.Filter)
	s.Count, ok = int64(len(found)), true
	facets := q.Facets
	if facets == nil {
		facets = []search.Facet{"companies", "messengerTypes", "operatorTypes", "statuses"}
	}
	for _, facet := range facets {
		counted := found
		if q.ExceptOwn {
			counted = find(withoutOwn(q.Filter, facet))
		}
		if !addFacet(&s, facet, counted, q) {
			ok = false
		}
	}
	if q.WithoutHistogram {
		return s, ok
	}
	histogram, few := chart(found, q)
	s.Histogram = histogram
	return s, ok && few
}

func addFacet(s *search.Summary, facet search.Facet, counted []record, q search.SummaryQuery) bool {
	top := q.Top
	if top == 0 {
		top = 50
	}
	switch facet {
	case "companies":
		if q.AllCompanies {
			top = 20_000
		}
		s.Companies = ranking(counted, one(func(r record) any { return int64(r.company) }), companyOf, top)
		return !q.AllCompanies || s.Companies.Rest.Values == 0
	case "messengerTypes":
		s.MessengerTypes = ranking(counted, short("messengerType"), labelOf, top)
	case "operatorTypes":
		s.OperatorTypes = ranking(counted, one(func(r record) any {
			if r.values["operatorType"] == nil {
				return "NONE"
			}
			return r.values["operatorType"]
		}), labelOf, top)
	case "statuses":
		s.Statuses = ranking(counted, short("status"), labelOf, top)
	case "botStatuses":
		s.BotStatuses = ranking(counted, short("botStatus"), labelOf, top)
	case "operators":
		s.Operators = ranking(counted, short("operatorId"), func(id any) search.Operator {
			return search.Operator{ID: labelOf(id), Name: nameOf(counted, id)}
		}, top)
	case "tags":
		s.Tags = ranking(counted, tagsOf, labelOf, top)
	}
	return true
}

func withoutOwn(f search.Filter, facet search.Facet) search.Filter {
	switch facet {
	case "messengerTypes":
		f.MessengerTypes, f.MessengerTypesNot = nil, nil
	case "operatorTypes":
		f.OperatorTypes = nil
	case "statuses":
		f.Status, f.StatusNot = nil, nil
	case "botStatuses":
		f.BotStatus = ""
	case "operators":
		f.OperatorIDs, f.OperatorIDsNot = nil, nil
	case "tags":
		f.Tags, f.TagsNot = nil, nil
	}
	return f
}

// one makes a list of the one value that a session has.
func one(of func(record) any) func(record) []any {
	return func(r record) []any { return []any{of(r)} }
}

// short returns the value of a text field, nil for one that is too long to be
// listed.
func short(field string) func(record) []any {
	return one(func(r record) any {
		if len([]rune(r.text(field))) > 1000 {
			return nil
		}
		return r.values[field]
	})
}

func tagsOf(r record) []any {
	var tags []any
	for tag := range strings.SplitSeq(r.text("tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" && len([]rune(tag)) <= 1000 && !slices.Contains(tags, any(tag)) {
			tags = append(tags, tag)
		}
	}
	if tags == nil {
		return []any{nil}
	}
	return tags
}

// nameOf returns the name in the operator's newest session.
func nameOf(found []record, id any) search.Label {
	if id == nil {
		return search.Label{None: true}
	}
	var newest record
	for _, r := range found {
		if r.values["operatorId"] == id && (newest.id == "" || isNewer(r, newest)) {
			newest = r
		}
	}
	return labelOf(newest.values["operatorName"])
}

// isNewer compares by startedAt, a session without one being the oldest, then by id.
func isNewer(a, b record) bool {
	if c := compareValues(a.values["startedAt"], b.values["startedAt"], true); c != 0 {
		return c < 0
	}
	return a.id > b.id
}

// ranking counts by the values that of returns: most sessions first; among equals,
// sessions without a value come last.
func ranking[V any](found []record, of func(record) []any, as func(any) V, top int) search.Axis[V] {
	counts := map[any]int64{}
	for _, r := range found {
		for _, value := range of(r) {
			counts[value]++
		}
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
		if i < top {
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
	field, location := dateFieldOf(q.Filter), q.Zone.Location()
	h = search.Histogram{Field: search.DateField(field), Interval: q.Interval, Zone: q.Zone}
	var dates []time.Time
	for _, r := range found {
		if ms, ok := r.values[field].(int64); ok {
			dates = append(dates, time.UnixMilli(ms).In(location))
		} else {
			h.WithoutDate++
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	var from, to time.Time
	if len(dates) > 0 {
		from, to = dates[0], dates[len(dates)-1]
	}
	if q.Fill && !q.Filter.From.IsZero() {
		from = q.Filter.From.In(location)
	}
	if q.Fill && !q.Filter.To.IsZero() {
		to = q.Filter.To.In(location)
	}
	choice, most := []search.Interval{q.Interval}, 10_000
	if q.Interval == "" || q.Interval == "auto" {
		choice, most = []search.Interval{"hour", "day", "week", "month", "year"}, 100
	}
	if from.IsZero() || to.IsZero() {
		h.Interval = choice[0]
		return h, true
	}
	for _, h.Interval = range choice {
		if h.Buckets, ok = slots(dates, from, to, h.Interval, most); ok {
			return h, true
		}
	}
	h.Buckets, ok = slots(dates, from, to, h.Interval, 10_000)
	return h, ok
}

// slots lists the buckets from the one of a first date to the one of a last date.
func slots(dates []time.Time, from, to time.Time, interval search.Interval, most int) ([]search.Bucket, bool) {
	var list []search.Bucket
	for at := begin(from, interval); !at.After(to); at = after(at, interval) {
		if len(list) == most {
			return nil, false
		}
		end := after(at, interval)
		n := 0
		for n < len(dates) && dates[n].Before(end) {
			n++
		}
		dates = dates[n:]
		list = append(list, search.Bucket{
			From: max(at.UnixMilli(), session.MinDate), To: min(end.UnixMilli()-1, session.MaxDate), Count: int64(n),
		})
	}
	return list, true
}

// begin returns the beginning of the bucket that contains the moment. An hour begins
// where the minutes of the clock are 0, or where the clock is put forward or back.
func begin(at time.Time, interval search.Interval) time.Time {
	year, month, day := at.Date()
	switch interval {
	case "hour":
		start := at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second -
			time.Duration(at.Nanosecond()))
		if changed, _ := at.ZoneBounds(); changed.After(start) {
			return changed
		}
		return start
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
		// A clock is never put forward or back within half an hour of the last time.
		end := begin(at.Add(time.Hour), interval)
		if half := begin(at.Add(30*time.Minute), interval); half.After(at) {
			return half
		}
		return end
	case "week":
		return at.AddDate(0, 0, 7)
	case "month":
		return at.AddDate(0, 1, 0)
	case "year":
		return at.AddDate(1, 0, 0)
	}
	return at.AddDate(0, 0, 1)
}
