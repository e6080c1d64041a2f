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

	"github.com/scopegate/scopegate/search/keyword"
)

func mustKeyword(tb testing.TB, text string) keyword.Keyword {
	tb.Helper()
	k, err := keyword.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return k
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
	words := rapid.SampledFrom([]string{"", "", "1234", "12 34", "a b", "B A", "ab"})
	f := Filter{
		From: date.Draw(t, "from"), To: date.Draw(t, "to"),
		DateField: rapid.SampledFrom([]DateField{"", CreatedAt, UpdatedAt}).Draw(t, "dateField"),
		SessionID: text.Draw(t, "sessionId"), ChatID: text.Draw(t, "chatId"),
		MessengerTypes: list.Draw(t, "messengerTypes"), Status: list.Draw(t, "status"),
		MinMessageCount:    rapid.Int64Range(-1, 1).Draw(t, "minMessageCount"),
		OnlyClientMessages: rapid.Bool().Draw(t, "onlyClientMessages"),
		OperatorType:       text.Draw(t, "operatorType"), BotStatus: text.Draw(t, "botStatus"), Name: text.Draw(t, "name"),
		OperatorIDs: list.Draw(t, "operatorIds"), Tags: list.Draw(t, "tags"),
		MarkedAsSpam: rapid.Ptr(rapid.Bool(), true).Draw(t, "markedAsSpam"),
		ClientBanned: rapid.Ptr(rapid.Bool(), true).Draw(t, "clientBanned"),
	}
	if word := words.Draw(t, "keyword"); word != "" {
		f.Keyword, _ = keyword.Parse(word)
	}
	return f
}

// changeFilter makes some of the conditions the other's: of two filters that
// agree in all the rest a key must still tell each one apart.
func changeFilter(t *rapid.T, f, other Filter) Filter {
	for i, set := range []func(){
		func() { f.From = other.From }, func() { f.To = other.To }, func() { f.DateField = other.DateField },
		func() { f.SessionID = other.SessionID }, func() { f.ChatID = other.ChatID },
		func() { f.SessionID, f.ChatID = f.ChatID, f.SessionID }, func() { f.Name, f.BotStatus = f.BotStatus, f.Name },
		func() { f.MessengerTypes = other.MessengerTypes }, func() { f.Status = other.Status },
		func() { f.Tags, f.OperatorIDs = f.OperatorIDs, f.Tags },
		func() { f.MinMessageCount = other.MinMessageCount }, func() { f.OnlyClientMessages = other.OnlyClientMessages },
		func() { f.Keyword = other.Keyword }, func() { f.OperatorType = other.OperatorType },
		func() { f.BotStatus = other.BotStatus }, func() { f.OperatorIDs = other.OperatorIDs },
		func() { f.Name = other.Name }, func() { f.Tags = other.Tags },
		func() { f.MarkedAsSpam = other.MarkedAsSpam }, func() { f.ClientBanned = other.ClientBanned },
		func() { f.MarkedAsSpam, f.ClientBanned = f.ClientBanned, f.MarkedAsSpam },
	} {
		if rapid.IntRange(0, 9).Draw(t, "change "+strconv.Itoa(i)) == 0 {
			set()
		}
	}
	return f
}

func TestKeysAreEqualExactlyForFiltersOfOneMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			a := drawFilter(t)
			b := changeFilter(t, a, drawFilter(t))
			same := meaning(a) == meaning(b)
			qa, qb := Query{Filter: a}, Query{Filter: b}
			if bytes.Equal(qa.CountKey(), qb.CountKey()) != same || bytes.Equal(qa.PageKey(), qb.PageKey()) != same {
				t.Fatalf("one meaning: %v, but keys %q and %q", same, qa.CountKey(), qb.CountKey())
			}
		}
	})
}

// drawPage draws what a page depends on beside its filter.
func drawPage(t *rapid.T) Query {
	key := rapid.Custom(func(t *rapid.T) SortKey {
		return SortKey{Field: rapid.SampledFrom([]string{"id", "name", "status"}).Draw(t, "field"), Desc: rapid.Bool().Draw(t, "desc")}
	})
	q := Query{
		Sort:   rapid.SliceOfNDistinct(key, 0, 3, func(k SortKey) string { return k.Field }).Draw(t, "sort"),
		Fields: rapid.SampledFrom([]FieldSet{{}, FieldSet{}.With(0), FieldSet{}.With(64), AllFields()}).Draw(t, "fields"),
		Limit:  rapid.IntRange(0, 2).Draw(t, "limit"), Offset: rapid.IntRange(0, 2).Draw(t, "offset"),
	}
	if rapid.Bool().Draw(t, "after") {
		value := rapid.SampledFrom([]string{"null", "1", "11", `"a"`, `"a","b"`})
		q.After = &Position{}
		for _, text := range rapid.SliceOfN(value, 0, 2).Draw(t, "position") {
			q.After.Values = append(q.After.Values, json.RawMessage(text))
		}
	}
	return q
}

// place is a second, slow way of writing which page is asked for: what comes
// behind the id in an order makes no difference.
func place(q Query) string {
	var order []SortKey
	for _, key := range append(slices.Clone(q.Sort), SortKey{Field: "id"}) {
		order = append(order, key)
		if key.Field == "id" {
			break
		}
	}
	after := "the start"
	if q.After != nil {
		after = fmt.Sprintf("%q", q.After.Values)
	}
	return fmt.Sprint(order, q.Fields, q.Limit, q.Offset, after)
}

func TestPageKeysAreEqualExactlyForOnePage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			a, b := drawPage(t), drawPage(t)
			if rapid.Bool().Draw(t, "alike") {
				b.Fields, b.Limit, b.Offset = a.Fields, a.Limit, a.Offset
			}
			if rapid.Bool().Draw(t, "one order") {
				b.Sort = append(slices.Clone(a.Sort), SortKey{Field: "id"}, SortKey{Field: "chatId"})
			}
			if rapid.Bool().Draw(t, "one place") {
				b.After = a.After
			}
			if same := place(a) == place(b); bytes.Equal(a.PageKey(), b.PageKey()) != same {
				t.Fatalf("one page: %v, but keys %q and %q of %+v and %+v", same, a.PageKey(), b.PageKey(), a, b)
			}
		}
	})
}
