package params

import (
	"slices"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// MaxCursorLen is the longest cursor in characters: it must fit a URL.
const MaxCursorLen = 16 << 10

// kind is how a parameter is written, in a query string and in a JSON body.
type kind uint8

const (
	kindBool kind = iota + 1
	kindInt
	kindText
	kindDate  // RFC 3339
	kindTexts // list of kindText
	kindInts  // list of kindInt
)

// value is what a parameter was given; its kind says which field holds it.
type value struct {
	on    bool
	n     int64
	text  string
	texts []string
	ints  []int64
}

// param is one row of the parameter table. A test holds the rows against
// api/openapi.yaml.
type param struct {
	name string
	kind kind
	// min and max bound a number, the characters of a text, or each of those in
	// a list.
	min, max int64
	// most bounds the entries of a list.
	most int
	enum []string
	// fallback is applied when the parameter is absent, written as in a query
	// string; "" for none.
	fallback string
	// filter says that it says which sessions there are.
	filter bool
	// apply takes the value into the request. Its error says what is wrong with
	// the value and what to do.
	apply func(d *decoder, v value) error
}

// Bounds of parameters. Whole numbers stop where JSON numbers stop being exact
// in a browser (RFC 8259, section 6); texts where the longest searched field
// does.
const (
	maxInteger   = 1<<53 - 1
	maxText      = keyword.MaxFieldLen
	maxValues    = 1000
	maxCompanies = 10_000
	maxTimezone  = 14 * 60 // minutes; the farthest zone there is
)

// searchParams decode GET /api/v1/sessions and POST /api/v1/sessions/search.
var searchParams = []param{
	{name: "withoutCount", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.asked.Query.WithoutCount })},
	{name: "withoutItems", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.asked.Query.WithoutItems })},
	{name: "limit", kind: kindInt, min: 1, max: search.MaxLimit, fallback: "10", apply: applyLimit},
	{name: "offset", kind: kindInt, min: 0, max: maxInteger, apply: applyOffset},
	{name: "page", kind: kindInt, min: 0, max: maxInteger, apply: applyPage},
	{name: "cursor", kind: kindText, min: 1, max: MaxCursorLen, apply: setText(func(d *decoder) *string { return &d.asked.Cursor })},
	{name: "fields", kind: kindTexts, enum: fieldNames(), most: maxValues, apply: applyFields},
	{name: "sort", kind: kindTexts, min: 1, max: maxText, most: maxValues, fallback: "-started_at", apply: applySort},
	{name: "from", kind: kindDate, filter: true, apply: applyFrom},
	{name: "to", kind: kindDate, filter: true, apply: applyTo},
	{name: "dateField", kind: kindText, filter: true, enum: dateFields(), fallback: string(search.CreatedAt), apply: applyDateField},
	{name: "sessionId", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.asked.Query.Filter.SessionID })},
	{name: "chatId", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.asked.Query.Filter.ChatID })},
	{name: "messengerType", kind: kindTexts, filter: true, enum: session.MessengerTypes(), most: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.asked.Query.Filter.MessengerTypes })},
	{name: "minMessageCount", kind: kindInt, filter: true, min: 0, max: maxInteger, apply: applyMinMessageCount},
	{name: "onlyClientMessages", kind: kindBool, filter: true, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.asked.Query.Filter.OnlyClientMessages })},
	{name: "keyword", kind: kindText, filter: true, min: 1, max: keyword.MaxLen, apply: applyKeyword},
	{name: "operatorType", kind: kindText, filter: true, enum: session.OperatorTypes(), apply: setText(func(d *decoder) *string { return &d.asked.Query.Filter.OperatorType })},
	{name: "companyId", kind: kindInt, min: 1, max: int64(tenancy.MaxCompanyID), apply: applyCompanyID},
	{name: "companyIds", kind: kindInts, min: 1, max: int64(tenancy.MaxCompanyID), most: maxCompanies, apply: applyCompanyIDs},
	{name: "showAllSupervised", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.asked.Selection.ShowAllSupervised })},
	{name: "format", kind: kindText, enum: formats(), fallback: string(export.JSON), apply: applyFormat},
	{name: "filename", kind: kindText, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.asked.File.Name })},
	{name: "zip", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.asked.File.Zip })},
	{name: "timezone", kind: kindInt, min: -maxTimezone, max: maxTimezone, fallback: "0", apply: applyTimezone},
	{name: "language", kind: kindText, min: 0, max: maxText, apply: ignore},
	{name: "group", kind: kindText, min: 0, max: maxText, apply: refuseGroup},
	{name: "offsetField", kind: kindText, enum: append(sortNames(), "startedAt"), apply: applyOffsetField},
	{name: "offsetValue", kind: kindText, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.offsetValue })},
	{name: "status", kind: kindTexts, filter: true, min: 1, max: maxText, most: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.asked.Query.Filter.Status })},
	{name: "botStatus", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.asked.Query.Filter.BotStatus })},
	{name: "operatorId", kind: kindTexts, filter: true, min: 1, max: maxText, most: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.asked.Query.Filter.OperatorIDs })},
	{name: "name", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.asked.Query.Filter.Name })},
	{name: "tags", kind: kindTexts, filter: true, min: 1, max: maxText, most: maxValues, apply: applyTags},
	{name: "markedAsSpam", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.asked.Query.Filter.MarkedAsSpam })},
	{name: "clientBanned", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.asked.Query.Filter.ClientBanned })},
	{name: "groupByClientId", kind: kindBool, fallback: "false", apply: notYetTrue},
}

