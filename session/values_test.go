package session

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Each value must equal the session's own.
func TestValuesAreThoseOfTheSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := parseGiven(t, givenDocument().Draw(t, "given"))
		var fields FieldSet
		for i := range catalogue {
			if rapid.Bool().Draw(t, "asked") {
				fields = fields.With(i)
			}
		}
		row, err := Project(doc.JSON(), fields)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "spread out") {
			row = spread(row)
		}
		values, err := Values(row, fields, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range fields.Names() {
			if !equalJSON(values[i], doc.Value(name)) {
				t.Errorf("%s is %s, want %s", name, values[i], doc.Value(name))
			}
		}
		if len(values) != fields.Len() {
			t.Errorf("%d values for %d fields", len(values), fields.Len())
		}
	})
}

// spread rewrites a row in a form that another producer may have stored.
func spread(row json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(row, &members)
	spread, _ := json.MarshalIndent(members, " ", "\t")
	return spread
}

func equalJSON(a, b []byte) bool {
	var left, right any
	return json.Unmarshal(a, &left) == nil && json.Unmarshal(b, &right) == nil &&
		jsonText(left) == jsonText(right)
}

func jsonText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func TestWhatIsNoRowOfTheFieldsIsRefused(t *testing.T) {
	var fields FieldSet
	for _, name := range []string{"id", "name"} {
		i, _, _ := FieldByName(name)
		fields = fields.With(i)
	}
	for _, row := range []string{
		``, `{`, `{}`, `null`, `[]`, `"id"`, `{"id":"a"}`, `{"name":"b"}`, `{"id":"a","name":"b"`, `{"id":"a","name":"b"}}`,
		`{"id":"a","name":"b"},`, `{"id":"a","name":"b","city":"c"}`, `{"id":"a","name":"b","name":"c"}`, `{"id":"a","nane":"b"}`,
		`,"id":"a","name":"b"}`, `{"id":"a"{"name":"b"}`, `{"id":,"name":"b"}`, `{"id":"a","name":}`, `{"id":"a","name":"b}`,
	} {
		if values, err := Values(json.RawMessage(row), fields, nil); !errors.Is(err, ErrDocument) {
			t.Errorf("%s came apart as %q, %v", row, values, err)
		}
	}
	if values, err := Values(json.RawMessage(`{ "name" : "b", "id":"a"}`), fields, nil); err != nil || string(values[0])+string(values[1]) != `"a""b"` {
		t.Errorf("another order came apart as %q, %v", values, err)
	}
}

func FuzzValues(f *testing.F) {
	f.Add([]byte(`{"id":"a","companyId":1}`))
	f.Add([]byte(`{"companyId":1, "id":"a"}`))
	f.Fuzz(func(t *testing.T, row []byte) {
		values, err := Values(row, FieldSet{}.With(0).With(1), nil)
		if err == nil && len(values) != 2 {
			t.Errorf("%d values", len(values))
		}
		for _, value := range values {
			if len(value) == 0 || !strings.Contains(string(row), string(value)) {
				t.Errorf("%q is no part of the row", value)
			}
		}
	})
}
