package session_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/session"
)

type values map[string]any

// newDocument returns a session of company 7 with these values.
func newDocument(tb testing.TB, id string, given values) session.Document {
	tb.Helper()
	all := values{"id": id, "companyId": 7}
	maps.Copy(all, given)
	raw, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := session.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func TestWireFormPassesAsItIs(t *testing.T) {
	corpus, err := searchtest.NewCorpus(1, 200)
	if err != nil {
		t.Fatal(err)
	}
	odd := newDocument(t, `"\`, values{
		"name": `\"`, "status": `\\`, "operators": []values{{"name": `}"]`}}, "lastMessage": values{"a": []any{`{"\`, nil, 1.5}},
		"dialogResults": []string{`]`, `\`}, "rating": 1e-7, "ttl": -1, "fcr": true, "createdAt": "0001-01-01T00:00:00.000Z",
	})
	for _, doc := range append(corpus.Documents, odd) {
		if !session.IsWireForm(doc.JSON()) {
			t.Errorf("not taken for wire form: %s", doc.JSON())
		}
	}
}

func TestOtherFormsAreCompleted(t *testing.T) {
	want := newDocument(t, "a", values{"name": "n", "createdAt": "2024-03-01T12:00:00.000Z", "ttl": 5}).JSON()
	swap := func(from, to string) string { return strings.Replace(string(want), from, to, 1) }
	for name, given := range map[string]string{
		"fields left out":       `{"id":"a","companyId":7,"name":"n","createdAt":"2024-03-01T12:00:00.000Z","ttl":5}`,
		"another order":         `{"ttl":5,"createdAt":"2024-03-01T12:00:00.000Z","name":"n","companyId":7,"id":"a"}`,
		"white space":           swap(`,"name"`, `, "name"`),
		"white space in front":  " " + string(want),
		"a line break behind":   string(want) + "\n",
		"an offset":             swap("12:00:00.000Z", "15:00:00.000+03:00"),
		"no milliseconds":       swap("12:00:00.000Z", "12:00:00Z"),
		"a count that is null":  swap(`"messageCount":0`, `"messageCount":null`),
		"an escape in a key":    swap(`"name"`, `"n\u0061me"`),
		"the last one left out": swap(`,"payerNameFromTransaction":null`, ``),
	} {
		t.Run(name, func(t *testing.T) {
			if session.IsWireForm([]byte(given)) {
				t.Error("taken for wire form")
			}
			got, err := session.Complete([]byte(given), 7)
			if err != nil || string(got) != string(want) {
				t.Errorf("got %s, error %v", got, err)
			}
		})
	}
}

// Text that is accepted as wire form is valid if it was valid JSON, and the scan
// never reads past the end of the text.
func FuzzWireForm(f *testing.F) {
	f.Add([]byte(`{"id":"a","companyId":7}`))
	f.Add([]byte(strings.Repeat("null", session.FieldCount())))
	var all strings.Builder
	for i, field := range session.Fields() {
		all.WriteString(strings.Repeat(",", min(i, 1)) + `"` + field.Name + `":` + field.Example)
	}
	f.Add([]byte("{" + all.String() + "}"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !session.IsWireForm(doc) || !jsontext.Value(doc).IsValid() {
			return
		}
		var item map[string]json.RawMessage
		if err := json.Unmarshal(doc, &item); err != nil || len(item) != session.FieldCount() {
			t.Errorf("%d fields, error %v", len(item), err)
		}
	})
}
