package searchtest

import (
	"context"
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/search"
)

// facetFixture has sessions whose operators changed their names, tags in all forms,
// and more values than some of the checks list.
func facetFixture() []spec {
	var specs []spec
	add := func(v values) { specs = append(specs, spec{fmt.Sprintf("fac-%03d", len(specs)), facetCo, v}) }
	for _, v := range []values{
		{"operatorId": "op-1", "operatorName": "Ada Before", "startedAt": at(1000), "status": "OPEN", "tags": "a, b"},
		{"operatorId": "op-1", "operatorName": "Ada After", "startedAt": at(2000), "status": "CLOSED", "tags": "b,a,,b "},
		{"operatorId": "op-1", "operatorName": "Ada Unknown", "status": "OPEN", "tags": " ,"},
		{"operatorId": "op-2", "operatorName": "Bob Low", "startedAt": at(5), "status": "OPEN", "messengerType": "WEB"},
		{"operatorId": "op-2", "operatorName": "Bob High", "startedAt": at(5), "status": "CLOSED", "messengerType": "SMS"},
		{"operatorId": "op-3", "operatorName": "Named", "startedAt": at(1), "botStatus": "ON"},
		{"operatorId": "op-3", "startedAt": at(2), "botStatus": "OFF"},
		{"operatorId": "", "operatorName": "Nobody"},
		{"operatorId": "OP-1", "operatorName": "Ada Upper", "operatorType": "OPERATOR"},
		{"tags": strings.Repeat("t", search.MaxSummaryText) + ",short"},
		{"tags": strings.Repeat("t", search.MaxSummaryText+1) + ",short"},
		{"tags": strings.Repeat("\U00010400", search.MaxSummaryText)},
		{"tags": strings.Repeat("t", search.MaxSummaryText+1)},
		{"operatorId": strings.Repeat("o", search.MaxSummaryText+1), "operatorName": "Long", "botStatus": strings.Repeat("b", 9000)},
		{"operatorType": "BOT", "messengerType": "WEB", "botStatus": "ON", "status": "OPEN"},
	} {
		add(v)
	}
	for i := range 40 {
		add(values{"operatorId": fmt.Sprintf("many-%02d", i%20), "operatorName": fmt.Sprint("Name ", i), "tags": fmt.Sprintf("t%d,u%d", i, i%3)})
	}
	return specs
}

func facetChecks() []check {
	var all []check
	by := func(name string, a ask, q search.SummaryQuery) {
		all = append(all, check{"facet/" + name, func(ctx context.Context, e *env) error {
			return e.agreeOnSums(ctx, a, q)
		}})
	}
	a, every := everything(facetCo), search.Facets()
	for _, facet := range every {
		by(string(facet)+" alone", a, search.SummaryQuery{Facets: []search.Facet{facet}, WithoutHistogram: true})
		by(string(facet)+", two of them", a, search.SummaryQuery{Facets: []search.Facet{facet}, Top: 2})
	}
	by("all", a, search.SummaryQuery{Facets: every})
	by("all, the largest of each", a, search.SummaryQuery{Facets: every, Top: 1})
	by("all, as many as can be listed", a, search.SummaryQuery{Facets: every, Top: search.MaxTop})
	by("none", a, search.SummaryQuery{Facets: []search.Facet{}})
	by("all companies", everything(facetCo, summaryCo, summaryCo+1, lonelyCo), search.SummaryQuery{AllCompanies: true, Top: 1})
	by("all of the empty scope", everything(), search.SummaryQuery{Facets: every})
	by("all of a keyword that nothing has", a.find("nobody"), search.SummaryQuery{Facets: every})
	for name, f := range ownFilters() {
		by("without its own filter: "+name, a.where(f), search.SummaryQuery{Facets: every, ExceptOwn: true})
		by("with its own filter: "+name, a.where(f), search.SummaryQuery{Facets: every})
		by("without its own filter, others not asked for: "+name, a.where(f),
			search.SummaryQuery{Facets: []search.Facet{search.FacetStatuses, search.FacetCompanies}, ExceptOwn: true, Top: 1})
	}
	return all
}

func ownFilters() map[string]search.Filter {
	return map[string]search.Filter{
		"messenger":        {MessengerTypes: []string{"WEB"}},
		"served by":        {OperatorTypes: []string{"BOT"}},
		"status":           {Status: []string{"OPEN"}},
		"bot status":       {BotStatus: "ON"},
		"operator":         {OperatorIDs: []string{"op-1", "op-3"}},
		"tag":              {Tags: []string{"a", "t3"}},
		"several":          {Status: []string{"OPEN"}, OperatorIDs: []string{"op-1", "op-2"}, Tags: []string{"a", "b"}},
		"other messengers": {MessengerTypesNot: []string{"WEB"}},
		"other statuses":   {StatusNot: []string{"OPEN"}, Status: []string{"OPEN", "CLOSED"}},
		"other operators":  {OperatorIDsNot: []string{"op-1"}, TagsNot: []string{"a"}},
		"nothing":          {Status: []string{"OPEN"}, Tags: []string{"no such"}},
	}
}
