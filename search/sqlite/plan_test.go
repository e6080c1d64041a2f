package sqlite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
)

// explain returns SQLite's plan of the statement that reads a page.
func explain(tb testing.TB, s *Store, keys []search.SortKey, after *search.Position, companies string) string {
	tb.Helper()
	var plan strings.Builder
	err := s.readers.use(tb.Context(), func(r *reader) error {
		p := newPlanner(defaultLimits(), r, scopeSet{sql: companies, size: 1 + strings.Count(companies, ",")}, search.Filter{})
		o, err := orderedPage(search.Query{Sort: keys, After: after, Limit: 10})
		if err != nil {
			return err
		}
		walk, ok := p.walkFor(o.terms, o.start)
		if !ok {
			tb.Fatal("no index has the order")
		}
		o = o.with(walk.present()...)
		o.terms[0] = o.terms[0].known()
		sql, args := p.statement(walk.access, o)
		rows, err := r.conn.QueryContext(tb.Context(), "EXPLAIN QUERY PLAN "+sql, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			fmt.Fprintln(&plan, detail)
		}
		return rows.Err()
	})
	if err != nil {
		tb.Fatal(err)
	}
	return plan.String()
}

// A walk reads its index in the requested order, from the start of the page, and
// sorts nothing. The default order reads only the index.
func TestWalksFollowTheirIndex(t *testing.T) {
	s := openStore(t)
	write(t, s, newSession(t, "a", 1, nil))
	position := func(values ...string) *search.Position {
		p := &search.Position{}
		for _, v := range values {
			p.Values = append(p.Values, []byte(v))
		}
		return p
	}
	newest := search.DefaultSort()
	for name, c := range map[string]struct {
		keys      []search.SortKey
		after     *search.Position
		companies string
		want      string
	}{
		"the default order":    {newest, nil, "(1,2)", "COVERING INDEX sessions_started (started_at>?)"},
		"behind a position":    {newest, position("5", `"a"`), "(1,2)", "COVERING INDEX sessions_started (started_at<?)"},
		"of one company":       {newest, nil, "(1)", "COVERING INDEX sessions_company (company_id=? AND started_at>?)"},
		"one company's, later": {newest, position("5", `"a"`), "(1)", "COVERING INDEX sessions_company (company_id=? AND started_at<?)"},
		"by id":                {[]search.SortKey{{Field: "id"}}, position(`"a"`), "(1,2)", "INDEX sessions_id (id>?)"},
		"by id from the start": {[]search.SortKey{{Field: "id"}}, nil, "(1,2)", "INDEX sessions_id"},
		"by id downwards":      {[]search.SortKey{{Field: "id", Desc: true}}, nil, "(1,2)", "INDEX sessions_id"},
	} {
		got := explain(t, s, c.keys, c.after, c.companies)
		if !strings.Contains(got, c.want) || strings.Contains(got, "B-TREE") {
			t.Errorf("%s: want %s without sorting, got\n%s", name, c.want, got)
		}
	}
}

// Where the index lacks the tiebreaker, only rows with equal values are sorted.
func TestWalksOfOtherOrdersSortTiesOnly(t *testing.T) {
	s := openStore(t)
	write(t, s, newSession(t, "a", 1, nil))
	for _, keys := range [][]search.SortKey{
		{{Field: "startedAt"}, {Field: "id"}}, {{Field: "createdAt"}, {Field: "id"}}, {{Field: "createdAt", Desc: true}, {Field: "name"}, {Field: "id"}},
		{{Field: "updatedAt"}, {Field: "id"}}, {{Field: "name"}, {Field: "id"}}, {{Field: "name", Desc: true}, {Field: "id"}},
	} {
		got := explain(t, s, keys, nil, "(1,2)")
		if !strings.Contains(got, walkIndexes[keys[0].Field]) || !strings.Contains(got, "B-TREE FOR LAST") {
			t.Errorf("%v: got\n%s", keys, got)
		}
	}
}
