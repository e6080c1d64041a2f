package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustKeyword(tb testing.TB, text string) Keyword {
	tb.Helper()
	keyword, err := ParseKeyword(text)
	if err != nil {
		tb.Fatal(err)
	}
	return keyword
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func TestEquivalentFiltersHaveOneKey(t *testing.T) {
	yes, alsoYes := true, true
	tests := []struct {
		name string
		a, b Filter
	}{
		{"lists in another order, with doubles", Filter{MessengerTypes: []string{"WEB", "API"}}, Filter{MessengerTypes: []string{"API", "WEB", "API"}}},
		{"an empty list and none", Filter{Tags: []string{}}, Filter{}},
		{"the default date field written out", Filter{From: at(1)}, Filter{From: at(1), DateField: CreatedAt}},
		{"a date field that bounds nothing", Filter{DateField: UpdatedAt}, Filter{}},
		{"one instant in two zones", Filter{To: at(1)}, Filter{To: at(1).In(time.FixedZone("", 3600))}},
		{"one keyword in other letters", Filter{Keyword: mustKeyword(t, "Анна É")}, Filter{Keyword: mustKeyword(t, "e анна")}},
		{"a minimum of nothing", Filter{MinMessageCount: -1}, Filter{}},
		{"one choice behind two pointers", Filter{MarkedAsSpam: &yes}, Filter{MarkedAsSpam: &alsoYes}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := Query{Filter: tt.a}, Query{Filter: tt.b}
			if !bytes.Equal(a.CountKey(), b.CountKey()) || !bytes.Equal(a.PageKey(), b.PageKey()) {
				t.Errorf("%+v and %+v have different keys", tt.a, tt.b)
			}
		})
	}
}

// differentFilters are pairwise not equivalent; many look alike when their
// parts are run together.
func differentFilters(tb testing.TB) []Filter {
	tb.Helper()
	yes, no := true, false
	return []Filter{
		{},
		{From: at(0)}, {From: at(1)}, {To: at(0)}, {From: at(0), To: at(0)},
		{From: at(0), DateField: UpdatedAt},
		{SessionID: "a"}, {ChatID: "a"}, {BotStatus: "a"}, {Name: "a"}, {OperatorType: "a"},
		{SessionID: "a", ChatID: "b"}, {SessionID: "ab"}, {SessionID: "b", ChatID: "a"},
		{MessengerTypes: []string{"a"}}, {Status: []string{"a"}}, {OperatorIDs: []string{"a"}}, {Tags: []string{"a"}},
		{Tags: []string{"a", "b"}}, {Tags: []string{"ab"}}, {Tags: []string{"a,b"}}, {Tags: []string{"a b"}}, {Tags: []string{""}},
		{MinMessageCount: 1}, {MinMessageCount: 2}, {OnlyClientMessages: true},
		{Keyword: mustKeyword(tb, "a")}, {Keyword: mustKeyword(tb, "a b")}, {Keyword: mustKeyword(tb, "ab")},
		{Keyword: mustKeyword(tb, "1234")}, {Keyword: mustKeyword(tb, "12 34")},
		{MarkedAsSpam: &yes}, {MarkedAsSpam: &no}, {ClientBanned: &yes}, {ClientBanned: &no},
	}
}

func TestDifferentFiltersHaveDifferentKeys(t *testing.T) {
	seen := make(map[string]Filter)
	for _, f := range differentFilters(t) {
		q := Query{Filter: f}
		for _, key := range [][]byte{q.CountKey(), q.PageKey()} {
			if other, ok := seen[string(key)]; ok {
				t.Errorf("%+v and %+v have one key", f, other)
			}
			seen[string(key)] = f
		}
	}
}

func TestDifferentPagesHaveDifferentKeysAndOneCount(t *testing.T) {
	after := func(values ...string) *Position {
		p := &Position{}
		for _, value := range values {
			p.Values = append(p.Values, json.RawMessage(value))
		}
		return p
	}
	name := []SortKey{{Field: "name"}}
	pages := []Query{
		{},
		{Limit: 1}, {Limit: 2}, {Offset: 1}, {Offset: 2}, {Limit: 1, Offset: 1},
		{Sort: name}, {Sort: []SortKey{{Field: "name", Desc: true}}}, {Sort: []SortKey{{Field: "name"}, {Field: "status"}}},
		{Sort: []SortKey{{Field: "name"}, {Field: "id", Desc: true}}},
		{Fields: FieldSet{}.With(0)}, {Fields: FieldSet{}.With(1)}, {Fields: FieldSet{}.With(64)}, {Fields: AllFields()},
		{After: after()}, {After: after("null")}, {After: after(`"a"`)}, {After: after(`"a"`, `"b"`)}, {After: after(`"a""b"`)},
	}
	seen := make(map[string]int)
	for i, q := range pages {
		key := string(q.PageKey())
		if other, ok := seen[key]; ok {
			t.Errorf("pages %d and %d have one key: %+v", other, i, q)
		}
		seen[key] = i
		if !bytes.Equal(q.CountKey(), Query{}.CountKey()) {
			t.Errorf("the page changes the count's key: %+v", q)
		}
	}
}

