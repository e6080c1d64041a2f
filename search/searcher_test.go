package search_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// engine gives the same answer to every query, whatever the scope. Guard must catch
// this.
type engine struct {
	result search.Result
	err    error
	asked  search.Query
}

func (e *engine) Search(_ context.Context, _ tenancy.Scope, q search.Query) (search.Result, error) {
	e.asked = q
	return e.result, e.err
}

func rowsOf(companies ...tenancy.CompanyID) search.Result {
	result := search.Result{Count: search.Count{Total: int64(len(companies))}}
	for _, id := range companies {
		result.Page.Rows = append(result.Page.Rows, search.Row{CompanyID: id})
	}
	return result
}

func TestGuard(t *testing.T) {
	someCompanies := tenancytest.Scope(t, 3, 5, 9)
	var none tenancy.Scope
	page := search.Query{Limit: 3}
	tests := []struct {
		name    string
		scope   tenancy.Scope
		query   search.Query
		result  search.Result
		foreign bool
	}{
		{"rows of the scope pass", someCompanies, page, rowsOf(3, 9, 3), false},
		{"no rows pass", someCompanies, page, rowsOf(), false},
		{"nothing in an empty scope passes", none, page, rowsOf(), false},
		{"a foreign row among others fails", someCompanies, page, rowsOf(3, 4, 9), true},
		{"a foreign last row fails", someCompanies, page, rowsOf(3, 5, 10), true},
		{"a row without a company fails", someCompanies, page, rowsOf(0), true},
		{"any row in an empty scope fails", none, page, rowsOf(3), true},
		{"any count in an empty scope fails", none, page, search.Result{Count: search.Count{Total: 1}}, true},
		{"more rows than asked for fail", someCompanies, page, rowsOf(3, 3, 3, 3), true},
		{"rows that were not asked for fail", someCompanies, search.Query{Limit: 3, WithoutItems: true}, rowsOf(3), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := search.Guard(&engine{result: tt.result}).Search(t.Context(), tt.scope, tt.query)
			want := tt.result
			if tt.foreign {
				want = search.Result{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if errors.Is(err, search.ErrForeignRow) != tt.foreign {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestGuardPassesTheQueryOnAndTheErrorBack(t *testing.T) {
	next := &engine{result: rowsOf(3), err: search.ErrTimeout}
	got, err := search.Guard(next).Search(t.Context(), tenancytest.Scope(t, 3), search.Query{Limit: 7})
	if !errors.Is(err, search.ErrTimeout) || len(got.Page.Rows) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if next.asked.Limit != 7 {
		t.Errorf("the engine was asked %+v", next.asked)
	}
}

func TestGuardWithoutACallbackFailsAllTheSame(t *testing.T) {
	_, err := search.Guard(&engine{result: rowsOf(4)}).Search(t.Context(), tenancytest.Scope(t, 3), search.Query{Limit: 1})
	if !errors.Is(err, search.ErrForeignRow) {
		t.Errorf("got %v", err)
	}
}
