package params

import (
	"encoding/json"
	"slices"

	"github.com/scopegate/scopegate/search"
)

// export checks what several parameters say together, and hands out the request
// with the names of its filters.
func (d *decoder) export() (SearchRequest, []string, error) {
	d.checkDates()
	d.checkCompanies()
	d.resolveStart()
	d.resolveResume()
	if err := d.err(); err != nil {
		return SearchRequest{}, nil, err
	}
	return d.asked, d.filters(), nil
}

// IDKey is the order in which an export can be resumed by an id.
const IDKey = "id"

// resolveResume starts behind a session, which says where only in an order by
// id: that of an export without sort.
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
	sort := search.NormalizeSort(d.asked.Query.Sort)
	if sort[0].Field != IDKey {
		if !d.faulty("sort") {
			d.fault("resumeAfter", "needs an order by id; leave out sort, or sort by id")
		}
		return
	}
	_, id, _ := search.FieldByName(IDKey)
	after, err := search.ParseSortValue(id, d.resumeAfter)
	if err != nil {
		d.fault("resumeAfter", "must be the id of a session")
		return
	}
	d.asked.Query.Sort = sort
	d.asked.Query.After = &search.Position{Values: []json.RawMessage{after}}
}

// filters names the filters that were given, in the order of the table. Their
// values are nobody's business but the caller's.
func (d *decoder) filters() []string {
	form := []string{
		"limit", "offset", "offsetField", "offsetValue", "resumeAfter", "fields", "sort", "language",
		"format", "filename", "zip", "timezone", "companyId", "companyIds", "showAllSupervised",
	}
	names := []string{}
	for _, p := range d.params {
		if d.given[p.name] && !slices.Contains(form, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}