func TestThePageKeyLeavesOutWhatThePageDoesNotDependOn(t *testing.T) {
	q := Query{Sort: []SortKey{{Field: "name"}}, Limit: 10}
	same := Query{Sort: []SortKey{{Field: "name"}, {Field: "id"}, {Field: "status"}}, Limit: 10, WithoutCount: true}
	if !bytes.Equal(q.PageKey(), same.PageKey()) {
		t.Error("the tiebreaker written out, or WithoutCount, changes the key")
	}
}

// meaning is a second, slow way of writing what a filter asks for.
func meaning(f Filter) string {
	list := func(l []string) string {
		l = slices.Clone(l)
		slices.Sort(l)
		return fmt.Sprintf("%q", slices.Compact(l))
	}
	choice := func(b *bool) string {
		if b == nil {
			return "any"
		}
		return strconv.FormatBool(*b)
	}
	bound := "nothing"
	if !f.From.IsZero() || !f.To.IsZero() {
		field := f.DateField
		if field == "" {
			field = "createdAt"
		}
		bound = fmt.Sprint(field, f.From.IsZero(), f.From.UnixMilli(), f.To.IsZero(), f.To.UnixMilli())
	}
	return fmt.Sprintf("%s %q %q %s %d %v %q %q %q %s %q %s %q %s %s %s", bound, f.SessionID, f.ChatID,
		list(f.MessengerTypes), max(0, f.MinMessageCount), f.OnlyClientMessages, f.Keyword.Words(), f.Keyword.Phones(),
		f.OperatorType, list(f.Status), f.BotStatus, list(f.OperatorIDs), f.Name, list(f.Tags),
		choice(f.MarkedAsSpam), choice(f.ClientBanned))
}

// drawFilter draws from so few values that two filters often mean the same.
func drawFilter(t *rapid.T) Filter {
	text := rapid.SampledFrom([]string{"", "", "", "a", "ab", "\x00"})
	list := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab"}), 0, 2)
	date := rapid.SampledFrom([]time.Time{{}, {}, at(0), at(1)})
	keyword := rapid.SampledFrom([]string{"", "", "1234", "12 34", "a b", "B A", "ab"})
	f := Filter{
		From: date.Draw(t, "from"), To: date.Draw(t, "to"),
		DateField: rapid.SampledFrom([]DateField{"", CreatedAt, UpdatedAt}).Draw(t, "dateField"),
		SessionID: text.Draw(t, "sessionId"), ChatID: text.Draw(t, "chatId"),
		MessengerTypes: list.Draw(t, "messengerTypes"), Status: list.Draw(t, "status"),
		MinMessageCount:    rapid.Int64Range(-1, 1).Draw(t, "minMessageCount"),
		OnlyClientMessages: rapid.Bool().Draw(t, "onlyClientMessages"),
		MarkedAsSpam:       rapid.Ptr(rapid.Bool(), true).Draw(t, "markedAsSpam"),
	}
	if word := keyword.Draw(t, "keyword"); word != "" {
		f.Keyword, _ = ParseKeyword(word)
	}
	return f
}

func TestKeysAreEqualExactlyForFiltersOfOneMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawFilter(t)
		b := a
		if rapid.Bool().Draw(t, "changed") {
			other := drawFilter(t)
			switch rapid.IntRange(0, 5).Draw(t, "which") {
			case 0:
				b.From, b.DateField = other.From, other.DateField
			case 1:
				b.SessionID, b.ChatID = other.SessionID, other.ChatID
			case 2:
				b.MessengerTypes, b.Status = other.MessengerTypes, other.Status
			case 3:
				b.MinMessageCount, b.MarkedAsSpam = other.MinMessageCount, other.MarkedAsSpam
			case 4:
				b.Keyword = other.Keyword
			default:
				b = other
			}
		}
		same := meaning(a) == meaning(b)
		qa, qb := Query{Filter: a}, Query{Filter: b}
		if bytes.Equal(qa.CountKey(), qb.CountKey()) != same || bytes.Equal(qa.PageKey(), qb.PageKey()) != same {
			t.Fatalf("one meaning: %v, but keys %q and %q", same, qa.CountKey(), qb.CountKey())
		}
	})
}
