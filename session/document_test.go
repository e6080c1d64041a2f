package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/tenancy"
)

// given returns a session with an id, a company and the given members.
func given(members string) []byte {
	if members != "" {
		members = "," + members
	}
	return []byte(`{"id":"s-1","companyId":7` + members + `}`)
}

func TestParseDocumentWritesWireForm(t *testing.T) {
	tests := []struct{ name, members, field, want string }{
		{"a missing field is null", ``, "name", `null`},
		{"null stays null", `"name":null`, "name", `null`},
		{"text is kept", `"name":"Ёлка <&> \"x\""`, "name", `"Ёлка <&> \"x\""`},
		{"needless escapes are written out", `"name":"\u0410\u043d\/\u003c"`, "name", `"Ан/<"`},
		{"needed escapes are written as short as can be", `"name":"\u000a\u0001\u0022"`, "name", `"\n\u0001\""`},
		{"a pair of surrogates is one character", `"name":"\ud83d\ude00"`, "name", `"😀"`},
		{"an escaped name is the field", `"n\u0061me":"a"`, "name", `"a"`},
		{"a keyword field of 1,000 characters", `"clientId":"` + strings.Repeat("я", 1000) + `"`, "clientId", `"` + strings.Repeat("я", 1000) + `"`},
		{"another field may have more", `"purpose":"` + strings.Repeat("я", 1001) + `"`, "purpose", `"` + strings.Repeat("я", 1001) + `"`},
		{"an integer", `"nps":-9`, "nps", `-9`},
		{"the smallest integer", `"ttl":-9223372036854775808`, "ttl", `-9223372036854775808`},
		{"minus zero is the integer 0", `"nps":-0`, "nps", `0`},
		{"a number keeps its text", `"price":1.50e+2`, "price", `1.50e+2`},
		{"a boolean", `"fcr":false`, "fcr", `false`},
		{"a date in wire form", `"createdAt":"2018-05-27T21:30:54.123Z"`, "createdAt", `"2018-05-27T21:30:54.123Z"`},
		{"a date without milliseconds", `"createdAt":"2018-05-27T21:30:54Z"`, "createdAt", `"2018-05-27T21:30:54.000Z"`},
		{"a date is cut to milliseconds", `"createdAt":"2018-05-27T21:30:54.1239999Z"`, "createdAt", `"2018-05-27T21:30:54.123Z"`},
		{"a date before 1970 is cut likewise", `"createdAt":"1969-12-31T23:59:59.9999Z"`, "createdAt", `"1969-12-31T23:59:59.999Z"`},
		{"a date goes to UTC", `"createdAt":"2018-05-27T21:30:54+05:30"`, "createdAt", `"2018-05-27T16:00:54.000Z"`},
		{"a date with an escape", `"createdAt":"2018-05-27T21:30:54.123\u005a"`, "createdAt", `"2018-05-27T21:30:54.123Z"`},
		{"the leap day", `"createdAt":"2024-02-29T00:00:00.000Z"`, "createdAt", `"2024-02-29T00:00:00.000Z"`},
		{"the first moment", `"createdAt":"0001-01-01T00:00:00Z"`, "createdAt", `"0001-01-01T00:00:00.000Z"`},
		{"a list is compact", `"dialogResults":[ "a" , "\u0062" ]`, "dialogResults", `["a","b"]`},
		{"an empty list is one", `"dialogResults":[ ]`, "dialogResults", `[]`},
		{"operators have four keys in one order", `"operators":[ {"assigned_at":"2018-05-27T21:30:54+01:00","id":3}, {"type":"BOT","name":"B"} ]`, "operators",
			`[{"id":3,"name":null,"type":null,"assigned_at":"2018-05-27T20:30:54.000Z"},{"id":null,"name":"B","type":"BOT","assigned_at":null}]`},
		{"an object is compact and keeps its order", `"metrics":{ "b" : [ 1.0 , {} ], "a":"\u0061<" }`, "metrics", `{"b":[1.0,{}],"a":"a<"}`},
		{"what looks like a NUL is none", `"metrics":{"a":"\\u0000"}`, "metrics", `{"a":"\\u0000"}`},
		{"missing counts are 0", ``, "clientMessageCount", `0`},
		{"the sum is computed", `"clientMessageCount":2,"operatorMessageCount":null,"botMessageCount":3`, "messageCount", `5`},
		{"the sum is computed when null", `"clientMessageCount":2,"messageCount":null`, "messageCount", `2`},
		{"the sum may stand before its parts", `"messageCount":2,"clientMessageCount":2`, "messageCount", `2`},
		{"an enumerated value", `"messengerType":"WEB"`, "messengerType", `"WEB"`},
		{"an enumerated value with an escape", `"messengerType":"W\u0045B"`, "messengerType", `"WEB"`},
		{"no enumerated value", `"operatorType":null`, "operatorType", `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := parseGiven(t, given(tt.members))
			var wire map[string]json.RawMessage
			if err := json.Unmarshal(doc.JSON(), &wire); err != nil {
				t.Fatal(err)
			}
			if got := string(wire[tt.field]); got != tt.want {
				t.Errorf("%s is %s, want %s", tt.field, got, tt.want)
			}
			if string(doc.Value(tt.field)) != tt.want {
				t.Errorf("the accessor of %s reads %s", tt.field, doc.Value(tt.field))
			}
		})
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	const secret = "PLANTED-9991234567"
	tests := []struct{ name, raw, want string }{
		{"no JSON", `{"id":`, "not valid JSON"},
		{"nothing", ``, "not valid JSON"},
		{"text behind the object", `{"id":"s-1","companyId":7} x`, "not valid JSON"},
		{"broken UTF-8", "{\"id\":\"s-1\",\"companyId\":7,\"name\":\"" + secret + "\xff\"}", "not valid JSON"},
		{"half a surrogate pair", string(given(`"name":"` + secret + `\ud83d"`)), "not valid JSON"},
		{"a list", `[1]`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"no id", `{"companyId":7}`, "id: is required"},
		{"a null id", `{"id":null,"companyId":7}`, "id: is required"},
		{"an empty id", `{"id":"","companyId":7}`, "id: must have 1 to 512 bytes"},
		{"an id of 513 bytes", `{"id":"` + strings.Repeat("x", 513) + `","companyId":7}`, "id: must have 1 to 512 bytes"},
		{"an id with a line break", `{"id":"a\nb","companyId":7}`, "id: must not hold control characters"},
		{"a number as id", `{"id":1,"companyId":7}`, "id: must be a string"},
		{"no company", `{"id":"s-1"}`, "companyId: is required"},
		{"company 0", `{"id":"s-1","companyId":0}`, "companyId: must be an integer from 1 to 2147483647"},
		{"a company beyond 31 bits", `{"id":"s-1","companyId":2147483648}`, "companyId: must be"},
		{"a company as text", `{"id":"s-1","companyId":"7"}`, "companyId: must be"},
		{"a company with a fraction", `{"id":"s-1","companyId":7.0}`, "companyId: must be"},
		{"an unknown field", string(given(`"surname":"` + secret + `"`)), `"surname": unknown field`},
		{"an unknown field in another case", string(given(`"Name":"` + secret + `"`)), `"Name": unknown field`},
		{"a field given twice", string(given(`"name":"a","name":"a"`)), "name: given twice"},
		{"a field given twice, once as null", string(given(`"name":null,"n\u0061me":"a"`)), "name: given twice"},
		{"a number as text", string(given(`"name":5`)), "name: must be a string"},
		{"a NUL", string(given(`"name":"` + secret + `\u0000"`)), "name: must not hold a NUL"},
		{"1,001 characters to search", string(given(`"name":"` + strings.Repeat("я", 1001) + `"`)), "name: must have at most 1000 characters"},
		{"1,001 characters of a phone", string(given(`"whatsappPhone":"` + strings.Repeat("1", 1001) + `"`)), "whatsappPhone: must have at most 1000 characters"},
		{"an unknown messenger", string(given(`"messengerType":"` + secret + `"`)), "messengerType: must be one of WEB, WHATSAPP"},
		{"a messenger in lower case", string(given(`"messengerType":"web"`)), "messengerType: must be one of"},
		{"an unknown operator type", string(given(`"operatorType":""`)), "operatorType: must be one of BOT, OPERATOR, NONE"},
		{"an integer as text", string(given(`"nps":"9"`)), "nps: must be an integer"},
		{"an integer with a fraction", string(given(`"nps":3.0`)), "nps: must be an integer"},
		{"an integer with an exponent", string(given(`"nps":1e3`)), "nps: must be an integer"},
		{"an integer beyond 64 bits", string(given(`"ttl":9223372036854775808`)), "ttl: must be an integer"},
		{"a number beyond float64", string(given(`"price":1e999`)), "price: must be a number"},
		{"a number as text", string(given(`"rating":"5"`)), "rating: must be a number"},
		{"a boolean as a number", string(given(`"fcr":1`)), "fcr: must be true or false"},
		{"a date as a number", string(given(`"createdAt":1527445854123`)), "createdAt: must be a date"},
		{"a date without a zone", string(given(`"createdAt":"2018-05-27T21:30:54"`)), "createdAt: must be a date"},
		{"a date with a blank", string(given(`"createdAt":"2018-05-27 21:30:54Z"`)), "createdAt: must be a date"},
		{"a day that is not", string(given(`"createdAt":"2018-02-29T00:00:00.000Z"`)), "createdAt: must be a date"},
		{"a day 0", string(given(`"createdAt":"2018-02-00T00:00:00.000Z"`)), "createdAt: must be a date"},
		{"a month that is not", string(given(`"createdAt":"2018-13-01T00:00:00.000Z"`)), "createdAt: must be a date"},
		{"an hour that is not", string(given(`"createdAt":"2018-12-01T24:00:00.000Z"`)), "createdAt: must be a date"},
		{"a leap second", string(given(`"createdAt":"2016-12-31T23:59:60.000Z"`)), "createdAt: must be a date"},
		{"the year 0", string(given(`"createdAt":"0000-12-31T23:59:59.999Z"`)), "createdAt: must be a date"},
		{"a date that is in the year 0 in UTC", string(given(`"createdAt":"0001-01-01T00:00:00+01:00"`)), "createdAt: must be a date"},
		{"a date that is in the year 10000 in UTC", string(given(`"createdAt":"9999-12-31T23:59:59-01:00"`)), "createdAt: must be a date"},
		{"a list as text", string(given(`"dialogResults":"` + secret + `"`)), "dialogResults: must be a list of strings"},
		{"a list of something else", string(given(`"dialogResults":["a",null]`)), "dialogResults: element 2 must be a string"},
		{"a list with a NUL", string(given(`"dialogResults":["\u0000"]`)), "dialogResults: element 1 must not hold a NUL"},
		{"operators as an object", string(given(`"operators":{}`)), "operators: must be a list of"},
		{"an operator as text", string(given(`"operators":["` + secret + `"]`)), "operators: element 1 must be an object"},
		{"an operator with an unknown key", string(given(`"operators":[{"id":1},{"` + secret + `":1}]`)), "operators: element 2 must have no keys but"},
		{"an operator with a key twice", string(given(`"operators":[{"id":1,"id":1}]`)), "operators: element 1 must have no key twice"},
		{"an operator with an id of text", string(given(`"operators":[{"id":"` + secret + `"}]`)), "operators: element 1 has a wrong id: must be an integer"},
		{"an operator with a wrong date", string(given(`"operators":[{"assigned_at":"` + secret + `"}]`)), "operators: element 1 has a wrong assigned_at: must be a date"},
		{"an object as text", string(given(`"metrics":"` + secret + `"`)), "metrics: must be an object"},
		{"an object with a key twice", string(given(`"metrics":{"a":{"` + secret + `":1,"` + secret + `":2}}`)), "metrics: must have no key twice"},
		{"an object with a NUL in a value", string(given(`"metrics":{"a":["` + secret + `\u0000"]}`)), "metrics: must not hold a NUL"},
		{"an object with a NUL in a key", string(given(`"lastMessage":{"` + secret + `\u0000":1}`)), "lastMessage: must not hold a NUL"},
		{"an object nested 101 deep", string(given(`"metrics":` + nested(MaxDepth))), "metrics: must not be nested deeper than 100 levels"},
		{"lists nested 101 deep", string(given(`"lastMessage":{"a":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`)), "lastMessage: must not be nested deeper"},
		{"a number of 101 characters", string(given(`"rating":4.` + strings.Repeat("1", MaxNumberSize-1))), "rating: must not hold a number of more than 100 characters"},
		{"a number beyond float64 in an object", string(given(`"metrics":{"` + secret + `":[{"a":-1e400}]}`)), "metrics: must not hold a number that is too large"},
		{"an integer of 101 digits in an object", string(given(`"metrics":{"` + secret + `":[-1,` + strings.Repeat("7", MaxNumberSize+1) + `]}`)), "metrics: must not hold a number of more"},
		{"a negative count", string(given(`"clientMessageCount":-1`)), "clientMessageCount: must be an integer of at least 0"},
		{"a count as text", string(given(`"botMessageCount":"1"`)), "botMessageCount: must be an integer of at least 0"},
		{"counts whose sum has over 64 bits", string(given(`"clientMessageCount":9223372036854775807,"botMessageCount":1`)), "botMessageCount: makes the sum"},
		{"a sum that is none", string(given(`"clientMessageCount":1,"messageCount":2`)), "messageCount: must be the sum"},
		{"over 1 MiB", string(given(`"purpose":"` + strings.Repeat("x", MaxDocumentSize) + `"`)), "larger than 1048576 bytes"},
		{"over 1 MiB in wire form only", string(given(`"purpose":"` + strings.Repeat("x", MaxDocumentSize-200) + `"`)), "larger than 1048576 bytes in wire form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Parse([]byte(tt.raw))
			if !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds the value: %v", err)
			}
			if doc.JSON() != nil {
				t.Errorf("a session comes with the error: %s", doc.JSON())
			}
		})
	}
}

// nested returns objects nested to the given number of levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + "{}" + strings.Repeat("}", levels-1)
}

func TestParseDocumentTakesNestingAndNumbersUpToTheirBounds(t *testing.T) {
	number := strings.Repeat("7", MaxNumberSize)
	for name, field := range map[string]string{
		"100 levels":            `"metrics":` + nested(MaxDepth-1),
		"many that are closed":  `"metrics":{"a":[` + strings.Repeat("{},", 1000) + `{}]}`,
		"brackets in a string":  `"metrics":{"` + strings.Repeat("[", 1000) + `":"\"` + strings.Repeat("{", 1000) + `"}`,
		"100 characters":        `"rating":0.` + number[2:],
		"100 digits, in a list": `"metrics":{"a":[` + number + `,` + number + `]}`,
		"digits in a string":    `"metrics":{"` + number + `7":"` + number + `7"}`,
	} {
		if _, err := Parse(given(field)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseDocumentNamesEveryFault(t *testing.T) {
	_, err := Parse([]byte(`{"id":"","companyId":-1,"surname":1,"nps":"x","createdAt":"now","operators":[1],"fcr":0}`))
	for _, field := range []string{"id:", "companyId:", `"surname":`, "nps:", "createdAt:", "operators:", "fcr:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is missing in: %v", field, err)
		}
	}
}

func TestParseDocumentBoundsItsError(t *testing.T) {
	var members strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&members, `,"unknown-%d\u0001%s":1`, i, strings.Repeat("x", 60))
	}
	_, err := Parse(given(members.String()[1:]))
	if err == nil || len(err.Error()) > 4096 || !strings.HasSuffix(err.Error(), "and 9968 more") {
		t.Errorf("got an error of %d bytes: %.200v", len(fmt.Sprint(err)), err)
	}
	if strings.ContainsRune(fmt.Sprint(err), 1) {
		t.Error("the error holds a control character of a key")
	}
}

func TestParseDocumentKeepsItsInput(t *testing.T) {
	raw := given(`"name":"anna"`)
	doc := parseGiven(t, raw)
	want := string(doc.JSON())
	clear(raw)
	if string(doc.JSON()) != want {
		t.Error("the session lives in the bytes it was read from")
	}
}

func TestWireFormIsAFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := parseGiven(t, givenDocument().Draw(t, "given"))
		again := parseGiven(t, doc.JSON())
		if diff := cmp.Diff(string(doc.JSON()), string(again.JSON())); diff != "" {
			t.Fatalf("(-once +twice):\n%s", diff)
		}
	})
}

func TestWireFormHasEveryFieldInOrderAndTheValuesGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := givenDocument().Draw(t, "given")
		doc := parseGiven(t, raw)
		var before, after map[string]any
		if err := errors.Join(json.Unmarshal(raw, &before), json.Unmarshal(doc.JSON(), &after)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(AllFields().Names(), keysOf(t, doc.JSON())); diff != "" {
			t.Fatalf("fields (-want +got):\n%s", diff)
		}
		for _, f := range Fields() {
			asGiven, ok := before[f.Name]
			if !ok || asGiven == nil || f.Type == TypeDate || f.Type == TypeOperators {
				continue // completed or rewritten: the tables above test it
			}
			if diff := cmp.Diff(asGiven, after[f.Name]); diff != "" {
				t.Fatalf("%s (-given +wire):\n%s", f.Name, diff)
			}
		}
	})
}

// keysOf returns the top-level keys of an object in their order.
func keysOf(t interface{ Fatalf(string, ...any) }, object []byte) []string {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	var keys []string
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		keys = append(keys, key.(string))
	}
	return keys
}

func TestDocumentAccessors(t *testing.T) {
	doc := parseGiven(t, given(`"name":"Ann\"a","rating":4.5,"nps":9,"fcr":true,"markedAsSpam":false,
		"createdAt":"2018-05-27T21:30:54.123+03:00","city":"2018-05-27T21:30:54.123Z","tags":" vip, callback,,vip , "`))
	if doc.ID() != "s-1" || doc.CompanyID() != 7 {
		t.Errorf("is %q of company %d", doc.ID(), doc.CompanyID())
	}
	if diff := cmp.Diff([]string{"vip", "callback"}, doc.Tags()); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	type read struct {
		Text    string
		Integer int64
		Number  float64
		Boolean bool
		OK      [4]bool
	}
	readAll := func(field string) (r read) {
		r.Text, r.OK[0] = doc.Text(field)
		r.Integer, r.OK[1] = doc.Integer(field)
		r.Number, r.OK[2] = doc.Number(field)
		r.Boolean, r.OK[3] = doc.Boolean(field)
		return r
	}
	for field, want := range map[string]read{
		"name":         {Text: `Ann"a`, OK: [4]bool{true, false, false, false}},
		"rating":       {Number: 4.5, OK: [4]bool{false, false, true, false}},
		"nps":          {Integer: 9, Number: 9, OK: [4]bool{false, true, true, false}},
		"fcr":          {Boolean: true, OK: [4]bool{false, false, false, true}},
		"markedAsSpam": {OK: [4]bool{false, false, false, true}},
		"createdAt":    {Text: "2018-05-27T18:30:54.123Z", Integer: 1527445854123, OK: [4]bool{true, true, false, false}},
		"city":         {Text: "2018-05-27T21:30:54.123Z", OK: [4]bool{true, false, false, false}},
		"chatId":       {},
		"none":         {},
	} {
		if diff := cmp.Diff(want, readAll(field)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
}

func TestTheZeroDocumentHasNoValues(t *testing.T) {
	var doc Document
	if text, ok := doc.Text("name"); ok || doc.ID() != "" || doc.CompanyID() != tenancy.CompanyID(0) || doc.Tags() != nil {
		t.Errorf("has a name %q, an id %q, a company %d or tags %q", text, doc.ID(), doc.CompanyID(), doc.Tags())
	}
	if got := string(doc.Value("id")); got != "null" {
		t.Errorf("its id is %s", got)
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add(given(`"name":"Анна","operators":[{"id":1}],"lastMessage":{"a":[1,"\u0000"]}`))
	f.Add(given(`"createdAt":"2018-05-27T21:30:54+03:00","price":1e3,"tags":"a,b"`))
	f.Add([]byte(`{"id":"\ud83d\ude00","companyId":1,"n\u0061me":null}`))
	f.Add([]byte(`[{"id":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrDocument) {
				t.Fatalf("%v is no ErrDocument", err)
			}
			return
		}
		if !json.Valid(doc.JSON()) {
			t.Fatalf("%q is no JSON", doc.JSON())
		}
		again := parseGiven(t, doc.JSON())
		if !bytes.Equal(doc.JSON(), again.JSON()) {
			t.Fatalf("once  %s\ntwice %s", doc.JSON(), again.JSON())
		}
	})
}

// fullDocument returns a session with a value in every field: the catalogue's
// examples.
func fullDocument() []byte {
	var members []string
	for _, f := range Fields() {
		members = append(members, quoteJSON(f.Name)+":"+f.Example)
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

func BenchmarkParseDocument(b *testing.B) {
	typical := given(`"name":"Анна Ковалёва","clientId":"c-90125","messengerType":"WHATSAPP","whatsappPhone":"+7 999 123-45-67",
		"status":"CLOSED","createdAt":"2018-05-27T21:30:54Z","updatedAt":"2018-05-27T22:30:54.123Z","startedAt":"2018-05-27T21:30:54.123Z",
		"clientMessageCount":4,"operatorMessageCount":3,"operatorName":"Maria Lindqvist","lastMessage":{"text":"Thank you!"}`)
	for name, raw := range map[string][]byte{
		"twenty fields":              typical,
		"twenty fields in wire form": parseGiven(b, typical).JSON(),
		"every field":                fullDocument(),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := Parse(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
