package searchtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf16"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

func sortMutants() []mutant {
	ordered := func(name string, compare func(a, b any, desc bool) int) mutant {
		return mutant{"sort: " + name, "sort", hooks{compare: compare}}
	}
	return []mutant{
		ordered("missing first", func(a, b any, desc bool) int {
			if (a == nil) != (b == nil) {
				return -compareValues(a, b, desc)
			}
			return compareValues(a, b, desc)
		}),
		ordered("missing first downwards", func(a, b any, desc bool) int {
			if (a == nil) != (b == nil) && desc {
				return -compareValues(a, b, desc)
			}
			return compareValues(a, b, desc)
		}),
		ordered("upwards only", func(a, b any, _ bool) int { return compareValues(a, b, false) }),
		ordered("numbers as text", func(a, b any, desc bool) int {
			if a != nil && b != nil {
				a, b = fmt.Sprint(a), fmt.Sprint(b)
			}
			return compareValues(a, b, desc)
		}),
		ordered("by UTF-16", func(a, b any, desc bool) int {
			x, isText := a.(string)
			y, areTexts := b.(string)
			if !isText || !areTexts {
				return compareValues(a, b, desc)
			}
			c := slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
			if desc {
				return -c
			}
			return c
		}),
		{"sort: text unfolded", "sort", hooks{session: func(r record) record {
			for field := range r.folded {
				r.folded[field] = r.text(field)
			}
			return r
		}}},
		ordered("the empty text is missing", func(a, b any, desc bool) int {
			if a == "" {
				a = nil
			}
			if b == "" {
				b = nil
			}
			return compareValues(a, b, desc)
		}),
		ordered("whole numbers only", func(a, b any, desc bool) int {
			x, isNumber := a.(float64)
			y, areNumbers := b.(float64)
			if isNumber && areNumbers {
				return compareValues(int64(x), int64(y), desc)
			}
			return compareValues(a, b, desc)
		}),
		{"sort: by the first key alone", "sort", asked(func(q *search.Query) {
			if len(q.Sort) > 2 {
				q.Sort = slices.Clone(q.Sort[:1])
				q.Sort = append(q.Sort, search.SortKey{Field: "id"})
			}
		})},
		{"sort: equal ones always by id upwards", "sort", asked(func(q *search.Query) {
			q.Sort = slices.Clone(q.Sort)
			q.Sort[len(q.Sort)-1].Desc = false
		})},
	}
}

func snapshotMutants() []mutant {
	read := func(change func(search.Query, *memorySnapshot)) hooks { return hooks{snapshot: change} }
	return []mutant{
		{"snapshot: the last row is lost", "snapshot", read(func(_ search.Query, s *memorySnapshot) {
			s.rows = s.rows[:max(0, len(s.rows)-1)]
		})},
		{"snapshot: a row comes twice", "snapshot", read(func(_ search.Query, s *memorySnapshot) {
			if len(s.rows) > 0 {
				s.rows = append(slices.Clone(s.rows), s.rows[0])
			}
		})},
		{"snapshot: rows come in another order", "snapshot", read(func(_ search.Query, s *memorySnapshot) {
			slices.Reverse(s.rows)
		})},
		{"snapshot: what is written later is seen", "snapshot", read(func(_ search.Query, s *memorySnapshot) {
			s.late = func() []search.Row { return nil }
		})},
		{"snapshot: the count is that of the rows", "snapshot", read(func(_ search.Query, s *memorySnapshot) {
			s.count = int64(len(s.rows))
		})},
	}
}

func newestMutants() []mutant {
	of := func(name string, is func(a, b record) bool, newer func(a, b record) bool) mutant {
		return mutant{"newest: " + name, "newest", hooks{newest: func(found []record) []record {
			kept := slices.Clone(found)
			return slices.DeleteFunc(kept, func(r record) bool {
				return slices.ContainsFunc(found, func(other record) bool { return is(r, other) && r.id != other.id && newer(other, r) })
			})
		}}}
	}
	client := func(a, b record) bool {
		return a.company == b.company && a.text("clientId") == b.text("clientId") && a.text("clientId") != ""
	}
	return []mutant{
		of("of every company", func(a, b record) bool { return a.text("clientId") == b.text("clientId") && a.text("clientId") != "" }, isNewer),
		of("no client is a client", func(a, b record) bool { return a.company == b.company && a.text("clientId") == b.text("clientId") }, isNewer),
		of("clients are folded", func(a, b record) bool {
			return a.company == b.company && a.folded["clientId"] == b.folded["clientId"] && a.text("clientId") != ""
		}, isNewer),
		of("the oldest is kept", client, func(a, b record) bool { return isNewer(b, a) }),
		of("the smallest id is kept", client, func(a, b record) bool {
			if c := compareValues(a.values["startedAt"], b.values["startedAt"], true); c != 0 {
				return c < 0
			}
			return a.id < b.id
		}),
		of("all that started last are kept", client, func(a, b record) bool {
			return compareValues(a.values["startedAt"], b.values["startedAt"], true) < 0
		}),
		{"newest: everything is kept", "newest", asked(func(q *search.Query) { q.NewestOfClient = false })},
	}
}

