package search

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
	"unicode"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNormalizeSort(t *testing.T) {
	id := SortKey{Field: "id"}
	name := SortKey{Field: "name"}
	startedDown := SortKey{Field: "startedAt", Desc: true}
	tests := []struct {
		name       string
		keys, want []SortKey
	}{
		{"no keys are the tiebreaker", nil, []SortKey{id}},
		{"the tiebreaker is added", []SortKey{startedDown}, []SortKey{startedDown, id}},
		{"an id key is the tiebreaker", []SortKey{name, id}, []SortKey{name, id}},
		{"a descending id key is too", []SortKey{{Field: "id", Desc: true}}, []SortKey{{Field: "id", Desc: true}}},
		{"what follows an id key is dropped", []SortKey{id, name, startedDown}, []SortKey{id}},
		{"a field that came before is dropped", []SortKey{name, {Field: "name", Desc: true}, startedDown}, []SortKey{name, startedDown, id}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.keys)
			if diff := gocmp.Diff(tt.want, NormalizeSort(tt.keys)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff(before, tt.keys); diff != "" {
				t.Errorf("argument was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestDefaultSortIsNormal(t *testing.T) {
	if diff := gocmp.Diff(DefaultSort(), NormalizeSort(DefaultSort())); diff != "" {
		t.Errorf("(-default +normalized):\n%s", diff)
	}
}

func TestParseSortValue(t *testing.T) {
	tests := []struct{ name, field, text, want string }{
		{"text is folded", "name", `Ковалёва "É"`, `"ковалева \"e\""`},
		{"text keeps what HTML would escape", "name", "<&>", `"<&>"`},
		{"the empty text is a value", "name", "", `""`},
		{"the id is left alone", "id", "Aé<", `"Aé<"`},
		{"an integer", "messageCount", "-12", "-12"},
		{"an integer with zeros in front", "companyId", "007", "7"},
		{"the largest integer", "messageCount", "9223372036854775807", "9223372036854775807"},
		{"a number is written in its shortest form", "rating", "4.50", "4.5"},
		{"a large number", "rating", "1e30", "1e+30"},
		{"minus zero is zero", "rating", "-0", "0"},
		{"a date with an offset", "startedAt", "2018-05-27T21:30:54.1239+03:00", "1527445854123"},
		{"a date before 1970", "startedAt", "1969-12-31T23:59:59.999Z", "-1"},
		{"a date in milliseconds", "createdAt", "1527445854123", "1527445854123"},
		{"the first date", "createdAt", "0001-01-01T00:00:00Z", "-62135596800000"},
		{"the last date", "createdAt", "9999-12-31T23:59:59.999Z", "253402300799999"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, field, _ := session.FieldByName(tt.field)
			got, err := ParseSortValue(field, tt.text)
			if err != nil || string(got) != tt.want {
				t.Fatalf("ParseSortValue(%s, %q) = %s, %v; want %s", tt.field, tt.text, got, err, tt.want)
			}
			position := Position{Values: []json.RawMessage{got}}
			if err := CheckPosition([]SortKey{{Field: tt.field}}, position); err != nil {
				t.Errorf("is refused as a position: %v", err)
			}
		})
	}
}

func TestParseSortValueRefuses(t *testing.T) {
	tests := []struct{ name, field, text string }{
		{"text for an integer", "messageCount", "many"},
		{"a fraction for an integer", "messageCount", "1.5"},
		{"an integer of over 64 bits", "messageCount", "9223372036854775808"},
		{"text for a number", "rating", "good"},
		{"infinity", "rating", "Inf"},
		{"a number beyond float64", "rating", "1e999"},
		{"no number", "rating", "NaN"},
		{"a date without a time", "startedAt", "2018-05-27"},
		{"a day that is not", "startedAt", "2018-02-30T00:00:00Z"},
		{"a date before the year 1", "startedAt", "0001-01-01T00:00:00+01:00"},
		{"a date after the year 9999", "startedAt", "9999-12-31T23:59:59-01:00"},
		{"milliseconds after the year 9999", "startedAt", "253402300800000"},
		{"broken UTF-8 for the id", "id", "\xff"},
		{"a field of objects", "lastMessage", "{}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, field, _ := session.FieldByName(tt.field)
			if got, err := ParseSortValue(field, tt.text); !errors.Is(err, ErrSortValue) {
				t.Errorf("ParseSortValue(%s, %q) = %s, %v", tt.field, tt.text, got, err)
			}
		})
	}
}

func TestCheckPosition(t *testing.T) {
	keys := []SortKey{{Field: "name"}, {Field: "startedAt", Desc: true}, {Field: "rating"}, {Field: "messageCount"}, {Field: "id"}}
	tests := []struct {
		name   string
		values []string
		ok     bool
	}{
		{"a value for every key", []string{`"anna"`, "1527445854123", "4.5", "0", `"A1"`}, true},
		{"missing values where a field may have none", []string{"null", "null", "null", "3", `"A1"`}, true},
		{"fewer values than keys", []string{`"anna"`}, true},
		{"no values", nil, false},
		{"more values than keys", []string{`"anna"`, "0", "1", "0", `"A1"`, "1"}, false},
		{"text that is not folded", []string{`"Anna"`}, false},
		{"text of an index of an older schema", []string{"\"o\u2019brien\""}, true},
		{"text that no version of the folding would leave so", []string{"\"O\u2019Brien\""}, false},
		{"text with a needless escape", []string{`"ann\u0061"`}, false},
		{"text that is broken", []string{`"anna`}, false},
		{"a number for text", []string{"1"}, false},
		{"text for a date", []string{"null", `"2018-05-27T21:30:54.000Z"`}, false},
		{"a fraction for a date", []string{"null", "1.5"}, false},
		{"a date after the year 9999", []string{"null", "253402300800000"}, false},
		{"a number not in its shortest form", []string{"null", "0", "4.50"}, false},
		{"minus zero", []string{"null", "0", "-0"}, false},
		{"a number in hexadecimal", []string{"null", "0", "0x10"}, false},
		{"white space", []string{"null", " 0"}, false},
		{"a plus sign", []string{"null", "+5"}, false},
		{"no value at all", []string{""}, false},
		{"a missing count", []string{"null", "0", "1", "null"}, false},
		{"a missing id", []string{"null", "0", "1", "0", "null"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Position
			for _, value := range tt.values {
				p.Values = append(p.Values, json.RawMessage(value))
			}
			err := CheckPosition(keys, p)
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, ErrInvalidPosition) {
				t.Errorf("CheckPosition(%q) = %v", tt.values, err)
			}
		})
	}
}

func TestAPositionIsFoldedByTheRulesOfTheDataThatItIsFor(t *testing.T) {
	keys := []SortKey{{Field: "name"}, {Field: "rating"}, {Field: "clientId"}, {Field: "id"}}
	old := Position{Values: []json.RawMessage{json.RawMessage("\"o\u2019brien\""), json.RawMessage("4.5"), json.RawMessage("null"), json.RawMessage("\"A\u2019\"")}}
	for by, want := range map[keyword.Folding]string{
		keyword.FirstFolding:  "\"o\u2019brien\" 4.5 null \"A\u2019\"",
		keyword.SecondFolding: "\"o'brien\" 4.5 null \"A\u2019\"",
	} {
		folded := FoldPosition(keys, old, by)
		if got := string(bytes.Join(rawValues(folded), []byte(" "))); got != want {
			t.Errorf("by folding %d: %s, want %s", by, got, want)
		}
		if err := CheckPosition(keys, folded); err != nil {
			t.Error(err)
		}
	}
	if part := FoldPosition(keys, Position{Values: old.Values[:1]}, keyword.SecondFolding); len(part.Values) != 1 {
		t.Errorf("%d values, want 1", len(part.Values))
	}
}

func rawValues(p Position) (values [][]byte) {
	for _, value := range p.Values {
		values = append(values, value)
	}
	return values
}

func TestCheckPositionRefusesAFieldThatCannotBeSortedBy(t *testing.T) {
	for _, field := range []string{"chatId", "none"} {
		p := Position{Values: []json.RawMessage{json.RawMessage(`"a"`)}}
		if err := CheckPosition([]SortKey{{Field: field}}, p); !errors.Is(err, ErrInvalidPosition) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestEveryDocumentHasAValidPositionUnderEveryOrder(t *testing.T) {
	var keys []SortKey
	for _, f := range session.Fields() {
		if f.SortName != "" {
			keys = append(keys, SortKey{Field: f.Name})
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := sortable(t)
		if err := CheckPosition(keys, PositionOf(doc, keys)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDatesSortAsTheirText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(session.MinDate, session.MaxDate)
		a, b := ms.Draw(t, "a"), ms.Draw(t, "b")
		if cmp.Compare(a, b) != cmp.Compare(dateText(a), dateText(b)) {
			t.Fatalf("%d and %d are in another order than %s and %s", a, b, dateText(a), dateText(b))
		}
		if back, ok := session.ParseDate([]byte(dateText(a))); !ok || back != a {
			t.Fatalf("%s reads as %d, %v; want %d", dateText(a), back, ok, a)
		}
	})
}

func dateText(ms int64) string { return time.UnixMilli(ms).UTC().Format(session.DateLayout) }

// sortable draws a session in which each sortable field has a value or null.
func sortable(t *rapid.T) session.Document {
	values := map[string]any{"id": rapid.StringMatching(`[ -~]{1,20}`).Draw(t, "id"), "companyId": rapid.Int64Range(1, math.MaxInt32).Draw(t, "company")}
	for _, f := range session.Fields() {
		if f.SortName == "" || values[f.Name] != nil || f.Name == "messageCount" || !rapid.Bool().Draw(t, f.Name+" is there") {
			continue
		}
		switch {
		case f.Name == "messengerType":
			values[f.Name] = rapid.SampledFrom(session.MessengerTypes()).Draw(t, f.Name)
		case f.Name == "operatorType":
			values[f.Name] = rapid.SampledFrom(session.OperatorTypes()).Draw(t, f.Name)
		case f.Type == session.TypeString:
			values[f.Name] = rapid.StringOf(rapid.RuneFrom(nil, unicode.L, unicode.N, unicode.P, unicode.Zs)).Draw(t, f.Name)
		case f.Type == session.TypeInteger:
			values[f.Name] = rapid.Int64Range(0, 1<<50).Draw(t, f.Name)
		case f.Type == session.TypeNumber:
			values[f.Name] = rapid.Float64().Draw(t, f.Name)
		case f.Type == session.TypeBoolean:
			values[f.Name] = rapid.Bool().Draw(t, f.Name)
		case f.Type == session.TypeDate:
			values[f.Name] = dateText(rapid.Int64Range(session.MinDate, session.MaxDate).Draw(t, f.Name))
		default:
			t.Fatalf("no values are drawn for %s, which can be sorted by", f.Name)
		}
	}
	raw, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := session.Parse(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return doc
}

func TestSortValue(t *testing.T) {
	doc, err := session.Parse([]byte(`{"id":"s-1","companyId":7,"name":"Ann\"É","rating":-0.0,"createdAt":"1969-12-31T23:59:59.999Z","clientMessageCount":3,"chatId":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"id": `"s-1"`, "companyId": "7", "name": `"ann\"e"`, "rating": "0", "createdAt": "-1", "messageCount": "3",
		"startedAt": "null", "clientId": "null",
		"chatId": "null", "none": "null", // not sortable
	} {
		if got := string(SortValue(doc, field)); got != want {
			t.Errorf("%s sorts by %s, want %s", field, got, want)
		}
	}
}
