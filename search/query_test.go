package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
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
	zero, minusZero := 0.0, math.Copysign(0, -1)
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
		{"the two zeros", Filter{RatingMin: &zero}, Filter{RatingMin: &minusZero}},
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

// differentFilters returns filters of which no two are equivalent. Many would give
// the same text if their parts were simply joined.
func differentFilters(tb testing.TB) []Filter {
	tb.Helper()
	yes, no := true, false
	zero, one := 0.0, 1.0
	return []Filter{
		{},
		{From: at(0)}, {From: at(1)}, {To: at(0)}, {From: at(0), To: at(0)},
		{From: at(0), DateField: UpdatedAt},
		{SessionID: "a"}, {ChatID: "a"}, {BotStatus: "a"}, {Name: "a"}, {OperatorTypes: []string{"a"}},
		{SessionID: "a", ChatID: "b"}, {SessionID: "ab"}, {SessionID: "b", ChatID: "a"},
		{MessengerTypes: []string{"a"}}, {Status: []string{"a"}}, {OperatorIDs: []string{"a"}}, {Tags: []string{"a"}},
		{Tags: []string{"a", "b"}}, {Tags: []string{"ab"}}, {Tags: []string{"a,b"}}, {Tags: []string{"a b"}}, {Tags: []string{""}},
		{MinMessageCount: 1}, {MinMessageCount: 2}, {OnlyClientMessages: true},
		{Keyword: mustKeyword(tb, "a")}, {Keyword: mustKeyword(tb, "a b")}, {Keyword: mustKeyword(tb, "ab")},
		{Keyword: mustKeyword(tb, "1234")}, {Keyword: mustKeyword(tb, "12 34")},
		{MarkedAsSpam: &yes}, {MarkedAsSpam: &no}, {ClientBanned: &yes}, {ClientBanned: &no}, {Closed: &yes}, {Closed: &no},
		{MessengerTypesNot: []string{"a"}}, {StatusNot: []string{"a"}}, {OperatorIDsNot: []string{"a"}}, {TagsNot: []string{"a"}},
		{RatingMin: &zero}, {RatingMax: &zero}, {RatingMin: &one}, {RatingMin: &zero, RatingMax: &one},
		{IsLostSession: &yes}, {HasUnread: &yes}, {HasUnread: &no}, {ClientID: "a"}, {NPSMin: &zero}, {NPSMax: &zero}, {TimerFirstAnswerMin: &zero},
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
		{Fields: session.FieldSet{}.With(0)}, {Fields: session.FieldSet{}.With(1)}, {Fields: session.FieldSet{}.With(64)}, {Fields: session.AllFields()},
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

// valuesOf returns values for every type that a condition of a filter has. The
// first one means no condition. A condition of a new type fails here until it gets
// values.
func valuesOf(tb testing.TB, condition reflect.Type) []any {
	tb.Helper()
	yes, no := true, false
	switch condition {
	case reflect.TypeFor[time.Time]():
		return []any{time.Time{}, at(0), at(1)}
	case reflect.TypeFor[string]():
		return []any{"", "a", "ab", "\x00"}
	case reflect.TypeFor[[]string]():
		return []any{[]string(nil), []string{"a"}, []string{"a", "b"}, []string{"b", "a", "b"}, []string{"ab"}}
	case reflect.TypeFor[int64]():
		return []any{int64(0), int64(-1), int64(1)}
	case reflect.TypeFor[bool]():
		return []any{false, true}
	case reflect.TypeFor[*bool]():
		return []any{(*bool)(nil), &yes, &no}
	case reflect.TypeFor[*float64]():
		zero, minusZero, half := 0.0, math.Copysign(0, -1), 0.5
		return []any{(*float64)(nil), &zero, &minusZero, &half}
	case reflect.TypeFor[DateField]():
		return []any{DateField(""), CreatedAt, UpdatedAt}
	case reflect.TypeFor[keyword.Keyword]():
		k := []any{keyword.Keyword{}}
		for _, text := range []string{"1234", "12 34", "a b", "B A", "ab"} {
			k = append(k, mustKeyword(tb, text))
		}
		return k
	}
	tb.Fatalf("a condition of type %s: say which values it takes", condition)
	return nil
}

// meaning describes what a filter selects, in a second and slow way.
func meaning(f Filter) string {
	if f.From.IsZero() && f.To.IsZero() {
		f.DateField = ""
	} else if f.DateField == "" {
		f.DateField = CreatedAt
	}
	f.MinMessageCount = max(0, f.MinMessageCount)
	var parts []string
	for _, condition := range reflect.ValueOf(f).Fields() {
		switch v := condition.Interface().(type) {
		case []string:
			v = slices.Clone(v)
			slices.Sort(v)
			parts = append(parts, fmt.Sprintf("%q", slices.Compact(v)))
		case *bool:
			text := "any"
			if v != nil {
				text = strconv.FormatBool(*v)
			}
			parts = append(parts, text)
		case *float64:
			text := "any"
			if v != nil {
				text = fmt.Sprint(*v + 0)
			}
			parts = append(parts, text)
		case time.Time:
			parts = append(parts, fmt.Sprint(v.IsZero(), v.UnixMilli()))
		default:
			parts = append(parts, fmt.Sprintf("%q", fmt.Sprint(v)))
		}
	}
	return strings.Join(parts, " ")
}

// drawFilter draws from few values, so that two filters are often equivalent.
func drawFilter(tb testing.TB, t *rapid.T) (f Filter) {
	tb.Helper()
	of := reflect.ValueOf(&f).Elem()
	for field, condition := range of.Fields() {
		if rapid.Bool().Draw(t, field.Name+" is given") {
			condition.Set(reflect.ValueOf(rapid.SampledFrom(valuesOf(tb, field.Type)).Draw(t, field.Name)))
		}
	}
	return f
}

// changeFilter copies some of the conditions of the other filter, and swaps some
// conditions of the same type: the key must distinguish filters that differ in a
// single condition.
func changeFilter(t *rapid.T, f, other Filter) Filter {
	of, from := reflect.ValueOf(&f).Elem(), reflect.ValueOf(other)
	for i := range of.NumField() {
		if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
			of.Field(i).Set(from.Field(i))
		}
		j := rapid.IntRange(0, of.NumField()-1).Draw(t, "place")
		if of.Field(i).Type() == of.Field(j).Type() && rapid.IntRange(0, 9).Draw(t, "swap") == 0 {
			a, b := of.Field(i).Interface(), of.Field(j).Interface()
			of.Field(i).Set(reflect.ValueOf(b))
			of.Field(j).Set(reflect.ValueOf(a))
		}
	}
	return f
}

func TestEveryConditionOfAFilterChangesEveryKey(t *testing.T) {
	base := Filter{From: at(5)} // without a bound, the date field says nothing
	for field := range reflect.TypeFor[Filter]().Fields() {
		values := valuesOf(t, field.Type)
		changed := base
		reflect.ValueOf(&changed).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(values[len(values)-1]))
		for kind, key := range map[string]func(Filter) []byte{
			"count":   func(f Filter) []byte { return Query{Filter: f}.CountKey() },
			"page":    func(f Filter) []byte { return Query{Filter: f}.PageKey() },
			"summary": func(f Filter) []byte { return SummaryQuery{Filter: f}.SummaryKey() },
		} {
			if bytes.Equal(key(base), key(changed)) {
				t.Errorf("%s is no part of the key of a %s: two searches would share an entry", field.Name, kind)
			}
		}
	}
}