func pageMutants() []mutant {
	answered := func(change func(search.Query, *search.Result)) hooks {
		return hooks{result: func(q search.Query, r search.Result) search.Result { change(q, &r); return r }}
	}
	return []mutant{
		{"page: the position is ignored", "keyset", asked(func(q *search.Query) { q.After = nil })},
		{"page: a position forgets the offset", "keyset", asked(func(q *search.Query) {
			if q.After != nil {
				q.Offset = 0
			}
		})},
		{"page: the offset is ignored", "page", asked(func(q *search.Query) { q.Offset = 0 })},
		{"page: one row too few is skipped", "page", asked(func(q *search.Query) { q.Offset = max(0, q.Offset-1) })},
		{"page: a part of a position stands before its rows", "position", asked(func(q *search.Query) {
			if q.After != nil && len(q.After.Values) == len(q.Sort)-1 {
				q.After = &search.Position{Values: append(slices.Clone(q.After.Values), json.RawMessage(`""`))}
			}
		})},
		{"page: only the first value of a position", "keyset", asked(func(q *search.Query) {
			if q.After != nil {
				q.After = &search.Position{Values: q.After.Values[:1]}
			}
		})},
		{"page: the count is that of the page", "page", answered(func(_ search.Query, r *search.Result) {
			r.Count.Total = min(r.Count.Total, int64(len(r.Page.Rows)))
		})},
		{"page: the count is that behind the position", "page", answered(func(q search.Query, r *search.Result) {
			if q.After != nil {
				r.Count.Total--
			}
		})},
		{"page: more whenever the page is full", "page", answered(func(q search.Query, r *search.Result) {
			r.Page.More = len(r.Page.Rows) == q.Limit
		})},
		{"page: never more", "page", answered(func(_ search.Query, r *search.Result) { r.Page.More = false })},
		{"page: the count comes unasked", "page", hooks{query: func(q search.Query) search.Query { q.WithoutCount = false; return q }}},
		{"page: the items come unasked", "page", hooks{query: func(q search.Query) search.Query { q.WithoutItems = false; return q }}},
		{"page: the last row has no position", "page", answered(func(_ search.Query, r *search.Result) {
			for i := range r.Page.Rows {
				r.Page.Rows[i].Position = search.Position{}
			}
		})},
		{"page: a wall at 10,000 rows", "deep", answered(func(q search.Query, r *search.Result) {
			if q.Offset+q.Limit > 10_000 {
				r.Page = search.Page{}
			}
		})},
		{"page: a count that stops at 10,000", "deep", answered(func(_ search.Query, r *search.Result) {
			r.Count.Total = min(r.Count.Total, 10_000)
		})},
		{"page: at most 500 rows", "deep", asked(func(q *search.Query) { q.Limit = min(q.Limit, 500) })},
	}
}

func fieldMutants() []mutant {
	rewritten := func(name string, rewrite func(q search.Query, row *search.Row)) mutant {
		return mutant{"fields: " + name, "fields", hooks{result: func(q search.Query, r search.Result) search.Result {
			for i := range r.Page.Rows {
				rewrite(q, &r.Page.Rows[i])
			}
			return r
		}}}
	}
	nullFields := regexp.MustCompile(`,"\w+":null\b`)
	return []mutant{
		{"fields: all come", "fields", asked(func(q *search.Query) { q.Fields = session.AllFields() })},
		rewritten("by name", func(_ search.Query, row *search.Row) {
			var fields map[string]json.RawMessage
			if json.Unmarshal(row.JSON, &fields) == nil {
				row.JSON, _ = json.Marshal(fields) // just decoded, so it cannot fail
			}
		}),
		rewritten("missing ones are left out", func(_ search.Query, row *search.Row) {
			row.JSON = nullFields.ReplaceAll(row.JSON, nil)
		}),
		rewritten("no company unless asked for", func(q search.Query, row *search.Row) {
			if i, _, _ := session.FieldByName("companyId"); !q.Fields.Has(i) {
				row.CompanyID = 0
			}
		}),
	}
}

func otherMutants() []mutant {
	return []mutant{
		{"cancel: the context is ignored", "cancel", hooks{ignoreContext: true}},
		{"write: deletes are ignored", "write", hooks{written: func(changes []session.Change) []session.Change {
			return slices.DeleteFunc(slices.Clone(changes), func(c session.Change) bool { return c.Delete })
		}}},
		{"write: deletes come last", "write", hooks{written: func(changes []session.Change) []session.Change {
			sorted := slices.Clone(changes)
			slices.SortStableFunc(sorted, func(a, b session.Change) int { return cmp.Compare(rank(a), rank(b)) })
			return sorted
		}}},
		{"write: the first of several stands", "write", hooks{written: func(changes []session.Change) []session.Change {
			reversed := slices.Clone(changes)
			slices.Reverse(reversed)
			return reversed
		}}},
	}
}

func rank(c session.Change) int {
	if c.Delete {
		return 1
	}
	return 0
}
