package params

import (
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// MaxCursorLen is the longest cursor in characters: it must fit a URL.
const MaxCursorLen = 16 << 10

// MaxCompanies is how many companies each list of a search may name.
const MaxCompanies = 10_000

// kind is the type of a parameter. It decides how values are written in a query
// string and in a JSON body.
type kind uint8

const (
	kindBool kind = iota + 1
	kindInt
	kindText
	kindNumber // a decimal number
	kindDate   // RFC 3339
	kindTexts  // list of kindText
	kindInts   // list of kindInt
	kindTop    // number, or "all"
	kindZone   // minutes east of UTC, or the name of a time zone
)

// value is the value of a parameter; its kind says in which field.
type value struct {
	on    bool
	n     int64
	x     float64
	text  string
	texts []string
	ints  []int64
	zone  search.Zone
}

// param is one row of the parameter table. A test compares the rows with
// api/openapi.yaml.
type param struct {
	name string
	kind kind
	// min and max bound a number, the characters of a text, or each entry of a
	// list.
	min, max int64
	// maxEntries bounds the entries of a list.
	maxEntries int
	enum       []string
	// fallback is the value if the parameter is absent, as in a query string; "" for
	// none.
	fallback string
	// filter says that the parameter restricts which sessions match.
	filter bool
	// apply sets the value in the request. Its error says what is wrong with the
	// value, and what to do.
	apply func(d *decoder, v value) error
}

// Bounds of parameters. Whole numbers are bounded by what JSON numbers can hold
// exactly in a browser (RFC 8259, section 6), texts by the longest searched field.
const (
	maxInteger = 1<<53 - 1
	maxNumber  = maxInteger
	maxText    = keyword.MaxFieldLen
	maxValues  = 1000
)

// searchParams decode GET /api/v1/sessions and POST /api/v1/sessions/search.
var searchParams = []param{
	{name: "withoutCount", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.request.Query.WithoutCount })},
	{name: "withoutItems", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.request.Query.WithoutItems })},
	{name: "limit", kind: kindInt, min: 1, max: search.MaxLimit, fallback: "10", apply: applyLimit},
	{name: "offset", kind: kindInt, min: 0, max: maxInteger, apply: applyOffset},
	{name: "page", kind: kindInt, min: 0, max: maxInteger, apply: applyPage},
	{name: "cursor", kind: kindText, min: 1, max: MaxCursorLen, apply: setText(func(d *decoder) *string { return &d.request.Cursor })},
	{name: "fields", kind: kindTexts, enum: fieldNames(), maxEntries: maxValues, apply: applyFields},
	{name: "sort", kind: kindTexts, min: 1, max: maxText, maxEntries: maxValues, fallback: "-started_at", apply: applySort},
	{name: "from", kind: kindDate, filter: true, apply: applyFrom},
	{name: "to", kind: kindDate, filter: true, apply: applyTo},
	{name: "dateField", kind: kindText, filter: true, enum: dateFields(), fallback: string(search.CreatedAt), apply: applyDateField},
	{name: "sessionId", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.request.Query.Filter.SessionID })},
	{name: "chatId", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.request.Query.Filter.ChatID })},
	{name: "messengerType", kind: kindTexts, filter: true, enum: session.MessengerTypes(), maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.MessengerTypes })},
	{name: "messengerTypeNot", kind: kindTexts, filter: true, enum: session.MessengerTypes(), maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.MessengerTypesNot })},
	{name: "minMessageCount", kind: kindInt, filter: true, min: 0, max: maxInteger, apply: applyMinMessageCount},
	{name: "onlyClientMessages", kind: kindBool, filter: true, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.request.Query.Filter.OnlyClientMessages })},
	{name: "keyword", kind: kindText, filter: true, min: 1, max: keyword.MaxLen, apply: applyKeyword},
	{name: "operatorType", kind: kindTexts, filter: true, enum: session.OperatorTypes(), maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.OperatorTypes })},
	{name: "companyId", kind: kindInt, min: 1, max: int64(tenancy.MaxCompanyID), apply: applyCompanyID},
	{name: "companyIds", kind: kindInts, min: 1, max: int64(tenancy.MaxCompanyID), maxEntries: MaxCompanies, apply: setCompanies(func(d *decoder) *[]tenancy.CompanyID { return &d.request.Selection.Companies })},
	{name: "branchIds", kind: kindInts, min: 1, max: int64(tenancy.MaxCompanyID), maxEntries: MaxCompanies, apply: setCompanies(func(d *decoder) *[]tenancy.CompanyID { return &d.request.Selection.Branches })},
	{name: "exceptCompanyIds", kind: kindInts, min: 1, max: int64(tenancy.MaxCompanyID), maxEntries: MaxCompanies, apply: setCompanies(func(d *decoder) *[]tenancy.CompanyID { return &d.request.Selection.ExceptCompanies })},
	{name: "exceptBranchIds", kind: kindInts, min: 1, max: int64(tenancy.MaxCompanyID), maxEntries: MaxCompanies, apply: setCompanies(func(d *decoder) *[]tenancy.CompanyID { return &d.request.Selection.ExceptBranches })},
	{name: "showAllSupervised", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.request.Selection.ShowAllSupervised })},
	{name: "format", kind: kindText, enum: formats(), fallback: string(export.JSON), apply: applyFormat},
	{name: "filename", kind: kindText, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.request.File.Name })},
	{name: "zip", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.request.File.Zip })},
	{name: "timezone", kind: kindZone, min: -search.MaxZoneMinutes, max: search.MaxZoneMinutes, fallback: "0", apply: applyTimezone},
	{name: "language", kind: kindText, min: 0, max: maxText, apply: applyLanguage},
	{name: "header", kind: kindText, enum: []string{headerNames, headerLabels}, fallback: headerNames, apply: setText(func(d *decoder) *string { return &d.header })},
	{name: "group", kind: kindText, min: 0, max: maxText, apply: refuseGroup},
	{name: "offsetField", kind: kindText, enum: append(sortNames(), "startedAt"), apply: applyOffsetField},
	{name: "offsetValue", kind: kindText, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.offsetValue })},
	{name: "status", kind: kindTexts, filter: true, min: 1, max: maxText, maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.Status })},
	{name: "statusNot", kind: kindTexts, filter: true, min: 1, max: maxText, maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.StatusNot })},
	{name: "botStatus", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.request.Query.Filter.BotStatus })},
	{name: "operatorId", kind: kindTexts, filter: true, min: 1, max: maxText, maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.OperatorIDs })},
	{name: "operatorIdNot", kind: kindTexts, filter: true, min: 1, max: maxText, maxEntries: maxValues, apply: setTexts(func(d *decoder) *[]string { return &d.request.Query.Filter.OperatorIDsNot })},
	{name: "name", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.request.Query.Filter.Name })},
	{name: "tags", kind: kindTexts, filter: true, min: 1, max: maxText, maxEntries: maxValues, apply: setTags(func(d *decoder) *[]string { return &d.request.Query.Filter.Tags })},
	{name: "tagsNot", kind: kindTexts, filter: true, min: 1, max: maxText, maxEntries: maxValues, apply: setTags(func(d *decoder) *[]string { return &d.request.Query.Filter.TagsNot })},
	{name: "markedAsSpam", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.request.Query.Filter.MarkedAsSpam })},
	{name: "clientBanned", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.request.Query.Filter.ClientBanned })},
	{name: "closed", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.request.Query.Filter.Closed })},
	{name: "isLostSession", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.request.Query.Filter.IsLostSession })},
	{name: "hasUnread", kind: kindBool, filter: true, apply: setChoice(func(d *decoder) **bool { return &d.request.Query.Filter.HasUnread })},
	{name: "clientId", kind: kindText, filter: true, min: 1, max: maxText, apply: setText(func(d *decoder) *string { return &d.request.Query.Filter.ClientID })},
	{name: "ratingMin", kind: kindNumber, filter: true, min: -maxNumber, max: maxNumber, apply: setNumber(func(d *decoder) **float64 { return &d.request.Query.Filter.RatingMin })},
	{name: "ratingMax", kind: kindNumber, filter: true, min: -maxNumber, max: maxNumber, apply: setNumber(func(d *decoder) **float64 { return &d.request.Query.Filter.RatingMax })},
	{name: "npsMin", kind: kindNumber, filter: true, min: -maxNumber, max: maxNumber, apply: setNumber(func(d *decoder) **float64 { return &d.request.Query.Filter.NPSMin })},
	{name: "npsMax", kind: kindNumber, filter: true, min: -maxNumber, max: maxNumber, apply: setNumber(func(d *decoder) **float64 { return &d.request.Query.Filter.NPSMax })},
	{name: "timerFirstAnswerMin", kind: kindNumber, filter: true, min: 0, max: maxNumber, apply: setNumber(func(d *decoder) **float64 { return &d.request.Query.Filter.TimerFirstAnswerMin })},
	{name: "groupByClientId", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.request.Query.NewestOfClient })},
}

