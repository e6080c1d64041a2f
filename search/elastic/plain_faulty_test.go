package elastic

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// withFields returns a plain document of company 7 with the given members.
func withFields(id, members string) plainDocument {
	if members != "" {
		members = "," + members
	}
	return plainDocument{id, `{"id":"` + id + `","companyId":7` + members + `}`}
}

// oddSessions are documents with faulty values; each is still a session.
func oddSessions() []plainDocument {
	return []plainDocument{
		withFields("o01", `"messengerType":"MAX","createdAt":"2024-05-01T10:00:00+02:00","clientMessageCount":2`),
		withFields("o02", `"status":5,"clientId":12,"markedAsSpam":"true","clientBanned":"","operatorType":"ROBOT"`),
		withFields("o03", `"clientMessageCount":2.0,"botMessageCount":2e1,"operatorMessageCount":[[3],null],"messageCount":1`),
		{"o04", `{"id":["o04"],"companyId":[7.0],"name":["Ivanov"],"tags":["vip, new"],"startedAt":["2024-05-01T10:00:00.5Z"]}`},
		withFields("o05", `"rating":-0.0,"csi":1e400,"ttl":99999999999999999999,"timerNextAnswers":2.5,"fcr":"yes","price":"9"`),
		withFields("o06", `"operators":[{"id":"x","zz":{}}],"dialogResults":[1,{"a":2}],"operatorResults":"one","metrics":[1]`),
		withFields("o07", `"metrics":{"a":1e999,"b":{"c":[1]}},"lastMessage":"text","chatName":["a","b"],"companyName":{"a":1}`),
		withFields("o08", `"clientOnlineAt":"2024-05-01","transactionDate":20240501,"operatorAssignedAt":"2024-13-41T99:00:00.000Z"`),
		withFields("o09", "\"chatName\":\"a\xc0\xafb\",\"lastMessage\":{\"\xed\xa0\x80\":\"\xf5\x90\x80\x80\"},\"status\":\"OPEN\""),
		withFields("o10", `"chatName":"half \ud83d","lastMessage":{"\udc00":"\ud800"},"name":"\ud83d\ude00 whole"`),
		withFields("o11", `"name":"Petrov" /* " a comment } */ , "status":"OPEN"`),
		withFields("o12", "\"name\":\"Sidorov\" // \" another\n"),
		{"o13", `{"id":"o13","companyId":7,"status":"CLOSED"} // behind`},
		{"o14", "\uFEFF" + `{"id":"o14","companyId":7,"status":"CLOSED"}`},
		{"o15", utf16Text(`{"id":"o15","companyId":7,"name":"ж","status":"CLOSED"}`)},
		withFields("o16", `"createdAt":"0001-01-01T00:00:00Z","updatedAt":"9999-12-31T23:59:59.999999999+02:00","closedAt":"1969-12-31T23:59:59.9999Z"`),
		withFields("o17", `"clientMessageCount":9223372036854775807,"botMessageCount":7,"lastMessageCreatedAt":null`),
		withFields("o18", `"clientMessageCount":-3,"messageCount":44,"name":"\u0041\u0000B"`),
		withFields("o19", `"status":true,"operatorId":123456789012345678901234567890,"botStatus":[],"chatId":[null]`),
		{"o20", ` { "messengerType" : "WEB" , "i\u0064" : "o20" , "companyId" : 7 } `},
	}
}

