package session_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/session"
)

func TestAFaultyValueSpoilsItsOwnFieldOnly(t *testing.T) {
	for name, c := range map[string]struct {
		field, given, want string
	}{
		"an unknown channel":                    {"messengerType", `"MAX"`, `"MAX"`},
		"an unknown type of operator":           {"operatorType", `"ROBOT"`, `"ROBOT"`},
		"a name that is too long to import":     {"name", `"` + strings.Repeat("x", 1001) + `"`, `"` + strings.Repeat("x", 1001) + `"`},
		"an integer for text":                   {"clientId", `5`, `"5"`},
		"a decimal for text":                    {"clientId", `5.50`, `"5.50"`},
		"a truth value for text":                {"status", `true`, `"true"`},
		"an object for text":                    {"chatName", `{"a":1}`, `null`},
		"a list of one text":                    {"status", `[null,["OPEN"]]`, `"OPEN"`},
		"a list of two texts":                   {"chatName", `["a","b"]`, `null`},
		"an empty list":                         {"status", `[]`, `null`},
		"escapes":                               {"name", `"\u0041\u00e9\/"`, `"Aé/"`},
		"a character in two escapes":            {"name", `"\ud83d\ude00"`, `"😀"`},
		"half a character":                      {"chatName", `"a\ud83db"`, `"a` + "\uFFFD" + `b"`},
		"bytes that are no UTF-8":               {"chatName", "\"a\xc0\xafb\"", "\"a\uFFFD\uFFFDb\""},
		"an integer with a fraction of 0":       {"ttl", `2.0`, `2`},
		"an integer with an exponent":           {"ttl", `2e3`, `2000`},
		"a minus zero":                          {"ttl", `-0.0`, `0`},
		"a fraction for an integer":             {"ttl", `2.5`, `null`},
		"text for an integer":                   {"ttl", `"2"`, `null`},
		"an integer of more than 64 bits":       {"ttl", `9223372036854775808`, `null`},
		"a large exponent for an integer":       {"ttl", `1e30`, `null`},
		"a number beyond float64":               {"csi", `1e400`, `null`},
		"a number of many digits":               {"csi", "1" + strings.Repeat("0", 400), `null`},
		"text for a number":                     {"csi", `"1.5"`, `null`},
		"a number keeps its text":               {"csi", `1.50e1`, `1.50e1`},
		"a truth value as text":                 {"fcr", `"true"`, `true`},
		"an untrue value as text":               {"markedAsSpam", `""`, `false`},
		"a number for a truth value":            {"fcr", `1`, `null`},
		"a date with an offset":                 {"createdAt", `"2024-05-01T10:00:00+02:00"`, `"2024-05-01T08:00:00.000Z"`},
		"a list of a date":                      {"createdAt", `["2024-05-01T10:00:00Z"]`, `"2024-05-01T10:00:00.000Z"`},
		"a date without a time":                 {"clientOnlineAt", `"2024-05-01"`, `null`},
		"a date that is none":                   {"clientOnlineAt", `"2024-13-41T25:00:00.000Z"`, `null`},
		"a date as a number":                    {"clientOnlineAt", `1714550400000`, `null`},
		"a date of the year 0":                  {"clientOnlineAt", `"0000-05-01T10:00:00Z"`, `null`},
		"one text for a list":                   {"dialogResults", `"a"`, `["a"]`},
		"numbers in a list of texts":            {"dialogResults", `[1,null,["b"],true]`, `["1","b","true"]`},
		"an object in a list of texts":          {"dialogResults", `["a",{}]`, `null`},
		"a wrong value in an operator":          {"operators", `[{"id":"x","name":5,"assigned_at":"yesterday","zz":1}]`, `[{"id":null,"name":"5","type":null,"assigned_at":null}]`},
		"one operator for a list":               {"operators", `{"id":7.0}`, `[{"id":7,"name":null,"type":null,"assigned_at":null}]`},
		"a number for an operator":              {"operators", `[7]`, `null`},
		"white space in an object":              {"metrics", `{ "a" : [ 1 , 2 ] }`, `{"a":[1,2]}`},
		"a list for an object":                  {"metrics", `[1,2]`, `null`},
		"a list of one object":                  {"metrics", `[{"a":1.50}]`, `{"a":1.50}`},
		"a number beyond float64 in an object":  {"metrics", `{"a":{"b":[1,-1e400]}}`, `null`},
		"a large number in text in an object":   {"metrics", `{"1e400":"1e400"}`, `{"1e400":"1e400"}`},
		"bytes that are no UTF-8 in an object":  {"lastMessage", "{\"\xff\":\"\\ud800\"}", "{\"\uFFFD\":\"\uFFFD\"}"},
		"a key that an object has twice":        {"lastMessage", `{"a":1,"a":2}`, `{"a":1,"a":2}`},
		"a negative count":                      {"clientMessageCount", `-3`, `-3`},
		"text for a count":                      {"clientMessageCount", `"3"`, `0`},
		"a sum that is none":                    {"messageCount", `9`, `4`},
		"a company that is not the engine's":    {"companyId", `8`, `7`},
		"a company as a list of a decimal":      {"companyId", `[7.0]`, `7`},
		"an id that is a number":                {"id", `5`, `"5"`},
		"an unknown field":                      {"zz", `5`, ``},
		"a faulty value beside one that is not": {"nps", `[]`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			given := map[string]json.RawMessage{
				"id": json.RawMessage(`"a"`), "companyId": json.RawMessage(`7`), "operatorMessageCount": json.RawMessage(`4`),
				"updatedAt": json.RawMessage(`"2024-05-01T10:00:00+02:00"`),
			}
			given[c.field] = json.RawMessage(c.given)
			got, err := session.Complete(text(given), 7)
			if err != nil {
				t.Fatal(err)
			}
			var item map[string]json.RawMessage
			if err := json.Unmarshal(got, &item); err != nil {
				t.Fatal(err)
			}
			if string(item[c.field]) != c.want {
				t.Errorf("%s: %s, want %s", c.field, item[c.field], c.want)
			}
			if len(item) != session.FieldCount() || string(item["updatedAt"]) != `"2024-05-01T08:00:00.000Z"` || string(item["operatorMessageCount"]) != "4" {
				t.Errorf("other fields are spoiled: %s", got)
			}
		})
	}
}

