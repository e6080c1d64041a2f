package params

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/session"
)

// continueAt replaces where the body of a POST starts by the cursor in its URL.
func (d *decoder) continueAt(link *decoder) {
	d.faults = append(link.faults, d.faults...)
	d.omitted += link.omitted
	if link.request.Cursor == "" {
		return
	}
	d.request.Cursor = link.request.Cursor
	d.given["cursor"] = true
	for _, start := range []string{"offset", "page", "offsetField", "offsetValue"} {
		delete(d.given, start)
	}
	d.request.Query.Offset = 0
}

// search checks the rules between the parameters of a search, and returns the request.
func (d *decoder) search() (SearchRequest, error) {
	d.checkParts()
	d.checkFile()
	d.checkDates()
	d.checkBounds()
	d.checkCompanies()
	d.resolvePage()
	d.resolveStart()
	d.resolveHeader()
	if err := d.err(); err != nil {
		return SearchRequest{}, err
	}
	return d.request, nil
}

// summary checks the rules between the parameters of a summary, and returns the
// request.
func (d *decoder) summary() (SummaryRequest, error) {
	d.checkDates()
	d.checkBounds()
	d.checkCompanies()
	if err := d.err(); err != nil {
		return SummaryRequest{}, err
	}
	q := d.summaryQuery
	q.Filter, q.Zone = d.request.Query.Filter, d.request.File.Zone
	return SummaryRequest{Query: q, Selection: d.request.Selection}, nil
}

func (d *decoder) checkParts() {
	if d.request.Query.WithoutCount && d.request.Query.WithoutItems {
		d.fault("withoutItems", "leaves nothing to answer together with withoutCount; set one of them to false")
	}
}

// checkFile refuses a file without items: only plain JSON can have just a count.
func (d *decoder) checkFile() {
	const problem = "needs items to put into the file; leave out withoutItems, or ask for plain JSON"
	switch {
	case !d.request.Query.WithoutItems:
	case d.request.File.Format != export.JSON:
		d.fault("format", problem)
	case d.request.File.Zip:
		d.fault("zip", problem)
	}
}

func (d *decoder) checkDates() {
	from, to := d.request.Query.Filter.From, d.request.Query.Filter.To
	if d.given["from"] && d.given["to"] && from.After(to) {
		d.fault("from", "is after to, so that nothing could match; swap them or widen the range (both are whole milliseconds: from is rounded up, to down)")
	}
}

// resolveHeader finds the labels of the header row. Without them any language is
// accepted, since clients send that of their user with every request.
func (d *decoder) resolveHeader() {
	if d.header != headerLabels {
		return
	}
	if format := d.request.File.Format; format != export.CSVExcel && format != export.XLSX {
		d.fault("header", "can be labels in CSV_EXCEL and XLSX only; choose one of these formats, or names")
	}
	if d.language == "" {
		d.request.File.Labels = session.English
		return
	}
	language, ok := session.ParseLanguage(d.language)
	if !ok {
		d.fault("language", "must be en or ru for labels; choose one of these, or names for header")
		return
	}
	d.request.File.Labels = language
}

// checkBounds refuses bounds that no number is within. Both parameters get the fault,
// since either may be the wrong one.
func (d *decoder) checkBounds() {
	f := d.request.Query.Filter
	for _, b := range []struct {
		least, most string
		min, max    *float64
	}{
		{"ratingMin", "ratingMax", f.RatingMin, f.RatingMax},
		{"npsMin", "npsMax", f.NPSMin, f.NPSMax},
	} {
		if b.min != nil && b.max != nil && *b.min > *b.max {
			d.fault(b.least, "is above "+b.most+", so that nothing could match; swap them or widen the range")
			d.fault(b.most, "is below "+b.least+", so that nothing could match; swap them or widen the range")
		}
	}
}

func (d *decoder) checkCompanies() {
	if d.given["companyId"] && d.given["companyIds"] {
		d.fault("companyIds", "cannot go with companyId; put every company into companyIds")
	}
	if !d.given["branchIds"] {
		return
	}
	if d.given["companyId"] {
		d.fault("branchIds", "cannot go with companyId; put the company into companyIds or branchIds")
	}
	if d.request.Selection.ShowAllSupervised {
		d.fault("branchIds", "cannot go with showAllSupervised, which has every branch; leave out one of them")
	}
}

