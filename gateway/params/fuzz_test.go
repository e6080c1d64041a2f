package params

import (
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// FuzzSearchQuery holds what must be so of whatever comes in a URL: it is
// faults or a request within its bounds, and a POST of the same says the same.
func FuzzSearchQuery(f *testing.F) {
	for _, raw := range []string{
		"", "limit=1&page=3", "sort=+name,-rating&fields=id, name", "from=2018-05-27T21:30:54+00:00&to=9999-12-31T23:59:59Z",
		"keyword=%2B7+(999)+123-45-67&messengerType=WEB&messengerType=SMS", "companyIds=1,2&showAllSupervised=1",
		"offsetField=started_at&offsetValue=1", "cursor=abc", "name=%FF&a=%zz&=&&;", "markedAsSpam=false&tags=a,b&timezone=-60",
		"withoutCount=1&withoutItems=0&language=&status=a%00",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		byURL, err := Search(Input{Query: raw})
		checkDecoded(t, byURL, err)
		if err != nil {
			return
		}
		body := bodyOf(t, raw)
		byBody, err := Search(Input{Post: true, Body: body})
		if err != nil {
			t.Fatalf("GET takes %q, POST of %s does not: %q", raw, body, err)
		}
		if diff := cmp.Diff(byURL, byBody, compareKeywords); diff != "" {
			t.Errorf("%q and %s differ:\n%s", raw, body, diff)
		}
	})
}

// FuzzSearchBody holds what must be so of whatever comes in a body.
func FuzzSearchBody(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"limit":1,"page":3}`, `{"sort":["+name"],"fields":["id"]}`, `{"limit":null,"limit":2}`, `[]`, `{"tags":[[]]}`,
		`{"companyIds":[1,2],"keyword":"\u0401"}`, "{\"name\":\"\xff\"}", `{"offset":1e3}`, `{"a":{"b":[1,{"c":null}]}}`,
	} {
		f.Add("", body)
	}
	f.Add("cursor=a", `{"offset":5}`)
	f.Add("limit=1&cursor=", `{"cursor":"b"}`)
	f.Fuzz(func(t *testing.T, raw, body string) {
		got, err := Search(Input{Query: raw, Post: true, Body: []byte(body)})
		checkDecoded(t, got, err)
	})
}

// checkDecoded holds what every decoded request is.
func checkDecoded(t *testing.T, r SearchRequest, err error) {
	t.Helper()
	if err != nil {
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 || len(faults) > maxFaults {
			t.Fatalf("error is %T: %q", err, err)
		}
		for _, fault := range faults {
			if fault.Message == "" {
				t.Errorf("fault of %q without a message", fault.Parameter)
			}
		}
		return
	}
	q := r.Query
	if q.Limit < 1 || q.Limit > search.MaxLimit || q.Offset < 0 || q.WithoutCount && q.WithoutItems {
		t.Errorf("limit %d, offset %d, without count %v, without items %v", q.Limit, q.Offset, q.WithoutCount, q.WithoutItems)
	}
	if len(q.Sort) == 0 || q.Sort[len(q.Sort)-1].Field != "id" {
		t.Errorf("order without tiebreaker: %v", q.Sort)
	}
	if r.Cursor != "" && (q.Offset != 0 || q.After != nil) {
		t.Error("a cursor and another start")
	}
	if q.After != nil {
		if err := search.CheckPosition(q.Sort, *q.After); err != nil {
			t.Error(err)
		}
	}
	if q.Fields == (session.FieldSet{}) {
		t.Error("no fields")
	}
	for _, id := range r.Selection.Companies {
		if !id.Valid() {
			t.Errorf("company %d", id)
		}
	}
}

// bodyOf says in a JSON body what a valid query string says.
func bodyOf(t *testing.T, raw string) []byte {
	t.Helper()
	// url.ParseQuery takes no semicolons.
	values, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	if err != nil {
		t.Fatal(err)
	}
	body := make(map[string]any)
	for _, p := range searchParams {
		texts, ok := values[p.name]
		if !ok {
			continue
		}
		v, err := p.parseTexts(texts)
		if err != nil {
			t.Fatal(err)
		}
		switch p.kind {
		case kindBool:
			body[p.name] = v.on
		case kindInt:
			body[p.name] = v.n
		case kindText, kindDate:
			body[p.name] = v.text
		case kindTexts:
			body[p.name] = v.texts
		case kindInts:
			body[p.name] = v.ints
		case kindZone:
			body[p.name] = v.zone
		case kindTop: // of summaries only
		}
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// texts are written into values: plain ones, and those that URLs and JSON have
// to escape.
var texts = rapid.SampledFrom([]string{"a", "Анна", "x y", "50%", "a&b=c", "+7 999", `"`, "\\", "é", "😀", "id", "-", "<"})

func TestGETAndPOSTOfTheSameSayTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values, body := url.Values{}, map[string]any{}
		for _, p := range searchParams {
			if rapid.IntRange(0, 3).Draw(t, p.name+" given") == 0 {
				drawParameter(t, p, values, body)
			}
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		byURL, errURL := Search(Input{Query: values.Encode()})
		byBody, errBody := Search(Input{Post: true, Body: encoded})
		if diff := cmp.Diff(hasFault(errURL), hasFault(errBody)); diff != "" {
			t.Fatalf("%s and %s have other faults:\n%s", values.Encode(), encoded, diff)
		}
		if diff := cmp.Diff(byURL, byBody, compareKeywords); diff != "" {
			t.Fatalf("%s and %s differ:\n%s", values.Encode(), encoded, diff)
		}
	})
}

// drawParameter gives the parameter one value, valid or not, in both forms.
func drawParameter(t *rapid.T, p param, values url.Values, body map[string]any) {
	numbers := rapid.Int64Range(p.min-1, p.max+1)
	switch p.kind {
	case kindBool:
		on := rapid.Bool().Draw(t, p.name)
		values.Set(p.name, map[bool]string{true: "1", false: "false"}[on])
		body[p.name] = on
	case kindInt:
		n := numbers.Draw(t, p.name)
		values.Set(p.name, strconv.FormatInt(n, 10))
		body[p.name] = n
	case kindInts:
		ints := rapid.SliceOfN(numbers, 1, 3).Draw(t, p.name)
		for _, n := range ints {
			values.Add(p.name, strconv.FormatInt(n, 10))
		}
		body[p.name] = ints
	case kindTop: // of summaries only
	case kindZone:
		if rapid.Bool().Draw(t, p.name+" by name") {
			name := rapid.SampledFrom([]string{"Europe/Berlin", "Asia/Kathmandu", "UTC", "Local", "localtime", "Europe/Atlantis", ""}).Draw(t, p.name)
			values.Set(p.name, name)
			body[p.name] = name
			return
		}
		n := numbers.Draw(t, p.name)
		values.Set(p.name, strconv.FormatInt(n, 10))
		body[p.name] = n
	case kindDate:
		text := rapid.SampledFrom([]string{"2018-05-27T21:30:54+00:00", "2018-05-27T21:30:54.1239Z", "2020-01-01", ""}).Draw(t, p.name)
		values.Set(p.name, text)
		body[p.name] = text
	case kindText:
		text := oneOf(p).Draw(t, p.name)
		values.Set(p.name, text)
		body[p.name] = text
	case kindTexts:
		list := rapid.SliceOfN(oneOf(p), 1, 3).Draw(t, p.name)
		values.Set(p.name, strings.Join(list, ","))
		body[p.name] = list
	}
}

func oneOf(p param) *rapid.Generator[string] {
	if p.enum == nil {
		return texts
	}
	return rapid.OneOf(rapid.SampledFrom(p.enum), texts)
}

// faulty names the parameters that have faults. How they are told may depend on
// how they were written.
func hasFault(err error) map[string]bool {
	names := make(map[string]bool)
	var faults Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			names[f.Parameter] = true
		}
	}
	return names
}
