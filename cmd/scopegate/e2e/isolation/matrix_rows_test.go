package isolation_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
)

// matrixRow is one way to ask, in one format, with the model's answer to it. A
// new endpoint or format is a new row.
type matrixRow struct {
	name       string
	selections []selection
	// ask makes the request. Two numbers make requests that answer alike and
	// share nothing in the cache.
	ask  func(s selection, unlike int) asked
	want func(m *tenants, c caller, s selection, unlike int) outcome
	// inquire is the search that is asked, so that its pages can be followed;
	// nil: it is none.
	inquire func(s selection, unlike int) inquiry
	// bothWays: the callers ask in their order, then in reverse, so that each scope
	// is once the first to fill the cache. One row of each kind of entry is enough.
	bothWays bool
}

func (r matrixRow) andBack() matrixRow {
	r.bothWays = true
	return r
}

// matrixSelections are the ways to ask for companies: own, below, above, beside,
// another's, one that is in no directory, one that is nowhere, and mixtures.
func matrixSelections() []selection {
	list := []selection{{}}
	for _, id := range []tenancy.CompanyID{1, 2, 4, 7, 11, 20, 30, 98, 777} {
		list = append(list, selection{companies: []tenancy.CompanyID{id}})
	}
	for _, ids := range [][]tenancy.CompanyID{{2, 10}, {7, 11}, {4, 2}, {1, 10, 20}, {7, 777}} {
		list = append(list, selection{companies: ids, list: true})
	}
	for _, s := range list {
		s.all = true
		list = append(list, s)
	}
	return append(list, moreSelections()...)
}

// moreSelections are branches, and what is taken out: own, below, above, another's,
// nowhere, beside what is selected, and so much that nothing is left.
func moreSelections() []selection {
	ids := func(list ...tenancy.CompanyID) []tenancy.CompanyID { return list }
	return []selection{
		{branches: ids(2)}, {branches: ids(4, 7)}, {branches: ids(30)}, {branches: ids(777)}, {branches: ids(4), companies: ids(7)},
		{exceptCompanies: ids(2)}, {all: true, exceptCompanies: ids(4)}, {all: true, exceptBranches: ids(4)}, {all: true, exceptCompanies: ids(30)},
		{all: true, exceptBranches: ids(777)}, {all: true, exceptBranches: ids(2)}, {branches: ids(2), exceptBranches: ids(4)},
		{companies: ids(2), all: true, exceptCompanies: ids(2)}, {companies: ids(4), exceptBranches: ids(4)},
	}
}

// fewSelections are enough for what differs from another row in its form only.
func fewSelections() []selection {
	return []selection{
		{}, {all: true}, {companies: []tenancy.CompanyID{2}, all: true}, {companies: []tenancy.CompanyID{7, 11}, all: true},
		{companies: []tenancy.CompanyID{30}}, {companies: []tenancy.CompanyID{2}},
	}
}

func matrixRows() []matrixRow {
	short := []string{"id", "companyId", "companyName", "name"}
	shortPage := func(s selection, unlike int) inquiry {
		return inquiry{selection: s, limit: 3, fields: short, unlike: unlike}
	}
	wholePage := func(s selection, unlike int) inquiry { return inquiry{selection: s, limit: 4, unlike: unlike} }
	rows := []matrixRow{
		searchRow("a page", matrixSelections(), inquiry.byURL, shortPage).andBack(),
		searchRow("a page, by body", append(fewSelections(), moreSelections()[4:12]...), inquiry.byBody, shortPage),
		searchRow("a count", fewSelections(), inquiry.byURL, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, withoutItems: true, unlike: unlike}
		}).andBack(),
		searchRow("sessions by name", fewSelections(), inquiry.byBody, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, byName: true, withoutCount: true, fields: short[:2], unlike: unlike}
		}),
		searchRow("all fields", fewSelections(), inquiry.byURL, wholePage),
		searchRow("all fields, compressed", fewSelections(), inquiry.compressed, wholePage),
		searchRow("the headers alone", fewSelections(), inquiry.headersAlone, wholePage),
		searchRow("a keyword that all sessions have", fewSelections(), inquiry.byURL, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, keyword: "canary-", limit: 5, fields: short, unlike: unlike}
		}),
		summaryRow("a summary", matrixSelections(), inquiry.summedByURL, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, unlike: unlike}
		}),
		summaryRow("a summary, by body", fewSelections(), inquiry.summedByBody, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, unlike: unlike, keyword: "canary-"}
		}).andBack(),
		searchRow("a page as CSV", fewSelections(), inquiry.byURL, fileOf(export.CSV, false, false)),
		searchRow("a page as XLSX in a zip, by body", fewSelections()[1:4], inquiry.byBody, fileOf(export.XLSX, true, false)),
		searchRow("an export as CSV", matrixSelections(), inquiry.byURL, fileOf(export.CSV, false, true)),
		searchRow("an export for Excel, by body", fewSelections()[1:4], inquiry.byBody, fileOf(export.CSVExcel, false, true)),
		searchRow("an export as NDJSON", fewSelections()[1:4], inquiry.byURL, fileOf(export.NDJSON, false, true)),
		searchRow("an export as JSON, by body", fewSelections()[1:4], inquiry.byBody, fileOf(export.JSON, false, true)),
		searchRow("an export as CSV in a zip", fewSelections()[1:4], inquiry.byURL, fileOf(export.CSV, true, true)),
		searchRow("an export as XLSX", fewSelections()[1:4], inquiry.byURL, fileOf(export.XLSX, false, true)),
		treeRow(""), treeRow(canary(1, "")), treeRow(canary(30, "")),
		{
			name: "the account", selections: []selection{{}},
			ask:  func(selection, int) asked { return asked{target: "/api/v1/me"} },
			want: func(m *tenants, c caller, _ selection, _ int) outcome { return whoAmI(m, c) },
		},
		misspeltRow("showAllSupervised=true&companyID=30"), misspeltRow("companyId=30&companyId=2"),
		misspeltSummaryRow("showAllSupervised=true&companyID=30"), misspeltSummaryRow("companyId=30&limit=3"),
		misspeltRow("companyIds=2,30&companyId=2"), misspeltRow("branchIds=2&showAllSupervised=true"), misspeltRow("branchIds=2&companyId=2"),
		misspeltSummaryRow("branchIds=30&companyId=2"), misspeltRow("exceptCompanyId=30"), misspeltRow("limit=3&cursor=" + canary(30, "AAAA")),
	}
	for _, id := range []tenancy.CompanyID{1, 4, 11, 30, 98} {
		rows = append(rows, rowsOf(id)...)
	}
	return rows
}

