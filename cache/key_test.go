package cache

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// drawQuery draws from few values, so that equal queries are drawn too.
func drawQuery(t *rapid.T, label string) search.Query {
	word := rapid.SampledFrom([]string{"", "a", "b", "ab", "a\x00", "c\x01"})
	words := rapid.SliceOfN(word, 0, 2)
	q := search.Query{
		Filter: search.Filter{
			SessionID:      word.Draw(t, label+" session"),
			ChatID:         word.Draw(t, label+" chat"),
			Name:           word.Draw(t, label+" name"),
			Status:         words.Draw(t, label+" status"),
			Tags:           words.Draw(t, label+" tags"),
			OperatorIDs:    words.Draw(t, label+" operators"),
			MessengerTypes: rapid.SliceOfN(rapid.SampledFrom([]string{"WEB", "SMS"}), 0, 2).Draw(t, label+" messengers"),
		},
		Sort:   rapid.SampledFrom([][]search.SortKey{nil, search.DefaultSort(), {{Field: "name"}, {Field: "id"}}}).Draw(t, label+" sort"),
		Fields: rapid.SampledFrom([]session.FieldSet{session.AllFields(), session.FieldSet{}.With(0)}).Draw(t, label+" fields"),
		Limit:  rapid.IntRange(1, 2).Draw(t, label+" limit"),
		Offset: rapid.IntRange(0, 1).Draw(t, label+" offset"),
	}
	if rapid.Bool().Draw(t, label+" from") {
		q.Filter.From = time.UnixMilli(rapid.Int64Range(0, 1).Draw(t, label+" ms")).UTC()
	}
	if rapid.Bool().Draw(t, label+" cursor") {
		q.After = &search.Position{Values: []json.RawMessage{[]byte(rapid.SampledFrom([]string{"1", "2"}).Draw(t, label+" after"))}}
	}
	return q
}

func TestKeysAreEqualExactlyForTheSamePartScopeAndQuery(t *testing.T) {
	var scopes []tenancy.Scope
	for set := 1; set < 16; set++ {
		var ids []tenancy.CompanyID
		for bit := range 4 {
			if set&(1<<bit) != 0 {
				ids = append(ids, tenancy.CompanyID(bit+1))
			}
		}
		scopes = append(scopes, tenancytest.Scope(t, ids...))
	}
	canonical := func(of kind, q search.Query) []byte {
		switch of.(type) {
		case countKind:
			return q.CountKey()
		case summaryKind:
			return search.SummaryQuery{Filter: q.Filter}.SummaryKey()
		}
		return q.PageKey()
	}
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SampledFrom(kinds())
		scope := rapid.IntRange(0, len(scopes)-1)
		p1, p2 := all.Draw(t, "kind 1"), all.Draw(t, "kind 2")
		s1, s2 := scope.Draw(t, "scope 1"), scope.Draw(t, "scope 2")
		q1 := drawQuery(t, "1")
		q2 := q1
		if rapid.Bool().Draw(t, "another query") {
			q2 = drawQuery(t, "2")
		}
		same := p1 == p2 && s1 == s2 && bytes.Equal(canonical(p1, q1), canonical(p2, q2))
		if got := newKeyspace("", "").bind(p1, scopes[s1], canonical(p1, q1)) == newKeyspace("", "").bind(p2, scopes[s2], canonical(p2, q2)); got != same {
			t.Fatalf("keys equal: %v, want %v", got, same)
		}
	})
}

func TestAnEntryUnderAnotherKeyIsAMiss(t *testing.T) {
	c := newCache(t, newEngine(), Options{})
	mine := countKey(c, tenancytest.Scope(t, 1), query())
	foreign := countKey(c, tenancytest.Scope(t, 2), query())
	e := &entry[count]{meta: meta{key: foreign, loadedAt: c.now()}, value: 7}
	c.memory.entries.Set(mine, e)
	if _, ok := c.memory.get(mine, c.now()); ok {
		t.Error("a foreign entry was found")
	}
	r := mustSearch(t, c, tenancytest.Scope(t, 1), query())
	if r.Count.Total != 25 || r.Count.Provenance.Hit() {
		t.Errorf("a foreign entry was served: %+v", r.Count)
	}
}
