package searchtest

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// ask is one query, for the engine and for the naive scan. It holds the keyword
// apart from the query, as the user wrote it, because the naive scan parses it by
// itself.
type ask struct {
	companies []tenancy.CompanyID
	keyword   string
	query     search.Query
}

// sortBy makes the sort keys of an order from the notation of the contract, and
// adds the id at the end.
func sortBy(keys ...string) []search.SortKey {
	var order []search.SortKey
	for _, key := range keys {
		name, desc := strings.CutPrefix(key, "-")
		order = append(order, search.SortKey{Field: name, Desc: desc})
	}
	if order[len(order)-1].Field != "id" {
		order = append(order, search.SortKey{Field: "id"})
	}
	return order
}

// everything selects all sessions of the companies, by id.
func everything(companies ...tenancy.CompanyID) ask {
	return ask{companies: companies, query: search.Query{
		Sort: sortBy("id"), Fields: session.AllFields(), Limit: search.MaxLimit,
	}}
}

func (a ask) where(f search.Filter) ask       { a.query.Filter = f; return a }
func (a ask) find(keyword string) ask         { a.keyword = keyword; return a }
func (a ask) by(keys ...string) ask           { a.query.Sort = sortBy(keys...); return a }
func (a ask) page(offset, limit int) ask      { a.query.Offset, a.query.Limit = offset, limit; return a }
func (a ask) after(p *search.Position) ask    { a.query.After = p; return a }
func (a ask) fields(set session.FieldSet) ask { a.query.Fields = set; return a }

func (a ask) forEngine() (search.Query, error) {
	q := a.query
	if a.keyword == "" {
		return q, nil
	}
	parsed, err := keyword.Parse(a.keyword)
	if err != nil {
		return q, fmt.Errorf("keyword %+q: %w", a.keyword, err)
	}
	q.Filter.Keyword = parsed
	return q, nil
}

// String describes the query so that a reader of a failure can repeat it.
func (a ask) String() string {
	var b strings.Builder
	b.WriteString("companies ")
	if len(a.companies) > 8 {
		fmt.Fprintf(&b, "%v … (%d)", a.companies[:8], len(a.companies))
	} else {
		fmt.Fprint(&b, a.companies)
	}
	if a.keyword != "" {
		fmt.Fprintf(&b, " keyword %+q", a.keyword)
	}
	describeFilter(&b, a.query.Filter)
	if a.query.NewestOfClient {
		b.WriteString(" newest of each client")
	}
	fmt.Fprintf(&b, " sort %v offset %d limit %d", a.query.Sort, a.query.Offset, a.query.Limit)
	if a.query.After != nil {
		fmt.Fprintf(&b, " after %s", a.query.After.Values)
	}
	if !a.query.Fields.IsAll() {
		fmt.Fprintf(&b, " fields %v", a.query.Fields.Names())
	}
	if a.query.WithoutCount || a.query.WithoutItems {
		fmt.Fprintf(&b, " withoutCount %t withoutItems %t", a.query.WithoutCount, a.query.WithoutItems)
	}
	return b.String()
}

// describeFilter writes the conditions that are set.
func describeFilter(b *strings.Builder, f search.Filter) {
	f.Keyword = keyword.Keyword{}
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		field := v.Field(i)
		if field.IsZero() {
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		value := field.Interface()
		if t, ok := value.(time.Time); ok {
			value = t.Format(time.RFC3339Nano)
		}
		fmt.Fprintf(b, " %s %+q", v.Type().Field(i).Name, fmt.Sprint(value))
	}
}
