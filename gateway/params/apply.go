package params

import (
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/tenancy"
)

type apply = func(d *decoder, v value) string

func setBool(target func(*decoder) *bool) apply {
	return func(d *decoder, v value) string {
		*target(d) = v.on
		return ""
	}
}

func setChoice(target func(*decoder) **bool) apply {
	return func(d *decoder, v value) string {
		*target(d) = &v.on
		return ""
	}
}

func setText(target func(*decoder) *string) apply {
	return func(d *decoder, v value) string {
		*target(d) = v.text
		return ""
	}
}

func setTexts(target func(*decoder) *[]string) apply {
	return func(d *decoder, v value) string {
		*target(d) = v.texts
		return ""
	}
}

func ignore(*decoder, value) string { return "" }

func notYetTrue(_ *decoder, v value) string {
	if v.on {
		return "is not available yet; leave it out or set it to false"
	}
	return ""
}

func refuseGroup(*decoder, value) string {
	return "is not supported; /api/v1/sessions/summary counts the sessions of each company, messenger type, operator type " +
		"and status; one session per client is groupByClientId (not available yet)"
}

func applyFormat(d *decoder, v value) string {
	d.asked.File.Format = export.Format(v.text)
	return ""
}

func applyLimit(d *decoder, v value) string {
	d.asked.Query.Limit = int(v.n)
	return ""
}

func applyOffset(d *decoder, v value) string {
	d.asked.Query.Offset = int(v.n)
	return ""
}

func applyPage(d *decoder, v value) string {
	d.page = v.n
	return ""
}

func applyMinMessageCount(d *decoder, v value) string {
	d.asked.Query.Filter.MinMessageCount = v.n
	return ""
}

func applyInterval(d *decoder, v value) string {
	d.interval = search.Interval(v.text)
	return ""
}

func applyTimezone(d *decoder, v value) string {
	d.asked.File.Timezone = int(v.n)
	return ""
}

func applyDateField(d *decoder, v value) string {
	d.asked.Query.Filter.DateField = search.DateField(v.text)
	return ""
}

func applyCompanyID(d *decoder, v value) string {
	return applyCompanyIDs(d, value{ints: []int64{v.n}})
}

func applyCompanyIDs(d *decoder, v value) string {
	ids := make([]tenancy.CompanyID, len(v.ints))
	for i, id := range v.ints {
		ids[i] = tenancy.CompanyID(id)
	}
	d.asked.Selection.Companies = ids
	return ""
}

func applyFields(d *decoder, v value) string {
	var fields search.FieldSet
	for _, name := range v.texts {
		if i, _, ok := search.FieldByName(name); ok {
			fields = fields.With(i)
		}
	}
	d.asked.Query.Fields = fields
	return ""
}

// applySort reads sort keys. A + that was not encoded arrives as a space, and
// spaces around commas are tolerated: either way no sign means ascending.
func applySort(d *decoder, v value) string {
	var keys []search.SortKey
	var unknown, twice []string
	seen := make(map[string]bool)
	for _, text := range v.texts {
		name, desc := cutSign(text)
		field, ok := search.FieldBySortName(name)
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
	var problems []string
	if len(unknown) > 0 {
		problems = append(problems, "cannot sort by "+listUnknown(unknown, sortNames())+"; the sort fields are "+strings.Join(sortNames(), ", "))
	}
	if len(twice) > 0 {
		problems = append(problems, "has "+strings.Join(twice, ", ")+" twice; name each field once")
	}
	if len(problems) == 0 {
		d.asked.Query.Sort = search.NormalizeSort(keys)
	}
	return strings.Join(problems, "; ")
}

func cutSign(text string) (name string, desc bool) {
	text = strings.Trim(text, " ")
	if name, ok := strings.CutPrefix(text, "-"); ok {
		return name, true
	}
	return strings.TrimPrefix(text, "+"), false
}

func applyOffsetField(d *decoder, v value) string {
	d.offsetField, _ = search.FieldBySortName(v.text)
	return ""
}

func applyKeyword(d *decoder, v value) string {
	keyword, err := keyword.Parse(v.text)
	if err != nil {
		return "holds nothing that could be searched for (white space and marks alone do not count); write at least one letter, digit or sign"
	}
	d.asked.Query.Filter.Keyword = keyword
	return ""
}

// applyTags trims tags as the tags of a session are, so that they can meet.
func applyTags(d *decoder, v value) string {
	tags := make([]string, len(v.texts))
	for i, tag := range v.texts {
		tags[i] = strings.TrimSpace(tag)
		if tags[i] == "" {
			return "has an empty entry; leave it out"
		}
		if strings.Contains(tag, ",") {
			return "has an entry with a comma in it; write each tag as an entry of its own"
		}
	}
	d.asked.Query.Filter.Tags = tags
	return ""
}

func applyCompaniesQuery(d *decoder, v value) string {
	text := strings.TrimSpace(v.text)
	if keyword.Fold(text) == "" {
		return "holds nothing that could be in a name; write at least one letter, digit or sign"
	}
	d.companies = text
	return ""
}

// listUnknown quotes names that are not among the known, each with the known
// one it may be a slip of.
func listUnknown(unknown, known []string) string {
	const most = 20
	var told []string
	for _, name := range unknown[:min(len(unknown), most)] {
		if near := nearest(name, known); near != "" {
			told = append(told, fmt.Sprintf("%s (did you mean %s?)", quoted(name), near))
		} else {
			told = append(told, quoted(name))
		}
	}
	if more := len(unknown) - len(told); more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(told, ", ")
}
