package params

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

type apply = func(d *decoder, v value) error

func setBool(target func(*decoder) *bool) apply {
	return func(d *decoder, v value) error {
		*target(d) = v.on
		return nil
	}
}

func setChoice(target func(*decoder) **bool) apply {
	return func(d *decoder, v value) error {
		*target(d) = &v.on
		return nil
	}
}

func setNumber(target func(*decoder) **float64) apply {
	return func(d *decoder, v value) error {
		*target(d) = &v.x
		return nil
	}
}

func setText(target func(*decoder) *string) apply {
	return func(d *decoder, v value) error {
		*target(d) = v.text
		return nil
	}
}

func setTexts(target func(*decoder) *[]string) apply {
	return func(d *decoder, v value) error {
		*target(d) = v.texts
		return nil
	}
}

// Values of header.
const (
	headerNames  = "names"
	headerLabels = "labels"
)

func applyLanguage(d *decoder, v value) error {
	d.language = v.text
	return nil
}

func refuseGroup(*decoder, value) error {
	return problem("is not supported; /api/v1/sessions/summary counts the sessions of each company, messenger type, operator type " +
		"and status; one session per client is groupByClientId")
}

func applyFormat(d *decoder, v value) error {
	d.request.File.Format = export.Format(v.text)
	return nil
}

func applyLimit(d *decoder, v value) error {
	d.request.Query.Limit = int(v.n)
	return nil
}

func applyOffset(d *decoder, v value) error {
	d.request.Query.Offset = int(v.n)
	return nil
}

func applyPage(d *decoder, v value) error {
	d.page = v.n
	return nil
}

func applyMinMessageCount(d *decoder, v value) error {
	d.request.Query.Filter.MinMessageCount = v.n
	return nil
}

func applyInterval(d *decoder, v value) error {
	d.summaryQuery.Interval = search.Interval(v.text)
	return nil
}

func applyHistogram(d *decoder, v value) error {
	d.summaryQuery.WithoutHistogram = !v.on
	return nil
}

func applyFacets(d *decoder, v value) error {
	d.summaryQuery.Facets = nil
	for _, name := range v.texts {
		d.summaryQuery.Facets = append(d.summaryQuery.Facets, search.Facet(name))
	}
	return nil
}

// applyTop reads a number, or the text that stands for all companies.
func applyTop(d *decoder, v value) error {
	d.summaryQuery.AllCompanies = v.text != ""
	d.summaryQuery.Top = int(v.n)
	if d.summaryQuery.AllCompanies {
		d.summaryQuery.Top = search.MaxTop
	}
	return nil
}

func applyTimezone(d *decoder, v value) error {
	d.request.File.Zone = v.zone
	return nil
}

func applyDateField(d *decoder, v value) error {
	d.request.Query.Filter.DateField = search.DateField(v.text)
	return nil
}

func applyCompanyID(d *decoder, v value) error {
	d.request.Selection.Companies = []tenancy.CompanyID{tenancy.CompanyID(v.n)}
	return nil
}

func setCompanies(target func(*decoder) *[]tenancy.CompanyID) apply {
	return func(d *decoder, v value) error {
		ids := make([]tenancy.CompanyID, len(v.ints))
		for i, id := range v.ints {
			ids[i] = tenancy.CompanyID(id)
		}
		*target(d) = ids
		return nil
	}
}

func applyFields(d *decoder, v value) error {
	var fields session.FieldSet
	for _, name := range v.texts {
		if i, _, ok := session.FieldByName(name); ok {
			fields = fields.With(i)
		}
	}
	d.request.Query.Fields = fields
	return nil
}

// applySort reads sort keys. Without a sign the order is ascending, so a "+" that was
// not encoded, and is decoded as a space, needs no repair.
func applySort(d *decoder, v value) error {
	var keys []search.SortKey
	var unknown, twice []string
	seen := make(map[string]bool)
	for _, text := range v.texts {
		name, desc := cutSign(text)
		field, ok := session.FieldBySortName(name)
		switch {
		case !ok:
			unknown = append(unknown, name)
		case seen[field.Name]:
			twice = append(twice, field.SortName)
		default:
			seen[field.Name] = true
			keys = append(keys, search.SortKey{Field: field.Name, Desc: desc})
		}
	}
	var wrong []string
	if len(unknown) > 0 {
		wrong = append(wrong, "cannot sort by "+listUnknown(unknown, sortNames())+"; the sort fields are "+strings.Join(sortNames(), ", "))
	}
	if len(twice) > 0 {
		wrong = append(wrong, "has "+strings.Join(twice, ", ")+" twice; name each field once")
	}
	if len(wrong) > 0 {
		return problem(strings.Join(wrong, "; "))
	}
	d.request.Query.Sort = search.NormalizeSort(keys)
	return nil
}

