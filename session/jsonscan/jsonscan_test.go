package jsonscan

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestValuesEndWhereTheyEnd(t *testing.T) {
	for text, want := range map[string]string{
		`"a",`:                 `"a"`,
		`"a\"b",`:              `"a\"b"`,
		`"\\",`:                `"\\"`,
		`"\\\"\\" `:            `"\\\"\\"`,
		`""`:                   `""`,
		`"open`:                ``,
		`"open\"`:              ``,
		`{"a":[1,"]}"]},"b":2`: `{"a":[1,"]}"]}`,
		`[]`:                   `[]`,
		`[[],{}]]`:             `[[],{}]`,
		`{"a":1`:               ``,
		`{"a":"`:               ``,
		`{/* "} */"a":1}`:      ``,
		`}`:                    ``,
		`-1.5e3,`:              `-1.5e3`,
		`null}`:                `null`,
		`true `:                `true`,
		`,`:                    ``,
		``:                     ``,
	} {
		if got := text[:ValueEnd([]byte(text))]; got != want {
			t.Errorf("%s begins with %q, want %q", text, got, want)
		}
	}
}

func TestFlattenYieldsWhatIsInListsWithoutNulls(t *testing.T) {
	for text, want := range map[string][]string{
		`1`:                        {"1"},
		`null`:                     nil,
		``:                         nil,
		`[]`:                       nil,
		`[[1, null], "a",[["b"]]]`: {"1", `"a"`, `"b"`},
		`[{"a":[1]}]`:              {`{"a":[1]}`},
		`[1,"open`:                 {"1"},
	} {
		var got []string
		for value := range Flatten([]byte(text)) {
			got = append(got, string(value))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestAWalkStepsIntoValuesAndGoesOnBehindThem(t *testing.T) {
	s := New([]byte(` { "skip" : {"x":1} , "list" : [ 1 , [2] ] , "n\u0061me" : {"inner":"v"} , "empty":{} } `))
	var got []string
	for s.Open('{'); s.Key(); {
		switch name := string(s.Name); name {
		case "list":
			for s.Open('['); s.Element(); {
				got = append(got, name+"="+string(s.Value))
			}
		case "name", "empty":
			for s.Open('{'); s.Member(); {
				got = append(got, name+"."+string(s.Name)+"="+string(s.Value))
			}
		default:
			s.Take()
		}
	}
	if diff := cmp.Diff([]string{"list=1", "list=[2]", `name.inner="v"`}, got); diff != "" || !s.Done() {
		t.Errorf("done: %v (-want +got):\n%s", s.Done(), diff)
	}
}

func TestATextThatIsNoObjectBreaksTheScanner(t *testing.T) {
	for _, text := range []string{``, ` `, `[]`, `"a"`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a" 1}`, `{"a":,}`, `{,}`, `{a:1}`, `{"a":1 "b":2}`, `{"\x":1}`} {
		s := New([]byte(text))
		n := 0
		for s.Open('{'); s.Member(); n++ {
			if n > len(text) {
				t.Fatalf("%s: the walk does not end", text)
			}
		}
		if !s.Broken() || s.Done() || s.Member() || s.Open('{') || s.Take() != nil {
			t.Errorf("%s: not broken", text)
		}
	}
	s := New([]byte(`{} x`))
	if s.Open('{'); s.Member() || s.Broken() || s.Done() {
		t.Error("what stands behind the object is taken for white space")
	}
}

// In valid JSON the scanner finds what a decoder finds. In other text it stops
// without reading past the end.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"\\"],"b":{"c":null}}`, ` {"\u0061" : "\"" , "":0.5e1}`, `[[[]],"]",true]`, `{"a":1}{`, `"\`, `{"a":/**/1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := New(text)
		var names, values []string
		for s.Open('{'); s.Member(); {
			names, values = append(names, string(s.Name)), append(values, string(s.Value))
		}
		value := jsontext.Value(bytes.Trim(text, " \n\r\t"))
		if !value.IsValid(jsontext.AllowDuplicateNames(true)) {
			ValueEnd(text)
			for range Flatten(text) {
			}
			return
		}
		if n := ValueEnd(value); n != len(value) {
			t.Fatalf("the value has %d bytes, of which %d are found", len(value), n)
		}
		if value.Kind() != '{' {
			return
		}
		var wantNames, wantValues []string
		decoder := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
		_, _ = decoder.ReadToken()
		for decoder.PeekKind() == '"' {
			name, _ := decoder.ReadToken()
			wantNames = append(wantNames, name.String())
			inner, _ := decoder.ReadValue()
			wantValues = append(wantValues, string(inner))
		}
		if diff := cmp.Diff(wantNames, names) + cmp.Diff(wantValues, values); diff != "" || !s.Done() {
			t.Fatalf("done: %v, %s (-want +got):\n%s", s.Done(), text, diff)
		}
	})
}

func BenchmarkMembers(b *testing.B) {
	var object bytes.Buffer
	_ = json.NewEncoder(&object).Encode(map[string]any{"id": "5b0b1f9e7c2d4a0001a3f6d2", "text": "hello hello hello", "n": 12, "list": []string{"a", "b"}, "none": nil})
	b.SetBytes(int64(object.Len()))
	for b.Loop() {
		s := New(object.Bytes())
		for s.Open('{'); s.Member(); {
		}
	}
}