// resolvePage converts page to an offset.
func (d *decoder) resolvePage() {
	if !d.given["page"] {
		return
	}
	if d.given["offset"] {
		d.fault("page", "cannot go with offset; give one of them")
		return
	}
	limit := int64(d.request.Query.Limit)
	if d.page > maxInteger/limit {
		d.fault("page", fmt.Sprintf("is too far: page times limit must be at most %d", int64(maxInteger)))
		return
	}
	d.request.Query.Offset = int(d.page * limit)
}

// resolveStart checks and converts the parameters that say after which position the
// page starts: a cursor, or offsetField and offsetValue.
func (d *decoder) resolveStart() {
	if d.given["cursor"] {
		for _, other := range []string{"offset", "page", "offsetField", "offsetValue"} {
			if d.given[other] {
				d.fault("cursor", fmt.Sprintf("cannot go with %s; a cursor says where to go on by itself", other))
			}
		}
		return
	}
	switch field, text := d.given["offsetField"], d.given["offsetValue"]; {
	case field && !text:
		d.missing("offsetValue", "is needed with offsetField: give the value to start after")
	case text && !field:
		d.missing("offsetField", "is needed with offsetValue: give the first field of sort")
	case field && text:
		d.resolveOffsetValue()
	}
}

func (d *decoder) resolveOffsetValue() {
	var first int
	ok := len(d.request.Query.Sort) > 0
	if ok {
		first, _, ok = session.FieldByName(d.request.Query.Sort[0].Field)
	}
	if own, _, found := session.FieldByName(d.offsetField.Name); !ok || !found || first != own {
		if !d.hasFault("sort") {
			d.fault("offsetField", "must be the first field of sort; sort by it first")
		}
		return
	}
	text := d.offsetValue
	if d.offsetField.Type == session.TypeDate {
		text = repairPlus(text)
	}
	after, err := search.ParseSortValue(d.offsetField, text)
	if err != nil {
		d.fault("offsetValue", "must be "+sortValueForm(d.offsetField.Type)+", as "+d.offsetField.SortName+" is")
		return
	}
	d.request.Query.After = &search.Position{Values: []json.RawMessage{after}}
}

func sortValueForm(t session.Type) string {
	switch t {
	case session.TypeDate:
		return "an RFC 3339 date and time or milliseconds since 1970"
	case session.TypeInteger:
		return "a whole number"
	case session.TypeNumber:
		return "a number"
	}
	return "a text"
}

// export checks the rules between the parameters of an export, and returns the
// request.
func (d *decoder) export() (ExportRequest, error) {
	d.checkDates()
	d.checkBounds()
	d.checkCompanies()
	d.resolveStart()
	d.resolveHeader()
	d.resolveResume()
	d.checkGrouped()
	if err := d.err(); err != nil {
		return ExportRequest{}, err
	}
	return ExportRequest{SearchRequest: d.request, Filters: d.filters()}, nil
}

// checkGrouped refuses an export of the newest sessions of clients in another order
// than the default.
func (d *decoder) checkGrouped() {
	if d.request.Query.NewestOfClient && len(d.request.Query.Sort) > 0 && d.request.Query.Sort[0].Field != IDKey {
		d.fault("groupByClientId", "cannot go with sort in an export; leave out sort, and sort the file")
	}
}

// IDKey is the field by which an export is ordered that resumeAfter can resume.
const IDKey = "id"

// resolveResume starts the export after the session of resumeAfter. That needs the
// order by id, which is that of an export without sort.
func (d *decoder) resolveResume() {
	if !d.given["resumeAfter"] {
		return
	}
	for _, other := range []string{"offset", "offsetField", "offsetValue"} {
		if d.given[other] {
			d.fault("resumeAfter", "cannot go with "+other+"; it says where to go on by itself")
			return
		}
	}
	sort := search.NormalizeSort(d.request.Query.Sort)
	if sort[0].Field != IDKey {
		if !d.hasFault("sort") {
			d.fault("resumeAfter", "needs an order by id; leave out sort, or sort by id")
		}
		return
	}
	_, id, _ := session.FieldByName(IDKey)
	after, err := search.ParseSortValue(id, d.resumeAfter)
	if err != nil {
		d.fault("resumeAfter", "must be the id of a session")
		return
	}
	d.request.Query.Sort = sort
	d.request.Query.After = &search.Position{Values: []json.RawMessage{after}}
}

