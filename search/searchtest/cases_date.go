package searchtest

import (
	"time"

	"github.com/scopegate/scopegate/search"
)

// dateFixture has two dates per session in opposite orders, so that confusing them
// is noticed.
func dateFixture() []spec {
	of := func(id string, v values) spec { return spec{id, dateCo, v} }
	return []spec{
		of("d1", values{"createdAt": at(-1), "updatedAt": at(1001), "closedAt": at(10)}),
		of("d2", values{"createdAt": at(0), "updatedAt": at(1000), "closedAt": at(20), "lastMessageCreatedAt": at(10)}),
		of("d3", values{"createdAt": at(1), "updatedAt": at(999), "lastMessageCreatedAt": at(20)}),
		of("d4", values{"createdAt": at(999), "updatedAt": at(1)}),
		of("d5", values{"createdAt": at(1000), "updatedAt": at(0)}),
		of("d6", values{"createdAt": at(1001), "updatedAt": at(-1)}),
		of("d7", values{"startedAt": at(500)}),
		of("d8", values{"createdAt": "1969-12-31T23:59:59.999Z", "updatedAt": "1970-01-01T00:00:00.000Z",
			"closedAt": at(-1)}),
		of("d9", values{"updatedAt": "2099-12-31T23:59:59.999Z"}),
	}
}

func dateChecks() []check { return reads("date", dateCo, dateReads()) }

func dateReads() []read {
	from, to, created, updated := moment(0), moment(1000), search.CreatedAt, search.UpdatedAt
	return []read{
		{name: "from is inclusive", filter: search.Filter{From: from}, want: "d2 d3 d4 d5 d6"},
		{name: "to is inclusive", filter: search.Filter{To: to}, want: "d1 d2 d3 d4 d5 d8"},
		{name: "both ends", filter: search.Filter{From: from, To: to}, want: "d2 d3 d4 d5"},
		{name: "one millisecond inside", filter: search.Filter{From: moment(1), To: moment(999)}, want: "d3 d4"},
		{name: "a single moment", filter: search.Filter{From: from, To: from}, want: "d2"},
		{name: "a moment without sessions", filter: search.Filter{From: moment(500), To: moment(500)}},
		{name: "createdAt by name", filter: search.Filter{From: from, To: to, DateField: created}, want: "d2 d3 d4 d5"},
		{name: "updatedAt from is inclusive", filter: search.Filter{From: to, DateField: updated}, want: "d1 d2 d9"},
		{name: "updatedAt to is inclusive", filter: search.Filter{To: from, DateField: updated}, want: "d5 d6 d8"},
		{name: "updatedAt both ends", filter: search.Filter{From: from, To: to, DateField: updated}, want: "d2 d3 d4 d5"},
		{name: "a date field alone is no condition", filter: search.Filter{DateField: updated},
			want: "d1 d2 d3 d4 d5 d6 d7 d8 d9"},
		{name: "a missing date is in no range", filter: search.Filter{From: moment(-1 << 40)}, want: "d1 d2 d3 d4 d5 d6"},
		{name: "before 1970", filter: search.Filter{To: epoch.AddDate(-50, 0, 0)}, want: "d8"},
		{name: "1970 itself is a bound", filter: search.Filter{To: time.UnixMilli(0).UTC(), DateField: updated}, want: "d8"},
		{name: "from 1970 itself", filter: search.Filter{From: time.UnixMilli(0).UTC()}, want: "d1 d2 d3 d4 d5 d6"},
		{name: "far ahead", filter: search.Filter{From: epoch.AddDate(70, 0, 0), DateField: updated}, want: "d9"},
		{name: "startedAt is a bound", filter: search.Filter{From: moment(500), To: moment(500), DateField: search.StartedAt}, want: "d7"},
		{name: "startedAt from is inclusive", filter: search.Filter{From: moment(501), DateField: search.StartedAt}},
		{name: "closedAt both ends", filter: search.Filter{From: moment(10), To: moment(20), DateField: search.ClosedAt}, want: "d1 d2"},
		{name: "closedAt to", filter: search.Filter{To: moment(19), DateField: search.ClosedAt}, want: "d1 d8"},
		{name: "lastMessageCreatedAt both ends", filter: search.Filter{From: moment(10), To: moment(20), DateField: search.LastMessageCreatedAt},
			want: "d2 d3"},
		{name: "lastMessageCreatedAt from", filter: search.Filter{From: moment(11), DateField: search.LastMessageCreatedAt}, want: "d3"},
	}
}