// linkParams decode what the Link header of a POST adds to its URL.
var linkParams = pick(searchParams, "cursor")

// summaryParams decode GET and POST /api/v1/sessions/summary: what says which
// sessions there are, and how their histogram is made.
var summaryParams = func() []param {
	params := pick(searchParams, "companyId", "companyIds", "showAllSupervised", "timezone")
	for _, p := range searchParams {
		if p.filter {
			params = append(params, p)
		}
	}
	return append(params, param{
		name: "interval", kind: kindText, enum: intervals(), fallback: string(search.IntervalAuto), apply: applyInterval,
	})
}()

// exportParams decode GET and POST /api/v1/sessions/export: those of the search
// but for those that make a page of it, and without its defaults. How many rows
// an export may have is the configuration's to say.
var exportParams = func() []param {
	notThere := []string{"withoutCount", "withoutItems", "page", "cursor"}
	instead := map[string]param{
		"limit":  {name: "limit", kind: kindInt, min: 1, max: maxInteger, apply: applyLimit},
		"sort":   {name: "sort", kind: kindTexts, min: 1, max: maxText, most: maxValues, apply: applySort},
		"format": {name: "format", kind: kindText, enum: formats(), fallback: string(export.CSV), apply: applyFormat},
	}
	var params []param
	for _, p := range searchParams {
		if other, ok := instead[p.name]; ok {
			p = other
		}
		if !slices.Contains(notThere, p.name) {
			params = append(params, p)
		}
	}
	return append(params, param{
		name: "resumeAfter", kind: kindText, min: 1, max: session.MaxIDSize,
		apply: setText(func(d *decoder) *string { return &d.resumeAfter }),
	})
}()

// itemParams decode GET /api/v1/sessions/{id}.
var itemParams = pick(searchParams, "fields")

// companiesParams decode GET /api/v1/companies.
var companiesParams = []param{
	{name: "query", kind: kindText, min: 1, max: keyword.MaxLen, apply: applyCompaniesQuery},
}

func pick(from []param, names ...string) []param {
	var picked []param
	for _, p := range from {
		if slices.Contains(names, p.name) {
			picked = append(picked, p)
		}
	}
	return picked
}

func fieldNames() []string { return session.AllFields().Names() }

// sortNames are the names that sort takes, in catalogue order.
func sortNames() []string {
	var names []string
	for _, f := range session.Fields() {
		if f.SortName != "" {
			names = append(names, f.SortName)
		}
	}
	return names
}

func dateFields() []string {
	return []string{string(search.CreatedAt), string(search.UpdatedAt)}
}

func intervals() []string {
	var names []string
	for _, i := range search.Intervals() {
		names = append(names, string(i))
	}
	return names
}

func formats() []string {
	var names []string
	for _, format := range export.Formats() {
		names = append(names, string(format))
	}
	return names
}
