package searchtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// scopeFixture has the same client in many companies: companies whose ids contain
// one another, at both ends of the range, and around a wide scope.
func scopeFixture() []spec {
	twin := func(company tenancy.CompanyID, n int) spec {
		return spec{fmt.Sprintf("w%d-%d", company, n), company, values{
			"name": "Twin Одинцов", "clientId": "twin-client", "whatsappPhone": "+1 555 0100", "chatId": "twin-chat",
			"createdAt": at(n), "startedAt": at(n), "status": "OPEN", "clientMessageCount": n, "tags": "twin"}}
	}
	var specs []spec
	for _, company := range twins() {
		specs = append(specs, twin(company, 1), twin(company, 2))
	}
	for i := 0; i < 10_000; i += 999 { // some inside the wide scope, some between its companies
		specs = append(specs, twin(wideCo+tenancy.CompanyID(i), 1))
	}
	return append(specs, twin(wideCo-1, 1), twin(wideCo+10_000, 1))
}

func twins() []tenancy.CompanyID {
	return []tenancy.CompanyID{
		1, siblingCo, twinCo, twinCo + 1, twinCo + 2, cousinCo, 65_535, 65_536, 65_537,
		tenancy.MaxCompanyID - 1, tenancy.MaxCompanyID,
	}
}

// wide is every second company of ten thousand.
func wide() []tenancy.CompanyID {
	companies := make([]tenancy.CompanyID, 0, 5000)
	for i := range 5000 {
		companies = append(companies, wideCo+tenancy.CompanyID(2*i))
	}
	return companies
}

// scopeChecks run every kind of query with every kind of scope.
func scopeChecks() []check {
	last := tenancy.MaxCompanyID
	scopes := []struct {
		name      string
		companies []tenancy.CompanyID
		rows      int
	}{
		{"the empty scope", nil, 0},
		{"a company without sessions", []tenancy.CompanyID{lonelyCo}, 0},
		{"one company", []tenancy.CompanyID{twinCo}, 2},
		{"the first company there can be", []tenancy.CompanyID{1}, 2},
		{"the last company there can be", []tenancy.CompanyID{last}, 2},
		{"the last company but one", []tenancy.CompanyID{last - 1}, 2},
		{"a company whose id begins that of others", []tenancy.CompanyID{siblingCo}, 2},
		{"a company whose id begins with that of others", []tenancy.CompanyID{cousinCo}, 2},
		{"a company past 16 bits", []tenancy.CompanyID{65_537}, 2},
		{"two companies", []tenancy.CompanyID{twinCo, twinCo + 2}, 4},
		{"companies and one without sessions", []tenancy.CompanyID{siblingCo, lonelyCo, last}, 4},
		{"all that have the client", twins(), 22},
		{"5,000 companies", wide(), 6},
		{"5,000 companies and the last", append(wide(), last), 8},
	}
	var all []check
	for _, s := range scopes {
		a := everything(s.companies...)
		ask := func(name string, rows int, a ask) {
			all = append(all, check{"scope/" + s.name + " by " + name, counts(a, rows)})
		}
		ask("nothing", s.rows, a)
		ask("name", s.rows, a.find("twin одинцов"))
		ask("phone", s.rows, a.find("555-0100"))
		ask("client id", s.rows, a.find("twin-client"))
		ask("one letter", s.rows, a.find("w"))
		ask("chat", s.rows, a.where(search.Filter{ChatID: "twin-chat", Status: []string{"OPEN"}}))
		ask("date, no company in the fields", s.rows, a.by("-createdAt").fields(fieldsOf("name")).
			where(search.Filter{From: moment(1), To: moment(2)}))
		ask("a foreign session's id", 0, a.where(search.Filter{SessionID: "e1"}))
		ask("keyset", s.rows, a.by("-companyId", "name").after(writePosition(int64(last)+1)))
	}
	return append(all,
		check{"scope/a session's id within the scope", counts(everything(twinCo+1).where(search.Filter{SessionID: "w202-1"}), 1)},
		check{"scope/page by page through 5,000 companies", walk(everything(wide()...).by("-companyId").page(0, 1))},
		check{"scope/by company through all", walk(everything(twins()...).by("companyId", "-createdAt").page(0, 5))},
	)
}

// counts is a case with a known number of rows.
func counts(a ask, rows int) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		got, _, err := e.agree(ctx, a)
		if err != nil {
			return err
		}
		foreign := func(r search.Row) bool { return !slices.Contains(a.companies, r.CompanyID) }
		if got.Count.Total != int64(rows) || slices.ContainsFunc(got.Page.Rows, foreign) {
			return fmt.Errorf("%v: count %d, want %d; %d rows", a, got.Count.Total, rows, len(got.Page.Rows))
		}
		return nil
	}
}
