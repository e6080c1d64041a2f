package params

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

func TestSearchBodyIsDecoded(t *testing.T) {
	no := false
	night := at("2018-05-27T21:30:54Z")
	tests := map[string]struct {
		body string
		want SearchRequest
	}{
		"empty object is the default": {`{}`, request(nil)},
		"white space around it":       {" {}\r\n", request(nil)},
		"null is absent":              {`{"limit": null, "sort": null, "markedAsSpam": null, "group": null, "zip": null}`, request(nil)},
		"null does not conflict":      {`{"page": 1, "offset": null}`, query(func(q *search.Query) { q.Offset = 10 })},
		"booleans":                    {`{"withoutCount": true, "withoutItems": false}`, query(func(q *search.Query) { q.WithoutCount = true })},
		"numbers":                     {`{"limit": 5, "page": 2}`, query(func(q *search.Query) { q.Limit, q.Offset = 5, 10 })},
		"negative number":             {`{"timezone": -60}`, request(func(r *SearchRequest) { r.File.Zone.Minutes = -60 })},
		"texts":                       {`{"keyword": "Анна", "sessionId": "a,b"}`, filter(func(f *search.Filter) { f.Keyword, f.SessionID = mustKeyword(t, "Анна"), "a,b" })},
		"escapes":                     {`{"name": "\u0401\u0436 \ud83d\ude00\n"}`, filter(func(f *search.Filter) { f.Name = "Ёж 😀\n" })},
		"lists":                       {`{"fields": ["name", "id"]}`, query(func(q *search.Query) { q.Fields = fields("id", "name") })},
		"entries are not split":       {`{"status": ["a,b", " c "]}`, filter(func(f *search.Filter) { f.Status = []string{"a,b", " c "} })},
		"sort":                        {`{"sort": ["-messageCount", "+name"]}`, sorted("-messageCount", "name")},
		"company ids":                 {`{"companyIds": [3, 1], "showAllSupervised": true}`, selection(true, 3, 1)},
		"dates":                       {`{"from": "2018-05-27T21:30:54+00:00"}`, filter(func(f *search.Filter) { f.From = night })},
		"false is a filter":           {`{"clientBanned": false}`, filter(func(f *search.Filter) { f.ClientBanned = &no })},
		"cursor":                      {`{"cursor": "abc"}`, request(func(r *SearchRequest) { r.Cursor = "abc" })},
		"start after a value":         {`{"offsetField": "started_at", "offsetValue": "1527456654000"}`, query(func(q *search.Query) { q.After = after("1527456654000") })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Search(Input{Post: true, Body: []byte(test.body)})
			if err != nil {
				t.Fatalf("%v: %q", err, err)
			}
			if diff := cmp.Diff(test.want, got, compareKeywords); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSearchBodyIsRefused(t *testing.T) {
	tests := map[string]struct {
		body      string
		parameter string
		message   string // part of it
	}{
		"nothing":                    {``, "body", "must be a JSON object"},
		"null":                       {`null`, "body", "must be a JSON object"},
		"array":                      {`[{}]`, "body", "must be a JSON object"},
		"text":                       {`"{}"`, "body", "must be a JSON object"},
		"half an object":             {`{"limit": 5`, "body", "not valid JSON"},
		"broken within a parameter":  {`{"tags": ["a", }`, "tags", "not valid JSON"},
		"two objects":                {`{} {}`, "body", "nothing after it"},
		"trailing comma":             {`{"limit": 5,}`, "body", "not valid JSON"},
		"byte order mark":            {"\uFEFF{}", "body", "must be a JSON object"},
		"key twice":                  {`{"limit": 5, "limit": 5}`, "limit", "more than once"},
		"key twice, once null":       {`{"limit": null, "limit": 5}`, "limit", "more than once"},
		"key twice, once escaped":    {`{"limit": 5, "l\u0069mit": 5}`, "limit", "more than once"},
		"unknown key":                {`{"colour": 1}`, "colour", "is not a parameter"},
		"unknown key that is null":   {`{"colour": null}`, "colour", "is not a parameter"},
		"key of another case":        {`{"Limit": 5}`, "Limit", "did you mean limit?"},
		"boolean in quotes":          {`{"zip": "false"}`, "zip", "must be true or false"},
		"boolean as number":          {`{"withoutCount": 1}`, "withoutCount", "must be true or false"},
		"number in quotes":           {`{"limit": "5"}`, "limit", "must be a whole number"},
		"number with a fraction":     {`{"limit": 5.0}`, "limit", "must be a whole number"},
		"number with an exponent":    {`{"limit": 1e1}`, "limit", "must be a whole number"},
		"number beyond 64 bits":      {`{"offset": 99999999999999999999}`, "offset", "must be from 0"},
		"text as number":             {`{"sessionId": 5}`, "sessionId", "must be a JSON string"},
		"text empty":                 {`{"sessionId": ""}`, "sessionId", "has no value"},
		"date empty":                 {`{"from": ""}`, "from", "has no value"},
		"text with NUL":              {`{"name": "a\u0000"}`, "name", "NUL"},
		"entry with NUL":             {`{"tags": ["ok", "a\u0000"]}`, "tags", "entry 2 has a NUL"},
		"text of invalid UTF-8":      {"{\"name\": \"\xff\"}", "name", "not valid JSON in UTF-8"},
		"text of half a surrogate":   {`{"name": "\ud83d"}`, "name", "not valid JSON in UTF-8"},
		"list as text":               {`{"sort": "-name"}`, "sort", "must be a JSON array"},
		"list as object":             {`{"fields": {}}`, "fields", "must be a JSON array"},
		"list empty":                 {`{"fields": []}`, "fields", "is empty"},
		"list with null":             {`{"tags": [null]}`, "tags", "entry 1 must be a JSON string"},
		"list with an empty entry":   {`{"status": [""]}`, "status", "1 to 1000 characters"},
		"list of another type":       {`{"companyIds": ["1"]}`, "companyIds", "entry 1 must be a whole number"},
		"tag with a comma":           {`{"tags": ["a,b"]}`, "tags", "entry of its own"},
		"unknown fields":             {`{"fields": ["naem", "id"]}`, "fields", `"naem" (did you mean name?)`},
		"limit zero":                 {`{"limit": 0}`, "limit", "must be from 1 to 1000"},
		"page with offset":           {`{"page": 1, "offset": 0}`, "page", "cannot go with offset"},
		"companyId with companyIds":  {`{"companyId": 1, "companyIds": [2]}`, "companyIds", "cannot go with companyId"},
		"keyword of 257 characters":  {`{"keyword": "` + strings.Repeat("я", 257) + `"}`, "keyword", "1 to 256"},
		"object deeper than allowed": {`{"tags": ` + strings.Repeat("[", 20_000), "tags", "not valid JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Search(Input{Post: true, Body: []byte(test.body)})
			wantFault(t, err, test.parameter, test.message)
		})
	}
}

func TestFaultsBeforeASyntaxErrorOfTheBodyAreListedToo(t *testing.T) {
	_, err := Search(Input{Post: true, Body: []byte(`{"limit": 0, "colour": 1, "name": x}`)})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Parameter)
	}
	if diff := cmp.Diff([]string{"limit", "colour", "name"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCursorOfTheURLTakesThePlaceOfWhereTheBodyStarted(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":     `{"companyId": 1}`,
		"offset":      `{"companyId": 1, "offset": 30}`,
		"page":        `{"companyId": 1, "page": 3}`,
		"cursor":      `{"companyId": 1, "cursor": "old"}`,
		"offsetField": `{"companyId": 1, "offsetField": "started_at", "offsetValue": "1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Search(Input{Query: "cursor=new", Post: true, Body: []byte(body)})
			if err != nil {
				t.Fatalf("%v: %q", err, err)
			}
			want := request(func(r *SearchRequest) {
				r.Cursor, r.Selection.Companies = "new", []tenancy.CompanyID{1}
			})
			if diff := cmp.Diff(want, got, compareKeywords); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestURLOfAPostTakesTheCursorOnly(t *testing.T) {
	_, err := Search(Input{Query: "limit=5", Post: true, Body: []byte(`{}`)})
	wantFault(t, err, "limit", "goes into the body")
	_, err = Search(Input{Query: "cursor=a&cursor=a", Post: true, Body: []byte(`{}`)})
	wantFault(t, err, "cursor", "more than once")
	_, err = Search(Input{Query: "cursr=a", Post: true, Body: []byte(`{}`)})
	wantFault(t, err, "cursr", "did you mean cursor?")
	_, err = Search(Input{Query: "cursor=", Post: true, Body: []byte(`{}`)})
	wantFault(t, err, "cursor", "has no value")
}