func utf16Text(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// noSessions are documents that Elasticsearch accepts and that are unfit as
// sessions, by the fault.
func noSessions() map[string]plainDocument {
	return map[string]plainDocument{
		"two companies":              {"n01", `{"id":"n01","companyId":[7,8]}`},
		"one company twice":          {"n02", `{"id":"n02","companyId":[7,7]}`},
		"two channels":               withFields("n03", `"messengerType":["WEB","EMAIL"]`),
		"two statuses, deep":         withFields("n04", `"status":[["OPEN"],[["CLOSED"]]]`),
		"two dates":                  withFields("n05", `"createdAt":["2024-05-01T10:00:00Z","2024-05-02T10:00:00Z"]`),
		"two names":                  withFields("n06", `"name":["a","b"]`),
		"a list of tags":             withFields("n07", `"tags":["vip","new"]`),
		"two counts":                 withFields("n08", `"clientMessageCount":[1,2]`),
		"two ratings":                withFields("n09", `"rating":[1,2]`),
		"two sums":                   withFields("n10", `"messageCount":[1,2]`),
		"two scores":                 withFields("n32", `"nps":[1,2]`),
		"two truth values":           withFields("n11", `"clientBanned":[true,false]`),
		"no id":                      {"n12", `{"companyId":7}`},
		"a null for an id":           {"n13", `{"id":null,"companyId":7}`},
		"two ids":                    {"n14", `{"id":["n14","n15"],"companyId":7}`},
		"the id of another document": {"n16", `{"id":"good","companyId":7}`},
		"the id of a third":          {"n17", `{"id":"good","companyId":7}`},
		"a control character":        {"n18\u0085", `{"id":"n18\u0085","companyId":7}`},
		"no company":                 {"n19", `{"id":"n19"}`},
		"company 0":                  {"n20", `{"id":"n20","companyId":0}`},
		"a negative company":         {"n21", `{"id":"n21","companyId":-7}`},
		"half a character":           withFields("n22", `"name":"a\ud83d"`),
		"two halves, reversed":       withFields("n23", `"status":"\ude00\ud83d"`),
		"a date before the years":    withFields("n24", `"startedAt":"0001-01-01T00:00:00+02:00"`),
		"a date behind the years":    withFields("n25", `"startedAt":"9999-12-31T23:59:59-02:00"`),
		"a year 0":                   withFields("n26", `"startedAt":"0000-01-01T00:00:00Z"`),
		"a negative year":            withFields("n27", `"startedAt":"-0001-01-01T00:00:00Z"`),
		"a year of five digits":      withFields("n28", `"startedAt":"+12024-01-01T00:00:00Z"`),
		"a decimal for text":         withFields("n31", `"clientId":12.50`),
		"what a keyword looks into":  withFields("n29", `"keywords":"ivanov"`),
		"digits of a phone":          withFields("n30", `"phones":["79990000000"]`),
	}
}

// refusedDocuments are documents that the index refuses.
func refusedDocuments() map[string]plainDocument {
	docs := map[string]plainDocument{
		"a date without a time":       withFields("r01", `"createdAt":"2024-05-01"`),
		"a date without a zone":       withFields("r02", `"createdAt":"2024-05-01T10:00:00"`),
		"a year":                      withFields("r03", `"createdAt":"2024"`),
		"a year as a number":          withFields("r04", `"createdAt":2024`),
		"milliseconds":                withFields("r05", `"createdAt":1714550400000`),
		"a zone without a colon":      withFields("r06", `"createdAt":"2024-05-01T10:00:00+0200"`),
		"a zone of hours":             withFields("r07", `"createdAt":"2024-05-01T10:00:00+02"`),
		"a date without seconds":      withFields("r08", `"createdAt":"2024-05-01T10:00Z"`),
		"a date with small letters":   withFields("r09", `"createdAt":"2024-05-01t10:00:00z"`),
		"a day that is none":          withFields("r10", `"createdAt":"2024-02-30T10:00:00Z"`),
		"hour 24":                     withFields("r11", `"createdAt":"2024-02-01T24:00:00Z"`),
		"a leap second":               withFields("r12", `"createdAt":"2016-12-31T23:59:60Z"`),
		"an empty date":               withFields("r13", `"createdAt":""`),
		"text for a count":            withFields("r14", `"clientMessageCount":"2"`),
		"a fraction for a count":      withFields("r15", `"clientMessageCount":2.5`),
		"text for a sum":              withFields("r16", `"messageCount":"2"`),
		"text for a rating":           withFields("r17", `"rating":"4"`),
		"a rating that is too large":  withFields("r18", `"rating":1e400`),
		"an object for text":          withFields("r19", `"name":{"a":1}`),
		"a number for a flag":         withFields("r20", `"clientBanned":1`),
		"a fraction for a score":      withFields("r25", `"nps":2.5`),
		"a number for what is lost":   withFields("r26", `"isLostSession":1`),
		"an unknown field":            withFields("r21", `"zz":1`),
		"UTF-16 with a mark":          {"r22", utf16Text("\uFEFF" + `{"id":"r22","companyId":7}`)},
		"text for a company":          {"r23", `{"id":"r23","companyId":"7"}`},
		"a company that is too large": {"r24", `{"id":"r24","companyId":2147483648}`},
	}
	for i, field := range []string{sumField, ratingField, faultsField} {
		id := fmt.Sprintf("r%d", 30+i)
		docs["the computed "+field] = withFields(id, `"`+field+`":1`)
	}
	return docs
}

// withOddDocuments opens a store with all of these and one valid imported session.
func withOddDocuments(tb testing.TB) *Store {
	tb.Helper()
	s := openStore(tb, conformanceShards)
	write(tb, s, newSession(tb, "good", 7, values{"name": "Good", "status": "OPEN", "createdAt": "2024-05-01T10:00:00.000Z"}))
	mustWritePlain(tb, s, oddSessions()...)
	for what, doc := range noSessions() {
		if status := putPlain(tb, s, doc, ""); status != http.StatusCreated {
			tb.Errorf("%s: status %d: not what this test is about", what, status)
		}
	}
	for _, routing := range []string{"a", "b", "c", "d"} { // on several shards
		if status := putPlain(tb, s, withFields("n40", ""), "?routing="+routing); status >= http.StatusBadRequest {
			tb.Errorf("with a routing: status %d", status)
		}
	}
	for what, doc := range refusedDocuments() {
		if status := putPlain(tb, s, doc, ""); status != http.StatusBadRequest {
			tb.Errorf("%s: status %d, want 400", what, status)
		}
	}
	refreshPlain(tb, s)
	return s
}

func TestDocumentsThatAreNoSessionsAreInNoAnswer(t *testing.T) {
	s := withOddDocuments(t)
	want := []string{"good"}
	for _, doc := range oddSessions() {
		want = append(want, doc.id)
	}
	scope := tenancytest.Scope(t, 7, 8)
	count := func(f search.Filter) int64 {
		t.Helper()
		result, err := s.Search(t.Context(), scope, search.Query{Filter: f, WithoutItems: true})
		if err != nil {
			t.Fatal(err)
		}
		summary, err := search.GuardSummaries(s).Summarize(t.Context(), scope, search.SummaryQuery{Filter: f})
		if err != nil || summary.Count != result.Count.Total {
			t.Errorf("summary of %d, error %v, of %d", summary.Count, err, result.Count.Total)
		}
		return result.Count.Total
	}
	if n := count(search.Filter{}); n != int64(len(want)) {
		t.Errorf("%d sessions, want %d", n, len(want))
	}
	for _, doc := range noSessions() {
		if n := count(search.Filter{SessionID: doc.id}); n != 0 {
			t.Errorf("document %q is found", doc.id)
		}
	}
	// The second keyword is in a value that is not a field of a session; the first
	// one is there too.
	for word, sessions := range map[string]int64{"ivanov": 1, "79990000000": 0} {
		if n := count(search.Filter{Keyword: mustKeyword(t, word)}); n != sessions {
			t.Errorf("%s: %d sessions, want %d", word, n, sessions)
		}
	}
	for _, field := range session.Fields() {
		if field.SortName == "" {
			continue
		}
		for _, desc := range []bool{false, true} {
			q := everything()
			q.Sort, q.Limit = []search.SortKey{{Field: field.Name, Desc: desc}}, 4
			pages := walked(t, s, q, 7, 8)
			if diff := cmp.Diff(pages, idsOf(t, exported(t, s, search.Query{Sort: q.Sort, Fields: session.AllFields()}, 7, 8))); diff != "" {
				t.Errorf("by %s: (-pages +exported)\n%s", field.Name, diff)
			}
			slices.Sort(pages)
			if diff := cmp.Diff(want, pages); diff != "" {
				t.Errorf("by %s (-want +got):\n%s", field.Name, diff)
			}
		}
	}
	if rows := exported(t, s, whole(), 8); len(rows) != 0 {
		t.Errorf("company 8 has %d rows", len(rows))
	}
}

// The value that a row shows is the value by which the index orders and finds it,
// and clients can read it.
func TestRowsOfFaultyValuesShowWhatTheIndexKnows(t *testing.T) {
	s := withOddDocuments(t)
	scope := tenancytest.Scope(t, 7)
	for _, field := range session.Fields() {
		if field.SortName == "" {
			continue
		}
		q := everything()
		q.Sort, q.Limit = []search.SortKey{{Field: field.Name}}, 100
		result, err := s.Search(t.Context(), scope, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range result.Page.Rows {
			if !utf8.Valid(row.JSON) {
				t.Fatalf("no UTF-8: %q", row.JSON)
			}
			var shown api.Session
			if err := json.Unmarshal(row.JSON, &shown); err != nil {
				t.Fatalf("%v: %s", err, row.JSON)
			}
			var item map[string]json.RawMessage
			if err := json.Unmarshal(row.JSON, &item); err != nil {
				t.Fatal(err)
			}
			want := canonicalOf(t, field, item[field.Name])
			if got := string(row.Position.Values[0]); got != want {
				t.Errorf("%s: %s is shown as %s and ordered as %s", item["id"], field.Name, want, got)
			}
			checkFound(t, s, scope, field.Name, item)
		}
	}
}

// canonicalOf returns the sort value of a shown value.
func canonicalOf(tb testing.TB, field session.Field, shown json.RawMessage) string {
	tb.Helper()
	if string(shown) == "null" {
		return "null"
	}
	text := string(shown)
	if shown[0] == '"' {
		if err := json.Unmarshal(shown, &text); err != nil {
			tb.Fatal(err)
		}
	}
	value, err := search.ParseSortValue(field, text)
	if err != nil {
		tb.Fatal(err)
	}
	return string(value)
}

// checkFound searches for the row by the value that it shows.
func checkFound(tb testing.TB, s *Store, scope tenancy.Scope, field string, item map[string]json.RawMessage) {
	tb.Helper()
	var id, text string
	if err := json.Unmarshal(item["id"], &id); err != nil {
		tb.Fatal(err)
	}
	f := search.Filter{SessionID: id}
	isText := json.Unmarshal(item[field], &text) == nil && item[field][0] == '"'
	switch {
	case field == "messageCount":
		var n int64
		if err := json.Unmarshal(item[field], &n); err != nil {
			tb.Fatal(err)
		}
		if f.MinMessageCount = n; n < 1 {
			return
		}
	case !isText:
		return
	case field == "name":
		f.Name = text
	case field == "status":
		f.Status = []string{text}
	case field == "messengerType":
		f.MessengerTypes = []string{text}
	case field == "operatorId":
		f.OperatorIDs = []string{text}
	default:
		return
	}
	result, err := s.Search(tb.Context(), scope, search.Query{Filter: f, WithoutItems: true})
	if err != nil || result.Count.Total != 1 {
		tb.Errorf("%s by its %s %s: %d found, error %v", id, field, item[field], result.Count.Total, err)
	}
}

func TestFaultyValuesAreShownAsFarAsTheyGo(t *testing.T) {
	s := withOddDocuments(t)
	shown := map[string]map[string]any{}
	for _, doc := range oddSessions() {
		q := everything()
		q.Filter.SessionID = doc.id
		result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), q)
		if err != nil || len(result.Page.Rows) != 1 {
			t.Fatalf("%s: %d rows, error %v", doc.id, len(result.Page.Rows), err)
		}
		shown[doc.id] = itemOf(t, result.Page.Rows[0])
	}
	for id, want := range map[string]map[string]any{
		"o01": {"messengerType": "MAX", "createdAt": "2024-05-01T08:00:00.000Z", "operatorMessageCount": 0.0, "messageCount": 2.0},
		"o02": {"status": "5", "markedAsSpam": true, "clientBanned": false, "operatorType": "ROBOT"},
		"o03": {"clientMessageCount": 2.0, "botMessageCount": 20.0, "operatorMessageCount": 3.0, "messageCount": 25.0},
		"o04": {"companyId": 7.0, "name": "Ivanov", "tags": "vip, new", "startedAt": "2024-05-01T10:00:00.500Z"},
		"o05": {"csi": nil, "ttl": nil, "nps": nil, "fcr": nil, "price": nil},
		"o06": {"dialogResults": nil, "operatorResults": []any{"one"}, "metrics": nil},
		"o07": {"metrics": nil, "lastMessage": nil, "chatName": nil, "companyName": nil},
		"o08": {"clientOnlineAt": nil, "transactionDate": nil, "operatorAssignedAt": nil},
		"o09": {"status": "OPEN"},
		"o10": {"chatName": "half \uFFFD", "name": "😀 whole"},
		"o11": {"name": "Petrov", "status": "OPEN"},
		"o12": {"name": "Sidorov"},
		"o13": {"status": "CLOSED"},
		"o14": {"status": "CLOSED"},
		"o15": {"name": "ж", "status": "CLOSED"},
		"o16": {"createdAt": "0001-01-01T00:00:00.000Z", "updatedAt": "9999-12-31T21:59:59.999Z", "closedAt": "1969-12-31T23:59:59.999Z"},
		"o17": {"messageCount": float64(1 << 63)},
		"o18": {"clientMessageCount": -3.0, "messageCount": -3.0},
		"o19": {"status": "true", "operatorId": "123456789012345678901234567890", "botStatus": nil, "chatId": nil},
		"o20": {"messengerType": "WEB"},
	} {
		got := map[string]any{}
		for name := range want {
			got[name] = shown[id][name]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if strings.Contains(fmt.Sprint(shown), `\ud8`) {
		t.Error("a half of a character is shown")
	}
}

// An import that overwrites or deletes an unfit document finds the companies that
// it may have belonged to.
func TestAnImportOverADocumentThatIsNoSessionReportsItsCompanies(t *testing.T) {
	s := withOddDocuments(t)
	var reported []tenancy.CompanyID
	importer := s.NotifyingImporter(func(companies []tenancy.CompanyID) { reported = append(reported, companies...) })
	changes := append(upserts(newSession(t, "n01", 9, nil), newSession(t, "o04", 9, nil), newSession(t, "o11", 9, nil)), gone("n19"), gone("n13"))
	if _, err := importer.Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	slices.Sort(reported)
	if diff := cmp.Diff([]tenancy.CompanyID{7, 8, 9}, reported); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if err := importer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := idsOf(t, exported(t, s, whole(), 9)); !slices.Equal(got, []string{"n01", "o04", "o11"}) {
		t.Errorf("company 9 has %v", got)
	}
}

func TestDocumentsThatAreNoSessionsAreCountedAndNamed(t *testing.T) {
	t.Parallel()
	s := withOddDocuments(t)
	found, err := s.Faulty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const withRouting = 4
	if want := int64(len(noSessions()) + withRouting); found.Count > want || found.Count < want-withRouting+1 {
		t.Errorf("%d documents, want %d or somewhat fewer", found.Count, want) // two may be in one shard
	}
	if len(found.Some) == 0 {
		t.Error("none is named")
	}
	for _, doc := range found.Some {
		if doc.ID == "" || len(doc.Fields) == 0 {
			t.Errorf("%+v", doc)
		}
	}
	none := openStore(t, 1)
	write(t, none, newSession(t, "a", 7, nil))
	if found, err := none.Faulty(t.Context()); err != nil || found.Count != 0 {
		t.Errorf("%d of an import, error %v", found.Count, err)
	}
}