func (q inquiry) compressed() asked {
	a := q.byURL()
	a.header = []string{"Accept-Encoding", "gzip"}
	return a
}

func (q inquiry) headersAlone() asked {
	a := q.byURL()
	a.method = http.MethodHead
	return a
}

func searchRow(name string, selections []selection, by func(inquiry) asked, inquire func(selection, int) inquiry) matrixRow {
	return matrixRow{
		name: name, selections: selections, inquire: inquire,
		ask: func(s selection, unlike int) asked { return by(inquire(s, unlike)) },
		want: func(m *tenants, c caller, s selection, unlike int) outcome {
			q := inquire(s, unlike)
			return q.answeredTo(m, c, nextTarget(by(q)))
		},
	}
}

// nextTarget is what the target of a Link begins with.
func nextTarget(a asked) string {
	if a.method == http.MethodPost {
		return a.target + "?"
	}
	return a.target + "&"
}

// rowsOf ask for what is of one company by what only it has.
func rowsOf(company tenancy.CompanyID) []matrixRow {
	id := newCanarySession(company, 1).id
	supervised := []selection{{}, {all: true}}
	// A session has one parameter: the fields are what makes a difference.
	fieldsOf := func(unlike int) []string {
		fields := []string{"id", "companyName"}
		for i, field := range []string{"chatId", "chatName", "name", "channel", "city", "clientId", "referer", "purpose", "ttl", "price"} {
			if unlike>>i&1 == 1 {
				fields = append(fields, field)
			}
		}
		return fields
	}
	return []matrixRow{
		searchRow(fmt.Sprintf("a keyword of %d", company), supervised, inquiry.byURL, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, keyword: canary(company, ""), unlike: unlike}
		}),
		summaryRow(fmt.Sprintf("a summary by a keyword of %d", company), supervised, inquiry.summedByURL, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, keyword: canary(company, ""), unlike: unlike}
		}),
		searchRow(fmt.Sprintf("a session id of %d", company), supervised, inquiry.byBody, func(s selection, unlike int) inquiry {
			return inquiry{selection: s, sessionID: id, unlike: unlike}
		}),
		{
			name: fmt.Sprintf("a session of %d", company), selections: []selection{{}},
			ask: func(_ selection, unlike int) asked {
				return asked{target: "/api/v1/sessions/" + id + "?fields=" + strings.Join(fieldsOf(unlike), ",")}
			},
			want: func(m *tenants, c caller, _ selection, unlike int) outcome {
				return oneSession(m, c, id, fieldsOf(unlike))
			},
		},
	}
}

func treeRow(text string) matrixRow {
	target := "/api/v1/companies"
	if text != "" {
		target += "?query=" + text
	}
	return matrixRow{
		name: target, selections: []selection{{}},
		ask:  func(selection, int) asked { return asked{target: target} },
		want: func(m *tenants, c caller, _ selection, _ int) outcome { return companyTree(m, c, text) },
	}
}

// summaryRow asks for what the sessions of a search add up to.
func summaryRow(name string, selections []selection, by func(inquiry) asked, inquire func(selection, int) inquiry) matrixRow {
	return matrixRow{
		name: name, selections: selections,
		ask: func(s selection, unlike int) asked { return by(inquire(s, unlike)) },
		want: func(m *tenants, c caller, s selection, unlike int) outcome {
			return inquire(s, unlike).summedUpFor(m, c)
		},
	}
}

// misspeltRow asks what is refused to all, whatever they may see.
func misspeltRow(parameters string) matrixRow { return misspelt("/api/v1/sessions?" + parameters) }

func misspeltSummaryRow(parameters string) matrixRow {
	return misspelt("/api/v1/sessions/summary?" + parameters)
}

func misspelt(target string) matrixRow {
	return matrixRow{
		name: target, selections: []selection{{}},
		ask: func(selection, int) asked { return asked{target: target} },
		want: func(_ *tenants, c caller, _ selection, _ int) outcome {
			if c.refused != "" {
				return problemOutcome(http.StatusUnauthorized, c.refused)
			}
			return problemOutcome(http.StatusBadRequest, "")
		},
	}
}

// scopeKey tells scopes apart, as the cache must.
func scopeKey(scope []tenancy.CompanyID) string {
	return fmt.Sprint(slices.Sorted(slices.Values(scope)))
}