// text writes an object by hand; json.Marshal would check the values.
func text(members map[string]json.RawMessage) []byte {
	var parts [][]byte
	for name, value := range members {
		parts = append(parts, append([]byte(`"`+name+`":`), value...))
	}
	return append(append([]byte("{"), bytes.Join(parts, []byte(", "))...), '}')
}

func TestTheSumOfMessagesStaysWithin64Bits(t *testing.T) {
	for given, want := range map[string]string{
		`"clientMessageCount":9223372036854775807,"botMessageCount":1`:        `9223372036854775807`,
		`"clientMessageCount":-9223372036854775808,"operatorMessageCount":-1`: `-9223372036854775808`,
		`"clientMessageCount":9223372036854775807,"botMessageCount":-7`:       `9223372036854775800`,
	} {
		got, err := session.Complete([]byte(`{`+given+`}`), 7)
		if err != nil || !bytes.Contains(got, []byte(`"messageCount":`+want+`,`)) {
			t.Errorf("%s: %s, error %v", given, got, err)
		}
	}
}

func TestWhatTheImporterTakesIsCompletedToTheSameBytes(t *testing.T) {
	corpus, err := searchtest.NewCorpus(3, 300)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range corpus.Documents {
		got, err := session.Complete(doc.JSON(), doc.CompanyID())
		if err != nil || !bytes.Equal(got, doc.JSON()) {
			t.Fatalf("got  %s, error %v\nwant %s", got, err, doc.JSON())
		}
	}
}

func TestWhatIsNoObjectIsNotCompleted(t *testing.T) {
	for _, given := range []string{"", "[]", "5", `"a"`, "{", `{"id"}`, `{"id":"a`} {
		if got, err := session.Complete([]byte(given), 7); err == nil {
			t.Errorf("%s: %s", given, got)
		}
	}
}

// For any bytes, the result is a session that any reader can read, and completing
// it again changes nothing.
func FuzzComplete(f *testing.F) {
	f.Add([]byte(`{"id":"a","companyId":[7.0],"createdAt":"2024-05-01T10:00:00+02:00","operators":[{"id":1e400}],"metrics":{"a":[1,{"b":1e999}]}}`))
	f.Add([]byte("{\"name\":\"\xed\xa0\x80\\ud83d\",\"tags\":[[\"a\"],null],\"lastMessage\":{\"a\":\"\xc0\xaf\"},\"dialogResults\":[1,true,\"x\"]}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := session.Complete(raw, 7)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			return // Elasticsearch stores no other bytes; returning is enough
		}
		if !utf8.Valid(got) {
			t.Fatalf("no UTF-8: %q", got)
		}
		var item map[string]any
		if err := json.Unmarshal(got, &item); err != nil || len(item) != session.FieldCount() {
			t.Fatalf("%d fields, error %v: %s", len(item), err, got)
		}
		for _, field := range session.Fields() {
			value := item[field.Name]
			if value == nil {
				continue
			}
			if s, isText := value.(string); field.Type == session.TypeDate {
				if _, err := time.Parse(time.RFC3339, s); err != nil || !isText {
					t.Errorf("%s: %v", field.Name, value)
				}
			}
		}
		again, err := session.Complete(got, 7)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("again: %s, error %v, want %s", again, err, got)
		}
	})
}
