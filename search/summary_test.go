package search_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// summarizer gives the same answer to every query, whatever the scope.
type summarizer struct {
	summary search.Summary
	err     error
}

func (s summarizer) Summarize(context.Context, tenancy.Scope, search.SummaryQuery) (search.Summary, error) {
	return s.summary, s.err
}

// summaryOf returns a summary with one session per company.
func summaryOf(companies ...tenancy.CompanyID) search.Summary {
	n := int64(len(companies))
	one := func(text string) search.Axis[search.Label] {
		top := search.NewTopTexts(search.SummaryQuery{}, search.FacetStatuses)
		top.Add(text, n)
		return top.Axis()
	}
	top := search.TopCompanies(search.SummaryQuery{})
	for _, id := range companies {
		top.Add(id, 1)
	}
	histogram := search.NewHistogramBuilder(search.SummaryQuery{})
	histogram.AddMissing(n)
	return search.Summary{
		Count: n, Histogram: histogram.Histogram(), Companies: top.Axis(),
		MessengerTypes: one("WEB"), OperatorTypes: one("BOT"), Statuses: one("OPEN"),
	}
}

func TestGuardSummaries(t *testing.T) {
	some := tenancytest.Scope(t, 3, 5, 9)
	changed := func(change func(*search.Summary)) search.Summary {
		s := summaryOf(3, 5)
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name    string
		scope   tenancy.Scope
		summary search.Summary
		want    error
	}{
		{"companies of the scope pass", some, summaryOf(3, 9), nil},
		{"nothing passes", some, summaryOf(), nil},
		{"nothing in an empty scope passes", tenancy.Scope{}, summaryOf(), nil},
		{"a foreign company among others fails", some, summaryOf(3, 4, 9), search.ErrForeignRow},
		{"no company fails", some, summaryOf(0), search.ErrForeignRow},
		{"anything in an empty scope fails", tenancy.Scope{}, search.Summary{Count: 1}, search.ErrForeignRow},
		{"more companies than there are fail", some, changed(func(s *search.Summary) { s.Companies.Rest = search.Rest{Values: 2, Count: 0} }), search.ErrForeignRow},
		{"companies that are too few fail", some, changed(func(s *search.Summary) { s.Companies.Top = s.Companies.Top[:1] }), search.ErrInexact},
		{"a count that is too high fails", some, changed(func(s *search.Summary) { s.Count++ }), search.ErrInexact},
		{"a date too many fails", some, changed(func(s *search.Summary) { s.Histogram.WithoutDate++ }), search.ErrInexact},
		{"a messenger type too many fails", some, changed(func(s *search.Summary) { s.MessengerTypes.Rest.Count++ }), search.ErrInexact},
		{"no operator type fails", some, changed(func(s *search.Summary) { s.OperatorTypes = search.Axis[search.Label]{} }), search.ErrInexact},
		{"a status of no session fails", some, changed(func(s *search.Summary) {
			s.Statuses.Top = append(s.Statuses.Top, search.Share[search.Label]{})
		}), search.ErrInexact},
		{"a rest before the top is full fails", some, changed(func(s *search.Summary) { s.Statuses.Rest.Values++ }), search.ErrInexact},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := search.GuardSummaries(summarizer{summary: tt.summary}).Summarize(t.Context(), tt.scope, search.SummaryQuery{})
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			want := tt.summary
			if tt.want != nil {
				want = search.Summary{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	_, err := search.GuardSummaries(summarizer{summary: summaryOf(3), err: search.ErrTimeout}).Summarize(t.Context(), some, search.SummaryQuery{})
	if !errors.Is(err, search.ErrTimeout) {
		t.Errorf("the engine's own error has become %v", err)
	}
}

func TestSummaryKeys(t *testing.T) {
	base := search.SummaryQuery{}
	same := search.SummaryQuery{Interval: search.IntervalAuto, Filter: search.Filter{DateField: search.CreatedAt}}
	if !bytes.Equal(base.SummaryKey(), same.SummaryKey()) {
		t.Error("a default that is written out makes a difference")
	}
	seen := map[string]string{"nothing": string(base.SummaryKey()), "a count": string(search.Query{}.CountKey())}
	for name, q := range map[string]search.SummaryQuery{
		"by day": {Interval: search.IntervalDay}, "a time zone": {Zone: search.Zone{Minutes: 1}}, "a time zone west": {Zone: search.Zone{Minutes: -1}},
		"a named zone": {Zone: search.Zone{Name: "Europe/Berlin"}}, "another named zone": {Zone: search.Zone{Name: "Europe/Paris"}},
		"filled": {Fill: true}, "no histogram": {WithoutHistogram: true}, "one value each": {Top: 1}, "all companies": {AllCompanies: true},
		"no facets": {Facets: []search.Facet{}}, "a facet": {Facets: []search.Facet{search.FacetTags}},
		"except own":    {Filter: search.Filter{Status: []string{"OPEN"}}, ExceptOwn: true},
		"another date":  {Filter: search.Filter{DateField: search.UpdatedAt}},
		"a filter":      {Filter: search.Filter{Status: []string{"OPEN"}}},
		"a bound":       {Filter: search.Filter{From: time.UnixMilli(5)}},
		"another bound": {Filter: search.Filter{From: time.UnixMilli(5), DateField: search.UpdatedAt}},
	} {
		for other, key := range seen {
			if key == string(q.SummaryKey()) {
				t.Errorf("%s and %s have one key", name, other)
			}
		}
		seen[name] = string(q.SummaryKey())
	}
}