// filters returns the names of the filters that were sent, in the order of the table.
// They are for the audit log, which must not hold their values.
func (d *decoder) filters() []string {
	names := []string{}
	for _, p := range d.params {
		if p.filter && d.given[p.name] {
			names = append(names, p.name)
		}
	}
	return names
}

// query decodes a query string. url.ParseQuery is not used: it drops what it cannot
// read, and without a filter the answer would have too many rows.
func (d *decoder) query(rawQuery string) {
	var order []string
	texts := make(map[string][]string)
	broken := make(map[string]bool)
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if pair == "" {
			continue
		}
		name, text, err := unescapePair(pair)
		if _, seen := texts[name]; !seen {
			order = append(order, name)
		}
		texts[name] = append(texts[name], text)
		if err != nil && !broken[name] {
			broken[name] = true
			d.fault(name, err.Error())
		}
	}
	for _, name := range order {
		if broken[name] {
			continue
		}
		if p, ok := d.lookup(name); ok {
			v, err := p.parseTexts(texts[name])
			d.set(p, v, err)
		}
	}
}

// unescapePair splits and decodes name=value. If the name cannot be decoded, it is
// returned as it was sent.
func unescapePair(pair string) (name, text string, err error) {
	const percent problem = "is not percent-encoded properly: write %25 for a percent sign"
	rawName, rawText, _ := strings.Cut(pair, "=")
	name, err = url.QueryUnescape(rawName)
	if err != nil {
		return strings.ToValidUTF8(rawName, "\uFFFD"), "", percent
	}
	if err = checkText(name); err != nil {
		return strings.ToValidUTF8(name, "\uFFFD"), "", err
	}
	text, err = url.QueryUnescape(rawText)
	if err != nil {
		return name, "", percent
	}
	return name, text, checkText(text)
}

// checkText refuses text that engines or JSON cannot hold.
func checkText(text string) error {
	switch {
	case !utf8.ValidString(text):
		return problem("is not valid UTF-8; encode the text as UTF-8")
	case strings.ContainsRune(text, 0):
		return problem("has a NUL character in it; leave it out")
	}
	return nil
}

// parseTexts reads the parameter's values in a query string, which are in their
// order there.
func (p param) parseTexts(texts []string) (value, error) {
	switch p.kind {
	case kindTexts:
		list, err := splitList(texts)
		return value{texts: list}, err
	case kindInts:
		return parseInts(texts)
	case kindBool, kindInt, kindNumber, kindText, kindDate, kindTop, kindZone:
	}
	if len(texts) > 1 {
		return value{}, problem("is there more than once; give it once")
	}
	if texts[0] == "" && p.min > 0 || texts[0] == "" && p.kind != kindText {
		return value{}, problem("has no value; give one or leave the parameter out")
	}
	switch p.kind {
	case kindBool:
		return parseBool(texts[0])
	case kindInt:
		n, err := parseInt(texts[0])
		return value{n: n}, err
	case kindNumber:
		x, err := parseNumber(texts[0])
		return value{x: x}, err
	case kindTop:
		if texts[0] == topAll {
			return value{text: topAll}, nil
		}
		n, err := parseInt(texts[0])
		if err != nil {
			return value{}, errTop
		}
		return value{n: n}, nil
	case kindZone:
		if n, err := parseInt(texts[0]); err == nil {
			return p.zoneOfMinutes(n)
		}
		return p.zoneOfName(texts[0])
	}
	return value{text: texts[0]}, nil
}

func parseBool(text string) (value, error) {
	switch text {
	case "true", "1":
		return value{on: true}, nil
	case "false", "0":
		return value{}, nil
	}
	return value{}, problem("must be true, false, 1 or 0")
}