func TestKeysAreEqualExactlyForFiltersOfOneMeaning(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		for range 20 {
			a := drawFilter(t, rt)
			b := changeFilter(rt, a, drawFilter(t, rt))
			same := meaning(a) == meaning(b)
			qa, qb := Query{Filter: a}, Query{Filter: b}
			if bytes.Equal(qa.CountKey(), qb.CountKey()) != same || bytes.Equal(qa.PageKey(), qb.PageKey()) != same {
				rt.Fatalf("one meaning: %v, but keys %q and %q", same, qa.CountKey(), qb.CountKey())
			}
		}
	})
}

// drawPage draws what a page depends on besides its filter.
func drawPage(t *rapid.T) Query {
	key := rapid.Custom(func(t *rapid.T) SortKey {
		return SortKey{Field: rapid.SampledFrom([]string{"id", "name", "status"}).Draw(t, "field"), Desc: rapid.Bool().Draw(t, "desc")}
	})
	q := Query{
		Sort:   rapid.SliceOfNDistinct(key, 0, 3, func(k SortKey) string { return k.Field }).Draw(t, "sort"),
		Fields: rapid.SampledFrom([]session.FieldSet{{}, session.FieldSet{}.With(0), session.FieldSet{}.With(64), session.AllFields()}).Draw(t, "fields"),
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

// place describes which page a query selects, in a second and slow way. Sort keys
// after the id make no difference.
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

// Gateways of different versions share keys. The conditions of each version of the
// keys stand here, so that a new one is not added without a new version.
func TestAConditionMoreIsAnotherVersionOfTheKeys(t *testing.T) {
	const version, conditions = 3, "From To DateField SessionID ChatID MessengerTypes MessengerTypesNot MinMessageCount OnlyClientMessages Keyword " +
		"OperatorTypes Status StatusNot BotStatus OperatorIDs OperatorIDsNot Name Tags TagsNot MarkedAsSpam ClientBanned Closed IsLostSession " +
		"HasUnread ClientID RatingMin RatingMax NPSMin NPSMax TimerFirstAnswerMin"
	var names []string
	for field := range reflect.TypeFor[Filter]().Fields() {
		names = append(names, field.Name)
	}
	if got := strings.Join(names, " "); got != conditions {
		t.Errorf("the conditions are\n%s\nraise the versions of the keys in canonical.go, and write both down here", got)
	}
	for _, kind := range []string{countKeyKind, pageKeyKind, summaryKeyKind} {
		if kind[1] != version {
			t.Errorf("the keys of %q have version %d; write down which conditions it has", kind[:1], kind[1])
		}
	}
}
