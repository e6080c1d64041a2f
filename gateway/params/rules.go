package params

import (
	"encoding/json"
	"fmt"

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
	d.checkCompanies()
	d.resolvePage()
	d.resolveStart()
	if err := d.err(); err != nil {
		return SearchRequest{}, err
	}
	return d.request, nil
}

// summary checks the rules between the parameters of a summary, and returns the
// request.
func (d *decoder) summary() (SummaryRequest, error) {
	d.checkDates()
	d.checkCompanies()
	if err := d.err(); err != nil {
		return SummaryRequest{}, err
	}
	q := search.SummaryQuery{Filter: d.request.Query.Filter, Interval: d.interval, Timezone: d.request.File.Timezone}
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

func (d *decoder) checkCompanies() {
	if d.given["companyId"] && d.given["companyIds"] {
		d.fault("companyIds", "cannot go with companyId; put every company into companyIds")
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
	d.checkCompanies()
	d.resolveStart()
	d.resolveResume()
	if err := d.err(); err != nil {
		return ExportRequest{}, err
	}
	return ExportRequest{SearchRequest: d.request, Filters: d.filters()}, nil
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
