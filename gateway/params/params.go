package params

import (
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
)

// SearchRequest is what GET /api/v1/sessions and POST /api/v1/sessions/search
// ask for, or GET and POST /api/v1/sessions/export, decoded. The same question
// has the same SearchRequest, whichever of the two it came by.
type SearchRequest struct {
	// Query is canonical: Sort ends with the tiebreaker, Fields and Limit are
	// set, page is turned into Offset, offsetField and offsetValue into After.
	// That of an export may have no Sort and no Limit, and resumeAfter is in
	// After.
	Query search.Query
	// Selection is what companyId, companyIds and showAllSupervised ask for; it
	// is a wish, to be resolved against the caller's scope.
	Selection tenancy.Selection
	// Cursor is the opaque text as it came, "" for none. With a cursor, Offset
	// is 0 and After is nil: opening it yields After.
	Cursor string
	// File is the form of the answer.
	File File
}

// File is the form in which sessions are answered.
type File struct {
	Format   export.Format
	Name     string // as asked, "" for the default
	Zip      bool
	Timezone int // minutes east of UTC
}

// Fault is one entry of a problem's "details".
type Fault struct {
	Parameter string `json:"parameter"`
	Message   string `json:"message"`
}

// Faults is an error that lists every invalid parameter of a request.
type Faults []Fault //nolint:errname // it is the list of Fault, and reads as one

var _ error = Faults(nil)

// Error counts the faults and names none: names and messages repeat what the
// caller wrote, which does not belong in a log.
func (f Faults) Error() string {
	if len(f) == 1 {
		return "1 invalid parameter"
	}
	return fmt.Sprintf("%d invalid parameters", len(f))
}

// SearchQuery decodes the query string of GET /api/v1/sessions. Its error
// is Faults.
func SearchQuery(rawQuery string) (SearchRequest, error) {
	d := newDecoder(searchParams)
	d.query(rawQuery)
	return d.search()
}

// SearchBody decodes POST /api/v1/sessions/search. The URL may carry the
// cursor of a Link header and nothing else; the body is then the one that was
// sent before, so the place where it starts (offset, page, offsetField and
// offsetValue, an earlier cursor) gives way to the cursor. Its error is Faults.
func SearchBody(rawQuery string, body []byte) (SearchRequest, error) {
	return decodeBody(rawQuery, body, linkParams, searchParams).search()
}

// SummaryRequest is what GET and POST /api/v1/sessions/summary ask for, decoded.
type SummaryRequest struct {
	Query     search.SummaryQuery
	Selection tenancy.Selection // as in a SearchRequest
}

// SummaryQuery decodes the query string of GET /api/v1/sessions/summary.
// Its error is Faults.
func SummaryQuery(rawQuery string) (SummaryRequest, error) {
	d := newDecoder(summaryParams)
	d.query(rawQuery)
	return d.summary()
}

// SummaryBody decodes POST /api/v1/sessions/summary, whose URL takes no
// parameters. Its error is Faults.
func SummaryBody(rawQuery string, body []byte) (SummaryRequest, error) {
	return decodeBody(rawQuery, body, nil, summaryParams).summary()
}

// ExportQuery decodes the query string of GET /api/v1/sessions/export, and
// names the filters that are in it. Its error is Faults.
func ExportQuery(rawQuery string) (SearchRequest, []string, error) {
	d := newDecoder(exportParams)
	d.query(rawQuery)
	return d.export()
}

// ExportBody decodes POST /api/v1/sessions/export, whose URL takes nothing.
func ExportBody(rawQuery string, body []byte) (SearchRequest, []string, error) {
	return decodeBody(rawQuery, body, nil, exportParams).export()
}

// decodeBody reads a body, whose URL takes other parameters, or none.
func decodeBody(rawQuery string, body []byte, inURL, inBody []param) *decoder {
	link := newDecoder(inURL)
	link.inBody = inBody
	link.query(rawQuery)
	d := newDecoder(inBody)
	d.body(body)
	d.continueAt(link)
	return d
}

// Item decodes the query string of GET /api/v1/sessions/{id}. Its
// error is Faults.
func Item(rawQuery string) (search.FieldSet, error) {
	d := newDecoder(itemParams)
	d.query(rawQuery)
	if err := d.err(); err != nil {
		return search.FieldSet{}, err
	}
	return d.asked.Query.Fields, nil
}

// Companies decodes the query string of GET /api/v1/companies into
// the text that names must contain, without spaces around it; "" is no filter.
// Its error is Faults.
func Companies(rawQuery string) (query string, err error) {
	d := newDecoder(companiesParams)
	d.query(rawQuery)
	if err := d.err(); err != nil {
		return "", err
	}
	return d.companies, nil
}

// None checks the query string of an endpoint without parameters. Its
// error is Faults.
func None(rawQuery string) error {
	d := newDecoder(nil)
	d.query(rawQuery)
	return d.err()
}
