package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func sealerOf(tb testing.TB, seeds ...byte) *cursorSealer {
	tb.Helper()
	var keys [][]byte
	for _, seed := range seeds {
		keys = append(keys, bytes.Repeat([]byte{seed}, 32))
	}
	s, err := newCursorSealer(keys)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// drawPosition makes a position of canonical JSON scalars.
func drawPosition(t *rapid.T) search.Position {
	value := rapid.Custom(func(t *rapid.T) json.RawMessage {
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return json.RawMessage("null")
		case 1:
			return json.RawMessage(rapid.StringMatching(`-?[1-9][0-9]{0,15}`).Draw(t, "number"))
		}
		text, err := json.Marshal(rapid.String().Draw(t, "text"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	})
	return search.Position{Values: rapid.SliceOfN(value, 1, 4).Draw(t, "position")}
}

func TestACursorOpensToThePositionItWasSealedFrom(t *testing.T) {
	s := sealerOf(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		position, binding := drawPosition(t), rapid.SliceOf(rapid.Byte()).Draw(t, "binding")
		cursor, err := s.Seal(position, binding)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.Open(cursor, binding)
		if !ok || !equalJSON(got, position) {
			t.Fatalf("opened %q, %t, want %q", got.Values, ok, position.Values)
		}
	})
}

// equalJSON compares values: Marshal may write a character in another way.
func equalJSON(a, b search.Position) bool {
	return slices.EqualFunc(a.Values, b.Values, func(a, b json.RawMessage) bool {
		var x, y any
		return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && cmp.Equal(x, y)
	})
}

func TestAnAlteredCursorDoesNotOpen(t *testing.T) {
	s := sealerOf(t, 1)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	rapid.Check(t, func(t *rapid.T) {
		cursor, err := s.Seal(drawPosition(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(cursor)-1).Draw(t, "at")
		letter := alphabet[rapid.IntRange(0, len(alphabet)-1).Draw(t, "letter")]
		altered := cursor[:at] + string(letter) + cursor[at+1:]
		if altered == cursor {
			altered = cursor[:at]
		}
		if _, ok := s.Open(altered, nil); ok {
			t.Fatalf("%q opened, altered from %q", altered, cursor)
		}
	})
}

func TestACursorUnderAnotherBindingDoesNotOpen(t *testing.T) {
	s := sealerOf(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		bindings := rapid.SliceOfNDistinct(rapid.SliceOf(rapid.Byte()), 2, 2, func(b []byte) string { return string(b) }).Draw(t, "bindings")
		cursor, err := s.Seal(drawPosition(t), bindings[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Open(cursor, bindings[1]); ok {
			t.Fatal("it opened")
		}
	})
}

func TestACursorKeyCanBeRotated(t *testing.T) {
	position := search.Position{Values: []json.RawMessage{json.RawMessage(`"x"`)}}
	before, during, after := sealerOf(t, 1), sealerOf(t, 2, 1), sealerOf(t, 2)
	old, err := before.Seal(position, nil)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := during.Seal(position, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		sealer *cursorSealer
		cursor string
		want   bool
	}{
		{"an old cursor while both keys are known", during, old, true},
		{"a new cursor while both keys are known", during, renewed, true},
		{"a new cursor when the old key is gone", after, renewed, true},
		{"an old cursor when the old key is gone", after, old, false},
		{"a new cursor where the new key is not known", before, renewed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, ok := tt.sealer.Open(tt.cursor, nil); ok != tt.want {
				t.Errorf("opened = %t", ok)
			}
		})
	}
}

func TestACursorHidesThePositionAndFitsAURL(t *testing.T) {
	s := sealerOf(t, 1)
	secret := search.Position{Values: []json.RawMessage{json.RawMessage(`"ковалёва"`)}}
	one, err := s.Seal(secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Seal(secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if one == two {
		t.Error("two cursors of one position are the same")
	}
	huge := search.Position{Values: []json.RawMessage{json.RawMessage(`"` + strings.Repeat("x", params.MaxCursorLen) + `"`)}}
	if _, err := s.Seal(huge, nil); !errors.Is(err, errCursorTooLong) {
		t.Errorf("error = %v", err)
	}
}

func FuzzOpenCursor(f *testing.F) {
	// Sealed beforehand: each process of a fuzzing would seal another one.
	const cursor = "BfBqIEO6jBQsot1zk-NGaH6wfkJEv3qDx3uTjPtRtdwHeRZJ8hpQkUvXiiUV"
	s := sealerOf(f, 1)
	if _, ok := s.Open(cursor, nil); !ok {
		f.Fatal("the cursor that is to be altered does not open")
	}
	f.Add(cursor)
	f.Add("")
	f.Add(strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := s.Open(text, nil); ok && text != cursor {
			t.Errorf("a forged cursor opened: %q", text)
		}
	})
}

func TestACursorIsBoundToTheAccountAndTheQuestion(t *testing.T) {
	identity := tenancytest.NewIdentity(t)
	claims := tenancytest.Claims{Company: ownCompany}
	p := identity.PrincipalOf(t, claims)
	base := params.SearchRequest{
		Query: search.Query{Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 10},
	}
	bindings := map[string]string{"base": string(cursorBinding(p, base))}
	distinct := func(name string, p tenancy.Principal, change func(*params.SearchRequest)) {
		req := base
		change(&req)
		binding := string(cursorBinding(p, req))
		for other, known := range bindings {
			if known == binding {
				t.Errorf("%s is bound as %s", name, other)
			}
		}
		bindings[name] = binding
	}
	same := func(*params.SearchRequest) {}
	distinct("another subject", identity.PrincipalOf(t, tenancytest.Claims{Company: ownCompany, Subject: "other"}), same)
	distinct("another company", identity.PrincipalOf(t, tenancytest.Claims{Company: belowCompany}), same)
	distinct("another issuer", tenancytest.Principal(t, ownCompany), same)
	distinct("another filter", p, func(r *params.SearchRequest) { r.Query.Filter.ChatID = "x" })
	distinct("another date", p, func(r *params.SearchRequest) { r.Query.Filter.From = time.UnixMilli(5).UTC() })
	distinct("another order", p, func(r *params.SearchRequest) { r.Query.Sort = search.NormalizeSort([]search.SortKey{{Field: "name"}}) })
	distinct("the order reversed", p, func(r *params.SearchRequest) {
		r.Query.Sort = search.NormalizeSort([]search.SortKey{{Field: "name", Desc: true}})
	})
	distinct("another company selected", p, func(r *params.SearchRequest) { r.Selection.Companies = []tenancy.CompanyID{3} })
	distinct("two companies selected", p, func(r *params.SearchRequest) { r.Selection.Companies = []tenancy.CompanyID{3, 10} })
	distinct("all supervised", p, func(r *params.SearchRequest) { r.Selection.ShowAllSupervised = true })

	for name, change := range map[string]func(*params.SearchRequest){
		"limit":             func(r *params.SearchRequest) { r.Query.Limit = 500 },
		"fields":            func(r *params.SearchRequest) { r.Query.Fields = session.FieldSet{}.With(0) },
		"the count wanted":  func(r *params.SearchRequest) { r.Query.WithoutCount = true },
		"the cursor itself": func(r *params.SearchRequest) { r.Cursor = "x" },
	} {
		req := base
		change(&req)
		if string(cursorBinding(p, req)) != bindings["base"] {
			t.Errorf("%s is bound, but may change from page to page", name)
		}
	}
}

// Whatever two callers ask, their cursors are bound alike only if both the
// callers and the questions are the same.
func TestCursorsAreBoundAlikeExactlyForOneAccountAndOneQuestion(t *testing.T) {
	identity, other := tenancytest.NewIdentity(t), tenancytest.NewIdentity(t)
	type account struct {
		issuer, subject string
		company         tenancy.CompanyID
	}
	callers := map[account]tenancy.Principal{}
	var accounts []account
	for _, i := range []*tenancytest.Identity{identity, other} {
		for _, subject := range []string{"a", "ab", "b"} {
			for _, company := range []tenancy.CompanyID{1, 2, 257} {
				a := account{i.URL(), subject, company}
				callers[a] = i.PrincipalOf(t, tenancytest.Claims{Subject: subject, Company: company})
				accounts = append(accounts, a)
			}
		}
	}
	type question struct {
		chat, name string
		byName     bool
		desc       bool
		all        bool
		companies  []tenancy.CompanyID
	}
	draw := rapid.Custom(func(t *rapid.T) question {
		return question{
			chat: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "chat"), name: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name"),
			byName: rapid.Bool().Draw(t, "by name"), desc: rapid.Bool().Draw(t, "desc"), all: rapid.Bool().Draw(t, "all"),
			companies: rapid.SliceOfN(rapid.SampledFrom([]tenancy.CompanyID{1, 2, 257}), 0, 3).Draw(t, "companies"),
		}
	})
	request := func(q question) params.SearchRequest {
		req := params.SearchRequest{Query: search.Query{Filter: search.Filter{ChatID: q.chat, Name: q.name}, Sort: search.DefaultSort()}}
		if q.byName {
			req.Query.Sort = search.NormalizeSort([]search.SortKey{{Field: "name", Desc: q.desc}})
		}
		req.Selection = tenancy.Selection{Companies: q.companies, ShowAllSupervised: q.all}
		return req
	}
	meaning := func(a account, q question) string {
		set := map[tenancy.CompanyID]bool{}
		for _, id := range q.companies {
			set[id] = true
		}
		return fmt.Sprintf("%+v %q %t %t %t %v", a, []string{q.chat, q.name}, q.byName, q.byName && q.desc, q.all, set)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(accounts).Draw(t, "account")
		b, q := a, draw.Draw(t, "question")
		r := q
		switch rapid.IntRange(0, 3).Draw(t, "what differs") {
		case 0:
			b = rapid.SampledFrom(accounts).Draw(t, "another account")
		case 1:
			r = draw.Draw(t, "another question")
		case 2:
			r.companies = append(slices.Clone(q.companies), rapid.SampledFrom([]tenancy.CompanyID{1, 2, 257}).Draw(t, "one more"))
		case 3:
			r.chat, r.name = q.name, q.chat
		}
		same := meaning(a, q) == meaning(b, r)
		if got := bytes.Equal(cursorBinding(callers[a], request(q)), cursorBinding(callers[b], request(r))); got != same {
			t.Fatalf("bound alike: %t, want %t, for %+v of %v and %+v of %v", got, same, q, a, r, b)
		}
	})
}

// A cursor that another selection could use would go on in companies that were not
// asked for.
func TestEveryPartOfTheSelectionBindsACursor(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, sel tenancy.Selection) {
		t.Helper()
		binding := string(cursorBinding(tenancy.Principal{}, params.SearchRequest{Selection: sel}))
		if other, double := seen[binding]; double {
			t.Errorf("%s and %s bind alike", name, other)
		}
		seen[binding] = name
	}
	add("nothing", tenancy.Selection{})
	for field := range reflect.TypeFor[tenancy.Selection]().Fields() {
		var sel tenancy.Selection
		switch target := reflect.ValueOf(&sel).Elem().FieldByIndex(field.Index); field.Type {
		case reflect.TypeFor[bool]():
			target.SetBool(true)
		case reflect.TypeFor[[]tenancy.CompanyID]():
			target.Set(reflect.ValueOf([]tenancy.CompanyID{7}))
		default:
			t.Errorf("%s of type %s: say here what it may be", field.Name, field.Type)
			continue
		}
		add(field.Name, sel)
	}
}
