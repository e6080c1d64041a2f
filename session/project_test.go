package session

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func setOf(t interface{ Fatalf(string, ...any) }, names ...string) FieldSet {
	var set FieldSet
	for _, name := range names {
		i, _, ok := FieldByName(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		set = set.With(i)
	}
	return set
}

func TestProject(t *testing.T) {
	tests := []struct {
		name, wire string
		fields     []string
		want       string
	}{
		{"fields come in catalogue order", `{"id":"a","companyId":7,"name":"n"}`, []string{"name", "id"}, `{"id":"a","name":"n"}`},
		{"no fields are an empty object", `{"id":"a"}`, nil, `{}`},
		{"a missing field is null", `{"id":"a"}`, []string{"id", "name", "metrics"}, `{"id":"a","name":null,"metrics":null}`},
		{"an empty object has none", `{}`, []string{"id"}, `{"id":null}`},
		{"another order makes no difference", `{"metrics":{},"name":"n","id":"a"}`, []string{"id", "name", "metrics"}, `{"id":"a","name":"n","metrics":{}}`},
		{"unknown fields are left out", `{"x":[1],"id":"a","y":"}","name":"n"}`, []string{"id", "name"}, `{"id":"a","name":"n"}`},
		{"white space is left out between values", " { \"id\" :\t\"a\" ,\r\n\"name\" : \"n\" } ", []string{"id", "name"}, `{"id":"a","name":"n"}`},
		{"brackets, commas and quotes within strings", `{"id":"}],\"{","name":"\\","city":"c"}`, []string{"id", "name", "city"}, `{"id":"}],\"{","name":"\\","city":"c"}`},
		{"nested values stay whole", `{"lastMessage":{"id":"no","a":[{"b":"]}"}]},"metrics":{"name":1}}`, []string{"id", "name", "lastMessage"}, `{"id":null,"name":null,"lastMessage":{"id":"no","a":[{"b":"]}"}]}}`},
		{"an escaped name is the field", `{"n\u0061me":"n"}`, []string{"name"}, `{"name":"n"}`},
		{"the first of two wins", `{"id":"a","id":"b"}`, []string{"id", "name"}, `{"id":"a","name":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Project(json.RawMessage(tt.wire), setOf(t, tt.fields...))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestProjectOntoAllFieldsIsTheSessionItself(t *testing.T) {
	wire := json.RawMessage(`{"id": "not even complete"}`)
	got, err := Project(wire, AllFields())
	if err != nil || &got[0] != &wire[0] || len(got) != len(wire) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestProjectRefusesWhatIsNoObject(t *testing.T) {
	for _, wire := range []string{``, ` `, `null`, `[]`, `"a"`, `{`, `{"id"`, `{"id":`, `{"id":"a`, `{"id":"a",`, `{"id":[`, `{"id":,}`, `{id:1}`, `{"id" 1}`, `{"id":1 "name":2}`, `{"a\u00":1}`, `{"id":"\`} {
		if got, err := Project(json.RawMessage(wire), setOf(t, "id", "metrics")); !errors.Is(err, ErrDocument) {
			t.Errorf("Project(%q) = %s, %v", wire, got, err)
		}
	}
}

func TestProjectKeepsWhatADecoderWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := givenDocument().Draw(t, "given")
		if rapid.Bool().Draw(t, "in wire form") {
			raw = parseGiven(t, raw).JSON()
		}
		var set FieldSet
		for _, i := range rapid.SliceOf(rapid.IntRange(0, FieldCount()-1)).Draw(t, "fields") {
			set = set.With(i)
		}
		got, err := Project(raw, set)
		if err != nil {
			t.Fatal(err)
		}
		var all, cut map[string]any
		if err := errors.Join(json.Unmarshal(raw, &all), json.Unmarshal(got, &cut)); err != nil {
			t.Fatal(err)
		}
		want := make(map[string]any)
		for _, name := range set.Names() {
			want[name] = all[name]
		}
		if diff := cmp.Diff(want, cut); diff != "" {
			t.Fatalf("values (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(set.Names(), keysOf(t, got)); diff != "" {
			t.Fatalf("fields (-want +got):\n%s", diff)
		}
	})
}

func FuzzProject(f *testing.F) {
	f.Add([]byte(`{"id":"a","name":"\"}","metrics":{"a":[1,{}]}}`), uint64(33), uint64(1))
	f.Add([]byte(`{"id":[[[[{"a`), uint64(1), uint64(0))
	f.Add([]byte(` {"x" : 1 , "n\u0061me":2}`), uint64(32), uint64(0))
	f.Fuzz(func(t *testing.T, wire []byte, low, high uint64) {
		all := AllFields()
		set := FieldSet{low & all[0], high & all[1]}
		got, err := Project(wire, set)
		if err == nil && json.Valid(wire) && !json.Valid(got) {
			t.Errorf("%q cut down to %q is no JSON", wire, got)
		}
		if err != nil && json.Valid(wire) && len(wire) > 0 && wire[0] == '{' {
			t.Errorf("%q is refused: %v", wire, err)
		}
	})
}

func BenchmarkProject(b *testing.B) {
	wire := parseGiven(b, fullDocument()).JSON()
	for name, fields := range map[string][]string{
		"three fields in front": {"id", "companyId", "name"},
		"six fields":            {"id", "name", "messengerType", "createdAt", "startedAt", "metrics"},
	} {
		set := setOf(b, fields...)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Project(wire, set); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