func cutSign(text string) (name string, desc bool) {
	text = strings.Trim(text, " ")
	if name, ok := strings.CutPrefix(text, "-"); ok {
		return name, true
	}
	return strings.TrimPrefix(text, "+"), false
}

func applyOffsetField(d *decoder, v value) error {
	d.offsetField, _ = session.FieldBySortName(v.text)
	return nil
}

func applyKeyword(d *decoder, v value) error {
	parsed, err := keyword.Parse(v.text)
	if err != nil {
		return problem("holds nothing that could be searched for (white space and marks alone do not count); write at least one letter, digit or sign")
	}
	d.request.Query.Filter.Keyword = parsed
	return nil
}

// setTags trims the tags, since those of sessions are trimmed when they are stored.
func setTags(target func(*decoder) *[]string) apply {
	return func(d *decoder, v value) error {
		tags := make([]string, len(v.texts))
		for i, tag := range v.texts {
			tags[i] = strings.TrimSpace(tag)
			if tags[i] == "" {
				return problem("has an empty entry; leave it out")
			}
			if strings.Contains(tag, ",") {
				return problem("has an entry with a comma in it; write each tag as an entry of its own")
			}
		}
		*target(d) = tags
		return nil
	}
}

func applyCompaniesQuery(d *decoder, v value) error {
	text := strings.TrimSpace(v.text)
	if keyword.Fold(text) == "" {
		return problem("holds nothing that could be in a name; write at least one letter, digit or sign")
	}
	d.companies = text
	return nil
}

// listUnknown quotes unknown names, each with the known name that may be meant.
func listUnknown(unknown, known []string) string {
	const maxListed = 20
	var listed []string
	for _, name := range unknown[:min(len(unknown), maxListed)] {
		if near := nearest(name, known); near != "" {
			listed = append(listed, fmt.Sprintf("%s (did you mean %s?)", quoted(name), near))
		} else {
			listed = append(listed, quoted(name))
		}
	}
	if more := len(unknown) - len(listed); more > 0 {
		listed = append(listed, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(listed, ", ")
}

func applyFrom(d *decoder, v value) error {
	date, err := parseDate(v.text)
	if err != nil {
		return err
	}
	if truncated := date.Truncate(time.Millisecond); truncated.Before(date) {
		date = truncated.Add(time.Millisecond)
	}
	d.request.Query.Filter.From = date
	return checkDate(date)
}

func applyTo(d *decoder, v value) error {
	date, err := parseDate(v.text)
	if err != nil {
		return err
	}
	date = date.Truncate(time.Millisecond)
	d.request.Query.Filter.To = date
	return checkDate(date)
}

// checkDate refuses dates that, in UTC, are outside the years of RFC 3339. It refuses
// the zero time too: in a Filter it means that there is no bound, so that the answer
// would have more rows than were asked for.
func checkDate(date time.Time) error {
	if date.IsZero() || date.Year() < 1 || date.Year() > 9999 {
		return problem("must be after 0001-01-01T00:00:00Z and before the year 10000 in UTC")
	}
	return nil
}

// repairPlus restores the "+" of a date's offset, which is decoded as a space if the
// query string was not encoded.
func repairPlus(date string) string {
	const offset = len("+00:00")
	if i := len(date) - offset; i > 0 && date[i] == ' ' {
		return date[:i] + "+" + date[i+1:]
	}
	return date
}

// rfc3339 checks the form. time.Parse alone accepts a decimal comma and single digits
// too (golang.org/issue/54580).
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// parseDate reads an RFC 3339 date and time. Lower-case t and z are allowed (section
// 5.6).
func parseDate(text string) (time.Time, error) {
	text = strings.ToUpper(repairPlus(text))
	date, err := time.Parse(time.RFC3339, text)
	if err != nil || !rfc3339.MatchString(text) {
		return time.Time{}, problem("must be an RFC 3339 date and time, for example 2018-05-27T21:30:54+00:00 (in a URL, write + as %2B)")
	}
	return date.UTC(), nil
}
