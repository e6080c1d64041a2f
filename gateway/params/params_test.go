package params

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

var compareKeywords = cmp.Comparer(func(a, b keyword.Keyword) bool { return a == b })

// request is the default request with a change.
func request(change func(r *SearchRequest)) SearchRequest {
	r := SearchRequest{
		Query: search.Query{
			Filter: search.Filter{DateField: search.CreatedAt},
			Sort:   search.DefaultSort(),
			Fields: session.AllFields(),
			Limit:  search.DefaultLimit,
		},
		File: File{Format: export.JSON},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func query(change func(q *search.Query)) SearchRequest {
	return request(func(r *SearchRequest) { change(&r.Query) })
}

func filter(change func(f *search.Filter)) SearchRequest {
	return request(func(r *SearchRequest) { change(&r.Query.Filter) })
}

func fields(names ...string) session.FieldSet {
	var set session.FieldSet
	for _, name := range names {
		i, _, ok := session.FieldByName(name)
		if !ok {
			panic("no field " + name)
		}
		set = set.With(i)
	}
	return set
}

func mustKeyword(tb testing.TB, text string) keyword.Keyword {
	tb.Helper()
	k, err := keyword.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func after(value string) *search.Position {
	return &search.Position{Values: []json.RawMessage{json.RawMessage(value)}}
}

func TestSearchQueryIsDecoded(t *testing.T) {
	yes, no := true, false
	night := at("2018-05-27T21:30:54Z")
	tests := map[string]struct {
		query string
		want  SearchRequest
	}{
		"no query is the default":             {"", request(nil)},
		"stray ampersands mean nothing":       {"&&", request(nil)},
		"withoutCount true":                   {"withoutCount=true", query(func(q *search.Query) { q.WithoutCount = true })},
		"withoutCount 1":                      {"withoutCount=1", query(func(q *search.Query) { q.WithoutCount = true })},
		"withoutItems 1, withoutCount 0":      {"withoutItems=1&withoutCount=0", query(func(q *search.Query) { q.WithoutItems = true })},
		"least limit":                         {"limit=1", query(func(q *search.Query) { q.Limit = 1 })},
		"largest limit":                       {"limit=1000", query(func(q *search.Query) { q.Limit = 1000 })},
		"offset far beyond ten thousand":      {"offset=123456789", query(func(q *search.Query) { q.Offset = 123456789 })},
		"page times limit":                    {"limit=1&page=3", query(func(q *search.Query) { q.Limit, q.Offset = 1, 3 })},
		"page before limit":                   {"page=2&limit=25", query(func(q *search.Query) { q.Limit, q.Offset = 25, 50 })},
		"page with the default limit":         {"page=2", query(func(q *search.Query) { q.Offset = 20 })},
		"page zero":                           {"page=0", request(nil)},
		"cursor":                              {"cursor=abc_-", request(func(r *SearchRequest) { r.Cursor = "abc_-" })},
		"fields with a raw space":             {"fields=id, name", query(func(q *search.Query) { q.Fields = fields("id", "name") })},
		"fields with encoded commas":          {"fields=id%2Cname%20%2C+tags", query(func(q *search.Query) { q.Fields = fields("id", "name", "tags") })},
		"fields repeated":                     {"fields=name&fields=id,tags", query(func(q *search.Query) { q.Fields = fields("id", "name", "tags") })},
		"a field twice":                       {"fields=id,id", query(func(q *search.Query) { q.Fields = fields("id") })},
		"sort ascending by default":           {"sort=name", sorted("name")},
		"sort with an encoded plus":           {"sort=%2Bname", sorted("name")},
		"sort with a raw plus":                {"sort=+name", sorted("name")},
		"sort descending":                     {"sort=-name", sorted("-name")},
		"sort list with raw pluses":           {"sort=-messageCount,+name", sorted("-messageCount", "name")},
		"sort list with a space before minus": {"sort=name, -rating", sorted("name", "-rating")},
		"sort repeated":                       {"sort=name&sort=-rating", sorted("name", "-rating")},
		"sort by started_at":                  {"sort=started_at", sorted("startedAt")},
		"sort by startedAt":                   {"sort=-startedAt", sorted("-startedAt")},
		"sort by id has one tiebreaker":       {"sort=-id", query(func(q *search.Query) { q.Sort = []search.SortKey{{Field: "id", Desc: true}} })},
		"what follows id has no effect":       {"sort=id,name", query(func(q *search.Query) { q.Sort = []search.SortKey{{Field: "id"}} })},
		"from with a raw plus":                {"from=2018-05-27T21:30:54+00:00", filter(func(f *search.Filter) { f.From = night })},
		"from with an encoded plus":           {"from=2018-05-27T21:30:54%2B00:00", filter(func(f *search.Filter) { f.From = night })},
		"from in another zone":                {"from=2018-05-28T00:30:54+03:00", filter(func(f *search.Filter) { f.From = night })},
		"from west of Greenwich":              {"from=2018-05-27T16:30:54-05:00", filter(func(f *search.Filter) { f.From = night })},
		"lower-case t and z":                  {"from=2018-05-27t21:30:54z", filter(func(f *search.Filter) { f.From = night })},
		"from rounds up":                      {"from=2018-05-27T21:30:54.0000001Z", filter(func(f *search.Filter) { f.From = at("2018-05-27T21:30:54.001Z") })},
		"from rounds up before 1970":          {"from=1969-12-31T23:59:59.9995Z", filter(func(f *search.Filter) { f.From = at("1970-01-01T00:00:00Z") })},
		"to rounds down":                      {"to=2018-05-27T21:30:54.9999Z", filter(func(f *search.Filter) { f.To = at("2018-05-27T21:30:54.999Z") })},
		"to rounds down before 1970":          {"to=1969-12-31T23:59:59.9995Z", filter(func(f *search.Filter) { f.To = at("1969-12-31T23:59:59.999Z") })},
		"from equal to to":                    {"from=2018-05-27T21:30:54Z&to=2018-05-27T21:30:54Z", filter(func(f *search.Filter) { f.From, f.To = night, night })},
		"dateField createdAt":                 {"dateField=createdAt", request(nil)},
		"dateField updatedAt":                 {"dateField=updatedAt", filter(func(f *search.Filter) { f.DateField = search.UpdatedAt })},
		"sessionId":                           {"sessionId=S-1", filter(func(f *search.Filter) { f.SessionID = "S-1" })},
		"chatId keeps its spaces":             {"chatId=+c%20", filter(func(f *search.Filter) { f.ChatID = " c " })},
		"messengerType list":                  {"messengerType=WEB,%20SMS", filter(func(f *search.Filter) { f.MessengerTypes = []string{"WEB", "SMS"} })},
		"messengerType repeated":              {"messengerType=WEB&messengerType=SMS", filter(func(f *search.Filter) { f.MessengerTypes = []string{"WEB", "SMS"} })},
		"minMessageCount":                     {"minMessageCount=3", filter(func(f *search.Filter) { f.MinMessageCount = 3 })},
		"onlyClientMessages":                  {"onlyClientMessages=true", filter(func(f *search.Filter) { f.OnlyClientMessages = true })},
		"onlyClientMessages false":            {"onlyClientMessages=false", request(nil)},
		"keyword":                             {"keyword=Anna+K", filter(func(f *search.Filter) { f.Keyword = mustKeyword(t, "Anna K") })},
		"keyword of syntax":                   {"keyword=%2A%22a%3Db%5C%2F", filter(func(f *search.Filter) { f.Keyword = mustKeyword(t, `*"a=b\/`) })},
		"keyword with = and ; as they are":    {"keyword=a=b;c", filter(func(f *search.Filter) { f.Keyword = mustKeyword(t, "a=b;c") })},
		"keyword of 256 characters":           {"keyword=" + url.QueryEscape(strings.Repeat("я", 256)), filter(func(f *search.Filter) { f.Keyword = mustKeyword(t, strings.Repeat("я", 256)) })},
		"operatorType":                        {"operatorType=NONE", filter(func(f *search.Filter) { f.OperatorTypes = []string{"NONE"} })},
		"operatorType list":                   {"operatorType=BOT,NONE&operatorType=OPERATOR", filter(func(f *search.Filter) { f.OperatorTypes = []string{"BOT", "NONE", "OPERATOR"} })},
		"messengerTypeNot":                    {"messengerTypeNot=WEB,SMS", filter(func(f *search.Filter) { f.MessengerTypesNot = []string{"WEB", "SMS"} })},
		"statusNot beside status":             {"status=a&statusNot=b,c", filter(func(f *search.Filter) { f.Status, f.StatusNot = []string{"a"}, []string{"b", "c"} })},
		"operatorIdNot":                       {"operatorIdNot=7", filter(func(f *search.Filter) { f.OperatorIDsNot = []string{"7"} })},
		"tagsNot is trimmed":                  {"tagsNot=vip,+new+client+", filter(func(f *search.Filter) { f.TagsNot = []string{"vip", "new client"} })},
		"closed":                              {"closed=1", filter(func(f *search.Filter) { f.Closed = &yes })},
		"closed false is a filter":            {"closed=false", filter(func(f *search.Filter) { f.Closed = &no })},
		"isLostSession":                       {"isLostSession=true", filter(func(f *search.Filter) { f.IsLostSession = &yes })},
		"hasUnread false is a filter":         {"hasUnread=false", filter(func(f *search.Filter) { f.HasUnread = &no })},
		"clientId keeps its spaces":           {"clientId=+a,b%20", filter(func(f *search.Filter) { f.ClientID = " a,b " })},
		"NPS of a range":                      {"npsMin=0&npsMax=8.5", filter(func(f *search.Filter) { f.NPSMin, f.NPSMax = number(0), number(8.5) })},
		"timerFirstAnswerMin":                 {"timerFirstAnswerMin=60", filter(func(f *search.Filter) { f.TimerFirstAnswerMin = number(60) })},
		"rating of a range":                   {"ratingMin=-0.5&ratingMax=4.50", filter(func(f *search.Filter) { f.RatingMin, f.RatingMax = number(-0.5), number(4.5) })},
		"rating with an exponent":             {"ratingMin=1e-1", filter(func(f *search.Filter) { f.RatingMin = number(0.1) })},
		"rating of one value":                 {"ratingMin=3&ratingMax=3", filter(func(f *search.Filter) { f.RatingMin, f.RatingMax = number(3), number(3) })},
		"rating of minus zero":                {"ratingMax=-0", filter(func(f *search.Filter) { f.RatingMax = number(0) })},
		"dateField startedAt":                 {"dateField=startedAt", filter(func(f *search.Filter) { f.DateField = search.StartedAt })},
		"dateField closedAt":                  {"dateField=closedAt", filter(func(f *search.Filter) { f.DateField = search.ClosedAt })},
		"dateField lastMessageCreatedAt":      {"dateField=lastMessageCreatedAt", filter(func(f *search.Filter) { f.DateField = search.LastMessageCreatedAt })},
		"companyId":                           {"companyId=2147483647", selection(false, tenancy.MaxCompanyID)},
		"companyIds list":                     {"companyIds=1,2&companyIds=3", selection(false, 1, 2, 3)},
		"branchIds with companyIds": {"branchIds=7,8&companyIds=1", request(func(r *SearchRequest) {
			r.Selection = tenancy.Selection{Companies: []tenancy.CompanyID{1}, Branches: []tenancy.CompanyID{7, 8}}
		})},
		"branchIds without showAllSupervised": {"branchIds=7&showAllSupervised=false", request(func(r *SearchRequest) {
			r.Selection.Branches = []tenancy.CompanyID{7}
		})},
		"exceptions": {"exceptCompanyIds=1&exceptBranchIds=2,3&companyId=4&showAllSupervised=true", request(func(r *SearchRequest) {
			r.Selection = tenancy.Selection{
				Companies: []tenancy.CompanyID{4}, ShowAllSupervised: true,
				ExceptCompanies: []tenancy.CompanyID{1}, ExceptBranches: []tenancy.CompanyID{2, 3},
			}
		})},
		"showAllSupervised":                 {"showAllSupervised=1", selection(true)},
		"showAllSupervised below a company": {"showAllSupervised=true&companyId=7", selection(true, 7)},
		"format JSON":                       {"format=JSON", request(nil)},
		"zip false":                         {"zip=false", request(nil)},
		"form of the file": {"format=CSV_EXCEL&filename=a%2Fb&zip=1&timezone=-840", request(func(r *SearchRequest) {
			r.File = File{Format: export.CSVExcel, Name: "a/b", Zip: true, Zone: search.Zone{Minutes: -840}}
		})},
		"count alone as JSON": {"format=JSON&filename=a&withoutItems=true", request(func(r *SearchRequest) {
			r.Query.WithoutItems, r.File.Name = true, "a"
		})},
		"labels": {"format=XLSX&header=labels", request(func(r *SearchRequest) {
			r.File.Format, r.File.Labels = export.XLSX, session.English
		})},
		"labels in a language with a region": {"language=RU-ru&format=CSV_EXCEL&header=labels", request(func(r *SearchRequest) {
			r.File.Format, r.File.Labels = export.CSVExcel, session.Russian
		})},
		"names in any language":          {"language=de&header=names", request(nil)},
		"language has no effect":         {"language=RU", request(nil)},
		"empty language has no effect":   {"language=", request(nil)},
		"status list":                    {"status=OPEN, CLOSED", filter(func(f *search.Filter) { f.Status = []string{"OPEN", "CLOSED"} })},
		"botStatus is no list":           {"botStatus=a,b", filter(func(f *search.Filter) { f.BotStatus = "a,b" })},
		"operatorId list":                {"operatorId=1&operatorId=x", filter(func(f *search.Filter) { f.OperatorIDs = []string{"1", "x"} })},
		"name":                           {"name=%D0%81%D0%B6", filter(func(f *search.Filter) { f.Name = "Ёж" })},
		"tags":                           {"tags=vip, new client", filter(func(f *search.Filter) { f.Tags = []string{"vip", "new client"} })},
		"markedAsSpam":                   {"markedAsSpam=true", filter(func(f *search.Filter) { f.MarkedAsSpam = &yes })},
		"markedAsSpam false is a filter": {"markedAsSpam=0", filter(func(f *search.Filter) { f.MarkedAsSpam = &no })},
		"clientBanned false is a filter": {"clientBanned=false", filter(func(f *search.Filter) { f.ClientBanned = &no })},
		"groupByClientId false":          {"groupByClientId=false", request(nil)},
		"groupByClientId":                {"groupByClientId=true", query(func(q *search.Query) { q.NewestOfClient = true })},
		"start after a date": {"offsetField=started_at&offsetValue=2018-05-27T21:30:54Z",
			query(func(q *search.Query) { q.After = after("1527456654000") })},
		"start after a date with a raw plus": {"offsetField=startedAt&offsetValue=2018-05-27T21:30:54+00:00",
			query(func(q *search.Query) { q.After = after("1527456654000") })},
		"start after a name, with an offset": {"sort=name&offsetField=name&offsetValue=Anna&offset=5",
			request(func(r *SearchRequest) { *r = sorted("name"); r.Query.After, r.Query.Offset = after(`"anna"`), 5 })},
		"start after an id": {"sort=id&offsetField=id&offsetValue=Ab",
			query(func(q *search.Query) { q.Sort, q.After = []search.SortKey{{Field: "id"}}, after(`"Ab"`) })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Search(Input{Query: test.query})
			if err != nil {
				t.Fatalf("%v: %q", err, err)
			}
			if diff := cmp.Diff(test.want, got, compareKeywords); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// sorted is the default request in the order of the catalogue fields, "-"
// before those that descend.
func sorted(names ...string) SearchRequest {
	var keys []search.SortKey
	for _, name := range names {
		field, desc := strings.CutPrefix(name, "-")
		keys = append(keys, search.SortKey{Field: field, Desc: desc})
	}
	keys = append(keys, search.SortKey{Field: "id"})
	return query(func(q *search.Query) { q.Sort = keys })
}

func selection(all bool, ids ...tenancy.CompanyID) SearchRequest {
	return request(func(r *SearchRequest) {
		r.Selection = tenancy.Selection{Companies: ids, ShowAllSupervised: all}
	})
}

func TestSearchQueryIsRefused(t *testing.T) {
	tests := map[string]struct {
		query     string
		parameter string
		message   string // part of it
	}{
		"boolean of another word":            {"withoutCount=yes", "withoutCount", "must be true, false, 1 or 0"},
		"boolean in capitals":                {"zip=TRUE", "zip", "must be true, false, 1 or 0"},
		"boolean without a value":            {"withoutCount", "withoutCount", "has no value"},
		"neither count nor items":            {"withoutCount=1&withoutItems=true", "withoutItems", "together with withoutCount"},
		"limit zero":                         {"limit=0", "limit", "must be from 1 to 1000"},
		"limit over a thousand":              {"limit=1001", "limit", "must be from 1 to 1000"},
		"limit beyond 64 bits":               {"limit=99999999999999999999", "limit", "must be from 1 to 1000"},
		"limit with a fraction":              {"limit=1.5", "limit", "must be a whole number"},
		"limit with a raw plus":              {"limit=+5", "limit", "must be a whole number"},
		"limit with an underscore":           {"limit=1_0", "limit", "must be a whole number"},
		"limit of another script":            {"limit=%D9%A1", "limit", "must be a whole number"},
		"limit empty":                        {"limit=", "limit", "has no value"},
		"limit twice":                        {"limit=5&limit=5", "limit", "more than once"},
		"offset negative":                    {"offset=-1", "offset", "must be from 0"},
		"page negative":                      {"page=-1", "page", "must be from 0"},
		"page with offset":                   {"page=1&offset=0", "page", "cannot go with offset"},
		"page beyond all offsets":            {"page=9007199254740991", "page", "is too far"},
		"cursor with offset":                 {"cursor=a&offset=0", "cursor", "cannot go with offset"},
		"cursor with page":                   {"cursor=a&page=0", "cursor", "cannot go with page"},
		"cursor empty":                       {"cursor=", "cursor", "has no value"},
		"fields unknown":                     {"fields=id,naem,zzz", "fields", `"naem" (did you mean name?), "zzz"`},
		"fields empty":                       {"fields=", "fields", "has no value"},
		"fields with a comma too many":       {"fields=id,,name", "fields", "empty entry"},
		"fields with one empty of two":       {"fields=id&fields=", "fields", "has no value"},
		"sort unknown":                       {"sort=-nam,color", "sort", `"nam" (did you mean name?), "color"`},
		"sort by a field that is not sorted": {"sort=tags", "sort", "cannot sort by \"tags\""},
		"sort twice by one field":            {"sort=name,-name", "sort", "has name twice"},
		"sort twice by an alias":             {"sort=startedAt,-started_at", "sort", "has started_at twice"},
		"sort of a sign alone":               {"sort=-", "sort", "cannot sort by"},
		"from without a zone":                {"from=2018-05-27T21:30:54", "from", "RFC 3339"},
		"from of a date alone":               {"from=2018-05-27", "from", "RFC 3339"},
		"from on no day there is":            {"from=2018-02-30T00:00:00Z", "from", "RFC 3339"},
		"from with a decimal comma":          {"from=2018-05-27T21:30:54,5Z", "from", "RFC 3339"},
		"from in milliseconds":               {"from=1527456654000", "from", "RFC 3339"},
		"from beyond the year 9999":          {"from=9999-12-31T23:59:59.9999Z", "from", "before the year 10000"},
		"to of the zero time":                {"to=0001-01-01T00:00:00Z", "to", "must be after"},
		"to before the first year":           {"to=0001-01-01T00:00:00+10:00", "to", "must be after"},
		"from after to":                      {"from=2018-05-27T21:30:54Z&to=2018-05-27T21:30:53Z", "from", "is after to"},
		"from after to within a millisecond": {"from=2018-05-27T21:30:54.0001Z&to=2018-05-27T21:30:54.0002Z", "from", "is after to"},
		"dateField of another date":          {"dateField=operatorAssignedAt", "dateField", "does not know"},
		"sessionId empty":                    {"sessionId=", "sessionId", "has no value"},
		"sessionId too long":                 {"sessionId=" + strings.Repeat("x", 1001), "sessionId", "1 to 1000 characters"},
		"sessionId twice":                    {"sessionId=a&sessionId=b", "sessionId", "more than once"},
		"messengerType unknown":              {"messengerType=WEB,WHATSUP", "messengerType", "did you mean WHATSAPP?"},
		"messengerType in lower case":        {"messengerType=web", "messengerType", "did you mean WEB?"},
		"minMessageCount negative":           {"minMessageCount=-1", "minMessageCount", "must be from 0"},
		"keyword empty":                      {"keyword=", "keyword", "has no value"},
		"keyword of spaces":                  {"keyword=+++", "keyword", "holds nothing"},
		"keyword of marks":                   {"keyword=%CC%81", "keyword", "holds nothing"},
		"keyword of 257 characters":          {"keyword=" + strings.Repeat("a", 257), "keyword", "1 to 256 characters"},
		"branchIds with companyId":           {"branchIds=1&companyId=1", "branchIds", "cannot go with companyId"},
		"branchIds with showAllSupervised":   {"branchIds=1&showAllSupervised=true", "branchIds", "cannot go with showAllSupervised"},
		"branchIds of zero":                  {"branchIds=0", "branchIds", "must be from 1 to"},
		"exceptCompanyIds of words":          {"exceptCompanyIds=a", "exceptCompanyIds", "whole numbers"},
		"exceptBranchIds empty":              {"exceptBranchIds=", "exceptBranchIds", "has no value"},
		"labels in CSV":                      {"format=CSV&header=labels", "header", "CSV_EXCEL and XLSX only"},
		"labels in an unknown language":      {"format=XLSX&header=labels&language=de", "language", "must be en or ru"},
		"header of another kind":             {"header=none", "header", "names, labels"},
		"operatorType unknown":               {"operatorType=HUMAN", "operatorType", "BOT, OPERATOR, NONE"},
		"operatorType with a comma too many": {"operatorType=BOT,,NONE", "operatorType", "empty entry"},
		"messengerTypeNot unknown":           {"messengerTypeNot=WHATSUP", "messengerTypeNot", "did you mean WHATSAPP?"},
		"tagsNot empty":                      {"tagsNot=", "tagsNot", "has no value"},
		"tagsNot of spaces":                  {"tagsNot=a,%20", "tagsNot", "empty entry"},
		"closed of another word":             {"closed=yes", "closed", "must be true, false, 1 or 0"},
		"ratingMin of a word":                {"ratingMin=good", "ratingMin", "must be a number"},
		"ratingMin with a decimal comma":     {"ratingMin=4,5", "ratingMin", "must be a number"},
		"ratingMin that is no number":        {"ratingMin=NaN", "ratingMin", "must be a number"},
		"ratingMin in hexadecimal":           {"ratingMin=0x1p2", "ratingMin", "must be a number"},
		"ratingMin empty":                    {"ratingMin=", "ratingMin", "has no value"},
		"ratingMin twice":                    {"ratingMin=1&ratingMin=2", "ratingMin", "more than once"},
		"timerFirstAnswerMin negative":       {"timerFirstAnswerMin=-0.1", "timerFirstAnswerMin", "must be from 0 to"},
		"clientId empty":                     {"clientId=", "clientId", "has no value"},
		"ratingMax out of range":             {"ratingMax=1e400", "ratingMax", "must be from -9007199254740991 to 9007199254740991"},
		"companyId zero":                     {"companyId=0", "companyId", "must be from 1 to 2147483647"},
		"companyId too large":                {"companyId=2147483648", "companyId", "must be from 1 to 2147483647"},
		"companyId with companyIds":          {"companyId=1&companyIds=1", "companyIds", "cannot go with companyId"},
		"companyIds with a word":             {"companyIds=1,x", "companyIds", "list of whole numbers"},
		"companyIds out of range":            {"companyIds=1,0", "companyIds", "must be from 1"},
		"companyIds too many":                {"companyIds=1" + strings.Repeat(",1", 10_000), "companyIds", "more than 10000 entries"},
		"format without items":               {"format=CSV&withoutItems=true", "format", "needs items"},
		"zip without items":                  {"zip=1&withoutItems=true", "zip", "needs items"},
		"format unknown":                     {"format=PDF", "format", "JSON, NDJSON, CSV, CSV_EXCEL, XLSX"},
		"filename empty":                     {"filename=", "filename", "has no value"},
		"timezone out of range":              {"timezone=841", "timezone", "from -840 to 840, or the IANA name"},
		"group":                              {"group=companyId", "group", "groupByClientId"},
		"group without a value":              {"group=", "group", "/api/v1/sessions/summary"},
		"groupByClientId no boolean":         {"groupByClientId=yes", "groupByClientId", "must be true, false"},
		"offsetField without offsetValue":    {"offsetField=started_at", "offsetValue", "is needed with offsetField"},
		"offsetValue without offsetField":    {"offsetValue=1", "offsetField", "is needed with offsetValue"},
		"offsetField not first of sort":      {"sort=name,started_at&offsetField=started_at&offsetValue=1", "offsetField", "first field of sort"},
		"offsetField not sortable":           {"offsetField=tags&offsetValue=1", "offsetField", "does not know"},
		"offsetValue of another type":        {"offsetField=started_at&offsetValue=monday", "offsetValue", "RFC 3339 date"},
		"offsetValue with cursor":            {"cursor=a&offsetField=started_at&offsetValue=1", "cursor", "cannot go with offset"},
		"status with an empty entry":         {"status=OPEN,", "status", "empty entry"},
		"tags with an empty entry":           {"tags=%E2%80%83", "tags", "empty entry"},
		"markedAsSpam twice":                 {"markedAsSpam=true&markedAsSpam=true", "markedAsSpam", "more than once"},
		"unknown parameter":                  {"colour=red", "colour", "is not a parameter"},
		"misspelt parameter":                 {"keywrod=anna", "keywrod", "did you mean keyword?"},
		"parameter of another case":          {"companyid=1", "companyid", "did you mean companyId?"},
		"parameter in brackets":              {"companyIds[]=1", "companyIds[]", "did you mean companyIds?"},
		"no name at all":                     {"=1", "", "is not a parameter"},
		"invalid UTF-8":                      {"name=%FF", "name", "not valid UTF-8"},
		"invalid UTF-8 in the name":          {"na%FFme=x", "na\uFFFDme", "not valid UTF-8"},
		"NUL":                                {"name=a%00b", "name", "NUL"},
		"broken percent-encoding":            {"name=100%", "name", "percent-encoded"},
		"broken percent-encoding in a name":  {"na%zz=1", "na%zz", "percent-encoded"},
		"one broken value of a list":         {"tags=a&tags=%zz", "tags", "percent-encoded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Search(Input{Query: test.query})
			wantFault(t, err, test.parameter, test.message)
		})
	}
}

// wantFault expects faults of this one parameter only, one of which says the
// message.
func wantFault(t *testing.T, err error, parameter, message string) {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got error %v, want a fault of %s", err, parameter)
	}
	said := false
	for _, f := range faults {
		if f.Parameter != parameter {
			t.Errorf("unexpected fault: %+v", f)
		}
		said = said || strings.Contains(f.Message, message)
	}
	if !said {
		t.Errorf("no message says %q: %+v", message, faults)
	}
}

func TestAllFaultsOfAQueryAreListedAtOnce(t *testing.T) {
	_, err := Search(Input{Query: "limit=0&colour=1&page=1&offset=2&from=x&fields=a,id&sort=b&name=%FF&withoutCount=1&withoutItems=1"})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Parameter)
	}
	slices.Sort(got)
	want := []string{"colour", "fields", "from", "limit", "name", "page", "sort", "withoutItems"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorTextRepeatsNothingOfTheRequest(t *testing.T) {
	_, err := Search(Input{Query: "+79991234567=1&fields=secret"})
	if err == nil {
		t.Fatal("no error")
	}
	if got, want := err.Error(), "2 invalid parameters"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFaultsOfAHostileRequestAreBounded(t *testing.T) {
	var raw strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&raw, "%s%d=1&", strings.Repeat("x", 200), i)
	}
	_, err := Search(Input{Query: raw.String()})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	if len(faults) != maxFaults {
		t.Errorf("%d faults, want %d", len(faults), maxFaults)
	}
	if last := faults[len(faults)-1].Message; !strings.Contains(last, "and 4900 more faults") {
		t.Errorf("the last fault does not count the others: %s", last)
	}
	if answer, _ := json.Marshal(faults); len(answer) > 50_000 {
		t.Errorf("the faults take %d bytes", len(answer))
	}
}

func TestItemQueryTakesFieldsOnly(t *testing.T) {
	all, err := Item("")
	if err != nil || !all.IsAll() {
		t.Errorf("no query: %v, all: %v", err, all.IsAll())
	}
	some, err := Item("fields=name, id")
	if err != nil || some != fields("id", "name") {
		t.Errorf("got %v, %v", some.Names(), err)
	}
	_, err = Item("limit=1")
	wantFault(t, err, "limit", "there is only fields")
	_, err = Item("field=id")
	wantFault(t, err, "field", "did you mean fields?")
}

func TestCompaniesQueryTakesQueryOnly(t *testing.T) {
	for raw, want := range map[string]string{"": "", "query=North": "North", "query=+Nord+West+": "Nord West"} {
		if got, err := Companies(raw); err != nil || got != want {
			t.Errorf("%q: got %q, %v", raw, got, err)
		}
	}
	for raw, message := range map[string]string{
		"query=": "has no value", "query=+": "holds nothing", "query=%CC%81": "holds nothing",
		"query=a&query=b": "more than once", "query=" + strings.Repeat("a", 257): "1 to 256",
	} {
		_, err := Companies(raw)
		wantFault(t, err, "query", message)
	}
	_, err := Companies("name=a")
	wantFault(t, err, "name", "there is only query")
}

func TestNoQueryTakesNothing(t *testing.T) {
	if err := None(""); err != nil {
		t.Error(err)
	}
	wantFault(t, None("a=1"), "a", "there are none here")
}

func TestNearestSuggestsSlipsOnly(t *testing.T) {
	known := []string{"keyword", "limit", "from", "to", "companyId", "companyIds"}
	for slip, want := range map[string]string{
		"keywrod": "keyword", "KEYWORD": "keyword", "limt": "limit", "form": "from",
		"companyID": "companyId", "companysIds": "companyIds",
		"t": "", "xy": "", "password": "", "": "", "fr": "",
	} {
		if got := nearest(slip, known); got != want {
			t.Errorf("nearest to %q: got %q, want %q", slip, got, want)
		}
	}
}

func TestSummaryQueryIsDecoded(t *testing.T) {
	asked := func(change func(*SummaryRequest)) SummaryRequest {
		r := SummaryRequest{Query: search.SummaryQuery{Filter: search.Filter{DateField: search.CreatedAt}, Interval: search.IntervalAuto, Facets: search.DefaultFacets(), Top: search.DefaultTop}}
		change(&r)
		return r
	}
	for query, want := range map[string]SummaryRequest{
		"":               asked(func(*SummaryRequest) {}),
		"interval=month": asked(func(r *SummaryRequest) { r.Query.Interval = search.IntervalMonth }),
		"timezone=Europe%2FBerlin&fill=true&histogram=0": asked(func(r *SummaryRequest) {
			r.Query.Zone, r.Query.Fill, r.Query.WithoutHistogram = search.Zone{Name: "Europe/Berlin"}, true, true
		}),
		"facets=tags,+operators&top=1000&exceptOwn=1": asked(func(r *SummaryRequest) {
			r.Query.Facets, r.Query.Top, r.Query.ExceptOwn = []search.Facet{"tags", "operators"}, 1000, true
		}),
		"top=all": asked(func(r *SummaryRequest) { r.Query.Top, r.Query.AllCompanies = search.MaxTop, true }),
		"top=0":   {}, "top=1001": {}, "top=some": {}, "top=": {}, "facets=": {}, "facets=names": {}, "fill=yes": {}, "histogram=none": {},
		"timezone=": {}, "timezone=Local": {}, "timezone=localtime": {}, "timezone=Europe/Atlantis": {}, "timezone=841": {}, "timezone=60.0": {}, "timezone=UTC&timezone=UTC": {},
		"timezone=-840":       asked(func(r *SummaryRequest) { r.Query.Zone.Minutes = -840 }),
		"dateField=updatedAt": asked(func(r *SummaryRequest) { r.Query.Filter.DateField = search.UpdatedAt }),
		"status=a,b&operatorType=NONE": asked(func(r *SummaryRequest) {
			r.Query.Filter.Status, r.Query.Filter.OperatorTypes = []string{"a", "b"}, []string{"NONE"}
		}),
		"companyId=3&showAllSupervised": {},
		"companyId=3&showAllSupervised=1": asked(func(r *SummaryRequest) {
			r.Selection = tenancy.Selection{Companies: []tenancy.CompanyID{3}, ShowAllSupervised: true}
		}),
	} {
		got, err := Summary(Input{Query: query})
		if want.Query.Interval == "" {
			if err == nil {
				t.Errorf("%s: accepted", query)
			}
			continue
		}
		if diff := cmp.Diff(want, got, compareKeywords); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", query, err, diff)
		}
	}
}

func number(x float64) *float64 { return &x }

func TestBoundsThatNothingIsWithinNameBothParameters(t *testing.T) {
	for _, pair := range [][2]string{{"ratingMin", "ratingMax"}, {"npsMin", "npsMax"}} {
		query := pair[0] + "=4.6&" + pair[1] + "=4.5"
		for name, decode := range map[string]func(Input) error{
			"search":  func(in Input) error { _, err := Search(in); return err },
			"summary": func(in Input) error { _, err := Summary(in); return err },
			"export":  func(in Input) error { _, err := Export(in); return err },
		} {
			var faults Faults
			if err := decode(Input{Query: query}); !errors.As(err, &faults) {
				t.Errorf("%s?%s: %v, want faults", name, query, err)
				continue
			}
			var named []string
			for _, f := range faults {
				named = append(named, f.Parameter)
			}
			if !slices.Equal(named, pair[:]) {
				t.Errorf("%s?%s: faults of %v, want %v", name, query, named, pair)
			}
		}
	}
}
