package searchtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// summaryFixture has sessions on both sides of every kind of calendar boundary, in
// several time zones, and more statuses than an axis lists.
func summaryFixture() []spec {
	var specs []spec
	add := func(company tenancy.CompanyID, v values) {
		specs = append(specs, spec{fmt.Sprintf("sum-%03d", len(specs)), company, v})
	}
	for i, date := range []string{
		"2023-12-31T23:59:59.999Z", "2024-01-01T00:00:00.000Z", // a year, a month and a week (a Monday) begin
		"2024-02-28T23:30:00.000Z", "2024-02-29T20:59:59.999Z", "2024-02-29T21:00:00.000Z", // March at +03:00
		"2024-03-01T11:59:59.999Z", "2024-03-01T12:00:00.000Z",
		"2024-03-03T23:59:59.999Z", "2024-03-04T00:00:00.000Z", // Sunday to Monday
		"2024-03-04T18:29:59.999Z", "2024-03-04T18:30:00.000Z", "2024-03-04T18:45:00.000Z", // Tuesday at +05:30
		"2024-04-01T04:59:59.999Z", "2024-04-01T05:00:00.000Z", // April at -05:00
	} {
		add(summaryCo, values{"createdAt": date, "updatedAt": at(i * 1000), "messengerType": session.MessengerTypes()[i%3]})
	}
	for i, operator := range session.OperatorTypes() {
		add(summaryCo, values{"operatorType": operator, "status": []string{"OPEN", "open", ""}[i]}) // never created
	}
	add(summaryCo, values{"status": strings.Repeat("s", search.MaxSummaryText)})
	add(summaryCo, values{"status": strings.Repeat("s", search.MaxSummaryText+1)})
	add(summaryCo, values{"status": strings.Repeat("\U00010400", 9000)}) // longer than a term of an index can be
	for i := range 60 {
		for range 1 + i%7 {
			add(summaryCo+1, values{"status": fmt.Sprintf("status %d", i), "createdAt": at(-i)})
		}
	}
	add(summaryCo+1, values{"createdAt": at(0)}) // as many as of status 0
	for _, date := range []string{"1969-12-28T23:59:59.999Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z"} {
		add(summaryCo+2, values{"createdAt": date})
	}
	for i, date := range []string{
		"2024-03-30T12:00:00.000Z", "2024-03-31T00:59:59.999Z", "2024-03-31T01:00:00.000Z", "2024-03-31T22:00:00.000Z", // 23 hours in Berlin
		"2024-10-26T22:00:00.000Z", "2024-10-27T00:30:00.000Z", "2024-10-27T01:30:00.000Z", "2024-10-27T22:59:59.999Z", // 25 hours
		"2024-04-06T14:59:59.999Z", "2024-04-06T15:00:00.000Z", "2024-04-06T15:15:00.000Z", "2024-04-06T15:30:00.000Z", // Lord Howe goes back by 30 minutes
		"2024-10-05T15:29:59.999Z", "2024-10-05T15:30:00.000Z", "2024-10-05T16:00:00.000Z", // and forward
		"2024-05-01T18:14:59.999Z", "2024-05-01T18:15:00.000Z", // a day begins in Kathmandu
	} {
		add(zoneCo, values{"createdAt": date, "updatedAt": at(i)})
	}
	specs = append(specs, facetFixture()...)
	add(summaryCo+3, values{"createdAt": "0001-06-01T00:00:00.000Z"})
	add(summaryCo+3, values{"createdAt": "9998-06-01T00:00:00.000Z"})
	return specs
}

// zonesToTry have offsets of whole hours, of 45 minutes, and a change by 30 minutes.
func zonesToTry() []string {
	return []string{"Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"}
}

var errSummary = errors.New("not what the naive scan adds up")

func summaryChecks() []check {
	var all []check
	by := func(name string, a ask, q search.SummaryQuery) {
		all = append(all, check{"summary/" + name, func(ctx context.Context, e *env) error {
			return e.agreeOnSums(ctx, a, q)
		}})
	}
	of := func(name string, a ask, interval search.Interval, minutes int) {
		by(name, a, search.SummaryQuery{Interval: interval, Zone: search.Zone{Minutes: minutes}})
	}
	a := everything(summaryCo)
	for _, interval := range search.Intervals() {
		for _, timezone := range []int{0, 180, -300, 330, 840, -840, 1} {
			of(fmt.Sprintf("by %s at %d minutes", interval, timezone), a, interval, timezone)
		}
		of(fmt.Sprintf("by %s before 1970", interval), everything(summaryCo+2), interval, -1)
	}
	of("over all dates there can be", everything(summaryCo+3), search.IntervalAuto, 0)
	of("by hour over all dates there can be is too much", everything(summaryCo+3), search.IntervalHour, 0)
	of("by month over all dates there can be is too much", everything(summaryCo+3), search.IntervalMonth, 60)
	of("by the date of the change", a.where(search.Filter{DateField: search.UpdatedAt}), "", 60)
	of("between dates", a.where(search.Filter{From: moment(-1), To: moment(86_400_000)}), "", 0)
	of("more statuses than are told", everything(summaryCo+1), "", 0)
	of("equals are told by value", everything(summaryCo+1).where(search.Filter{From: moment(-2)}), "", 0)
	of("several companies", everything(summaryCo, summaryCo+1, summaryCo+2, lonelyCo), "", 0)
	of("who served last", a.where(search.Filter{OperatorTypes: []string{session.OperatorNone}}), "", 0)
	of("a messenger", a.where(search.Filter{MessengerTypes: []string{"WEB"}}), search.IntervalWeek, 0)
	of("a keyword", everything(twins()...).find("twin одинцов"), "", 0)
	of("a keyword that nothing has", a.find("nobody"), search.IntervalDay, 0)
	of("a tag that there cannot be", a.where(search.Filter{Tags: []string{"a,b"}}), "", 0)
	of("of nothing", everything(lonelyCo), "", 0)
	of("the empty scope", everything(), search.IntervalMonth, 0)
	of("companies at the ends", everything(twins()...), "", 0)
	of("a wide scope with few sessions", everything(wide()...), "", 0)
	for _, zone := range zonesToTry() {
		for _, interval := range search.Intervals() {
			by(fmt.Sprintf("by %s in %s", interval, zone), everything(zoneCo), search.SummaryQuery{Interval: interval, Zone: search.Zone{Name: zone}})
		}
	}
	year := search.Filter{From: time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2024, time.December, 31, 23, 59, 59, 0, time.UTC)}
	for _, interval := range search.Intervals() {
		q := search.SummaryQuery{Interval: interval, Fill: true, Zone: search.Zone{Name: "Europe/Berlin"}}
		by(fmt.Sprintf("every %s of a year", interval), everything(zoneCo).where(year), q)
		by(fmt.Sprintf("every %s of a year without sessions", interval), everything(lonelyCo).where(year), q)
		by(fmt.Sprintf("every %s from a date on", interval), everything(zoneCo).where(search.Filter{From: year.From}), q)
		by(fmt.Sprintf("every %s up to a date", interval), everything(zoneCo).where(search.Filter{To: year.To}), q)
		by(fmt.Sprintf("every %s in the empty scope", interval), everything().where(year), q)
	}
	by("too many hours to fill", a.where(search.Filter{From: time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC), To: year.To}),
		search.SummaryQuery{Interval: search.IntervalHour, Fill: true})
	by("no histogram", a, search.SummaryQuery{WithoutHistogram: true, Interval: search.IntervalHour})
	return append(all, facetChecks()...)
}