const (
	topAll         = "all"
	errTop problem = "must be a whole number, or all for all companies"
)

// zoneOfMinutes bounds the minutes itself: the message names both forms.
func (p param) zoneOfMinutes(n int64) (value, error) {
	if n < p.min || n > p.max {
		return value{}, p.wrongZone()
	}
	return value{zone: search.Zone{Minutes: int(n)}}, nil
}

func (p param) zoneOfName(name string) (value, error) {
	zone, err := search.NamedZone(name)
	if err != nil {
		return value{}, p.wrongZone()
	}
	return value{zone: zone}, nil
}

func (p param) wrongZone() problem {
	return problem(fmt.Sprintf("must be minutes east of UTC, from %d to %d, or the IANA name of a time zone, for example Europe/Berlin", p.min, p.max))
}

// parseInt reads digits after an optional minus. A number of more than 64 bits is
// returned as the nearest one, which is out of the range of every parameter.
func parseInt(text string) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, problem("must be a whole number, written with digits")
	}
	n, _ := strconv.ParseInt(text, 10, 64) // the error means out of range, see above
	return n, nil
}

// decimal is a number as JSON writes it (RFC 8259, section 6). strconv alone also
// reads NaN, Inf and hexadecimal digits.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// parseNumber reads a number. One that is too large is returned as infinite, which is
// out of the range of every parameter.
func parseNumber(text string) (float64, error) {
	if !decimal.MatchString(text) {
		return 0, problem("must be a number, for example 4.5")
	}
	x, _ := strconv.ParseFloat(text, 64) // the error means out of range, see above
	return x + 0, nil                    // not -0: the two zeros are one bound
}

func parseInts(texts []string) (value, error) {
	list, err := splitList(texts)
	if err != nil {
		return value{}, err
	}
	ints := make([]int64, len(list))
	for i, text := range list {
		if ints[i], err = parseInt(text); err != nil {
			return value{}, problem("must be a list of whole numbers, written with digits and commas")
		}
	}
	return value{ints: ints}, nil
}

// splitList reads a list: separated by commas, with optional spaces around them, or as
// a repeated parameter, or both.
func splitList(texts []string) ([]string, error) {
	var list []string
	for _, text := range texts {
		if text == "" {
			return nil, problem("has no value; give one or leave the parameter out")
		}
		for entry := range strings.SplitSeq(text, ",") {
			entry = strings.Trim(entry, " ")
			if entry == "" {
				return nil, problem("has an empty entry; leave out the comma that is too many")
			}
			list = append(list, entry)
		}
	}
	return list, nil
}

// check checks a value against the bounds of the table.
func (p param) check(v value) error {
	switch p.kind {
	case kindInt:
		return p.checkInts(v.n)
	case kindNumber:
		if v.x < float64(p.min) || v.x > float64(p.max) {
			return problem(fmt.Sprintf("must be from %d to %d", p.min, p.max))
		}
	case kindInts:
		if len(v.ints) > p.maxEntries {
			return problem(fmt.Sprintf("has more than %d entries; ask in several requests", p.maxEntries))
		}
		return p.checkInts(v.ints...)
	case kindText:
		return p.checkTexts(v.text)
	case kindTexts:
		if len(v.texts) > p.maxEntries {
			return problem(fmt.Sprintf("has more than %d entries; ask in several requests", p.maxEntries))
		}
		return p.checkTexts(v.texts...)
	case kindTop:
		if v.text == "" {
			return p.checkInts(v.n)
		}
	case kindBool, kindDate, kindZone:
	}
	return nil
}

func (p param) checkInts(ints ...int64) error {
	for _, n := range ints {
		if n < p.min || n > p.max {
			return problem(fmt.Sprintf("must be from %d to %d", p.min, p.max))
		}
	}
	return nil
}

func (p param) checkTexts(texts ...string) error {
	if p.enum != nil {
		return p.checkEnum(texts)
	}
	for _, text := range texts {
		if n := int64(utf8.RuneCountInString(text)); n < p.min || n > p.max {
			return problem(fmt.Sprintf("must have %d to %d characters", p.min, p.max))
		}
	}
	return nil
}
