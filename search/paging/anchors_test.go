package paging_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func anchorAt(rows int, text string) paging.Anchor {
	return paging.Anchor{Rows: rows, Position: search.Position{Values: []json.RawMessage{json.RawMessage(text)}}}
}

func keyed(n byte) (k paging.Key) { k[0] = n; return k }

func TestTheAnchorBelowIsTheLastOfNoMoreRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := paging.NewAnchors(1 << 20)
		held := map[int]string{}
		for i, rows := range rapid.SliceOf(rapid.IntRange(1, 50)).Draw(t, "rows") {
			held[rows] = strconv.Itoa(i)
			a.Add(keyed(1), anchorAt(rows, held[rows]))
		}
		most := rapid.IntRange(0, 60).Draw(t, "most")
		want := 0
		for rows := range held {
			if rows <= most {
				want = max(want, rows)
			}
		}
		got, ok := a.Below(keyed(1), most)
		if ok != (want > 0) || got.Rows != want || ok && string(got.Position.Values[0]) != held[want] {
			t.Errorf("below %d: %d %s (%t), want %d %s", most, got.Rows, got.Position.Values, ok, want, held[want])
		}
		if _, ok := a.Below(keyed(2), 100); ok {
			t.Error("an anchor of another key")
		}
	})
}

func TestAnchorsOfQueriesNotAskedLatelyAreForgotten(t *testing.T) {
	a := paging.NewAnchors(4000)
	value := `"` + strings.Repeat("x", 500) + `"`
	for n := byte(1); n <= 9; n++ {
		a.Add(keyed(n), anchorAt(1, value))
		a.Below(keyed(1), 1) // used all the time
	}
	for n, want := range map[byte]bool{1: true, 2: false, 9: true} {
		if _, ok := a.Below(keyed(n), 1); ok != want {
			t.Errorf("key %d: %t, want %t", n, ok, want)
		}
	}
}

func TestOneQueryKeepsAnchorsFurtherApartRatherThanPushOthersOut(t *testing.T) {
	a := paging.NewAnchors(40_000)
	a.Add(keyed(1), anchorAt(7, "1"))
	for rows := 1; rows <= 10_000; rows++ {
		a.Add(keyed(2), anchorAt(rows, "1"))
	}
	if _, ok := a.Below(keyed(1), 7); !ok {
		t.Error("the other query's anchor is gone")
	}
	for _, most := range []int{10_000, 5000, 2000} {
		if got, ok := a.Below(keyed(2), most); !ok || got.Rows < most/2 {
			t.Errorf("below %d: %d", most, got.Rows)
		}
	}
}

func TestAnchorsLargerThanTheWholeBudgetAreNotStored(t *testing.T) {
	a := paging.NewAnchors(1000)
	a.Add(keyed(1), anchorAt(1, `"`+strings.Repeat("x", 5000)+`"`))
	if _, ok := a.Below(keyed(1), 1); ok {
		t.Error("kept")
	}
}

func TestAKeyIsOfScopeFilterOrderAndState(t *testing.T) {
	one, two := tenancytest.Scope(t, 1), tenancytest.Scope(t, 1, 2)
	q := search.Query{Sort: search.DefaultSort(), Limit: 10, Offset: 20_000, Fields: session.AllFields()}
	base := paging.NewKey(one, q, "5")
	neighbour := q
	neighbour.Offset, neighbour.Limit, neighbour.Fields = 20_010, 5, session.FieldSet{}
	if paging.NewKey(one, neighbour, "5") != base {
		t.Error("another page has another key")
	}
	filtered, sorted, behind := q, q, q
	filtered.Filter.Name = "x"
	sorted.Sort = search.NormalizeSort(nil)
	behind.After = &search.Position{Values: []json.RawMessage{[]byte("1")}}
	for name, key := range map[string]paging.Key{
		"scope": paging.NewKey(two, q, "5"), "state": paging.NewKey(one, q, "6"), "filter": paging.NewKey(one, filtered, "5"),
		"order": paging.NewKey(one, sorted, "5"), "position": paging.NewKey(one, behind, "5"),
		"no scope": paging.NewKey(tenancy.Scope{}, q, "5"),
	} {
		if key == base {
			t.Errorf("%s makes no difference", name)
		}
	}
}