// wideRows are the sessions in the 5,000 companies of the wide scope. Some
// companies have many, most have few.
const wideRows = 12_000

// wideChecks are kept apart like the deep ones, for the same reason.
func wideChecks() []check {
	of := func(name string, a ask) check {
		return check{"wide/" + name, func(ctx context.Context, e *env) error {
			return e.agreeOnSums(ctx, a, search.SummaryQuery{})
		}}
	}
	a := everything(wide()...)
	return []check{
		{"wide/sessions of 5,000 companies can be written", writeWide},
		of("a summary of 5,000 companies", a),
		of("a summary of 5,000 companies with a filter", a.where(search.Filter{OperatorTypes: []string{session.OperatorBot}})),
		of("a summary of 5,000 companies, few of which match", a.where(search.Filter{MinMessageCount: 300})),
		of("a summary of 60 of them", everything(wide()[4900:4960]...)),
		{"wide/the newest sessions of thousands of clients", func(ctx context.Context, e *env) error {
			newest := everything(wide()...).by("-startedAt").page(9000, 20)
			newest.query.NewestOfClient = true
			_, _, err := e.agree(ctx, newest)
			return err
		}},
	}
}

func writeWide(ctx context.Context, e *env) error {
	companies := wide()
	const batch = 3000
	for from := 0; from < wideRows; from += batch {
		var specs []spec
		for i := from; i < from+batch; i++ {
			company := companies[i*i%5003%len(companies)]
			specs = append(specs, spec{fmt.Sprintf("wide-%05d", i), company, values{
				"createdAt": at(i * 61_000), "startedAt": at(i * 59_000), "clientId": fmt.Sprintf("w-%d", i%9000), "clientMessageCount": i % 307,
				"operatorType": session.OperatorTypes()[i%3], "status": strconv.Itoa(i % 97),
			}})
		}
		docs, err := build(specs)
		if err != nil {
			return err
		}
		if err := e.write(ctx, docs...); err != nil {
			return err
		}
	}
	return nil
}

// agreeOnSums compares the summaries of the engine and the naive scan. The filter is
// that of the ask.
func (e *env) agreeOnSums(ctx context.Context, a ask, q search.SummaryQuery) error {
	asked, err := a.forEngine()
	if err != nil {
		return err
	}
	want, possible, err := sumOf(e.held(a.companies), a, q)
	if err != nil {
		return err
	}
	q.Filter = asked.Filter
	scope := e.scopes.of(a.companies)
	got, err := search.GuardSummaries(e.engine).Summarize(ctx, scope, q)
	if !possible {
		if errors.Is(err, search.ErrTooManyBuckets) || errors.Is(err, search.ErrTooManyCompanies) {
			return nil
		}
		return fmt.Errorf("%w: %v: error %w, want that of too many buckets or companies", errSummary, a, err)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", a, err)
	}
	got.Provenance = search.Provenance{}
	if reflect.DeepEqual(want, got) { // faster than cmp
		return nil
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		q.Filter = search.Filter{} // described by the ask
		return fmt.Errorf("%w: %v %+v (-want +got):\n%s", errSummary, a, q, diff)
	}
	return nil
}

// sumOf computes a summary with the naive scan.
func sumOf(held []record, a ask, q search.SummaryQuery) (search.Summary, bool, error) {
	a.query.Limit, a.query.Offset, a.query.After = len(held), 0, nil
	var failed error
	q.Filter = a.query.Filter
	s, possible := sum(func(f search.Filter) []record {
		narrowed := a
		narrowed.query.Filter = f
		found, err := scan(held, narrowed)
		failed = errors.Join(failed, err)
		return found.page
	}, q)
	return s, possible, failed
}

func companyOf(value any) tenancy.CompanyID { return tenancy.CompanyID(value.(int64)) }