// linkParams decode the URL of a POST, to which the Link header adds a cursor.
var linkParams = pick(searchParams, "cursor")

// summaryParams decode GET and POST /api/v1/sessions/summary: the filters, and the
// form of the histogram.
var summaryParams = func() []param {
	params := pick(searchParams, "companyId", "companyIds", "branchIds", "exceptCompanyIds", "exceptBranchIds", "showAllSupervised", "timezone")
	for _, p := range searchParams {
		if p.filter {
			params = append(params, p)
		}
	}
	return append(params,
		param{name: "interval", kind: kindText, enum: intervals(), fallback: string(search.IntervalAuto), apply: applyInterval},
		param{name: "histogram", kind: kindBool, fallback: "true", apply: applyHistogram},
		param{name: "fill", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.summaryQuery.Fill })},
		param{name: "facets", kind: kindTexts, enum: facets(), maxEntries: maxValues, fallback: defaultFacets(), apply: applyFacets},
		param{name: "top", kind: kindTop, min: 1, max: search.MaxTop, fallback: strconv.Itoa(search.DefaultTop), apply: applyTop},
		param{name: "exceptOwn", kind: kindBool, fallback: "false", apply: setBool(func(d *decoder) *bool { return &d.summaryQuery.ExceptOwn })},
	)
}()

// exportParams decode GET and POST /api/v1/sessions/export: the parameters of a
// search, except those of pages, and without its defaults. The configuration bounds
// the number of rows.
var exportParams = func() []param {
	notThere := []string{"withoutCount", "withoutItems", "page", "cursor"}
	instead := map[string]param{
		"limit":  {name: "limit", kind: kindInt, min: 1, max: maxInteger, apply: applyLimit},
		"sort":   {name: "sort", kind: kindTexts, min: 1, max: maxText, maxEntries: maxValues, apply: applySort},
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

// sortNames returns the names that sort takes, in catalogue order.
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
	var names []string
	for _, field := range search.DateFields() {
		names = append(names, string(field))
	}
	return names
}

func intervals() []string {
	var names []string
	for _, i := range search.Intervals() {
		names = append(names, string(i))
	}
	return names
}

func facets() []string { return facetNames(search.Facets()) }

func defaultFacets() string { return strings.Join(facetNames(search.DefaultFacets()), ",") }

func facetNames(facets []search.Facet) []string {
	names := make([]string, len(facets))
	for i, facet := range facets {
		names[i] = string(facet)
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
