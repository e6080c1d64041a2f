package params

import (
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Input is the source of parameters: the parts of a request that hold them.
type Input struct {
	Query string // of the URL, not decoded
	Post  bool   // the parameters are in the body
	Body  []byte
}

// SearchRequest has the decoded parameters of a search or an export. A GET and a POST
// with the same parameters have equal SearchRequests.
type SearchRequest struct {
	// Query is canonical: Sort ends with the tiebreaker, Fields and Limit are set,
	// page is converted to Offset, and offsetField and offsetValue to After. In an
	// export Sort may be empty and Limit 0, and resumeAfter is converted to After.
	Query search.Query
	// Selection has companyId, companyIds and showAllSupervised. The caller may not
	// be allowed to see them: the scope is resolved from it.
	Selection tenancy.Selection
	// Cursor is the cursor as it was sent, "" for none. With a cursor Offset is 0
	// and After is nil: After is in the cursor.
	Cursor string
	// File has the form of the answer.
	File File
}

// File is the form of an answer with sessions.
type File struct {
	Format   export.Format
	Name     string // as sent, "" for the default
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

// Error has the number of faults only: their names and messages repeat what the
// caller wrote, which must not be logged.
func (f Faults) Error() string {
	if len(f) == 1 {
		return "1 invalid parameter"
	}
	return fmt.Sprintf("%d invalid parameters", len(f))
}

// Search decodes GET /api/v1/sessions and POST /api/v1/sessions/search. The URL of
// the POST may have the cursor of a Link header and nothing else. The cursor then
// replaces where the body starts (offset, page, offsetField and offsetValue, an earlier
// cursor), since the caller sends the body of the first page again. Its error is
// Faults.
func Search(in Input) (SearchRequest, error) { return read(in, linkParams, searchParams).search() }

// SummaryRequest has the decoded parameters of a summary.
type SummaryRequest struct {
	Query     search.SummaryQuery
	Selection tenancy.Selection // as in a SearchRequest
}

// Summary decodes GET and POST /api/v1/sessions/summary. The URL of the POST takes
// no parameters. Its error is Faults.
func Summary(in Input) (SummaryRequest, error) { return read(in, nil, summaryParams).summary() }

// ExportRequest has the decoded parameters of an export.
type ExportRequest struct {
	SearchRequest

	Filters []string // names of the filters that were sent, in the order of the table
}

// Export decodes GET and POST /api/v1/sessions/export. The URL of the POST takes no
// parameters. Its error is Faults.
func Export(in Input) (ExportRequest, error) { return read(in, nil, exportParams).export() }

// read decodes a request: the query by inURL and, for a POST, the body by inBody.
func read(in Input, inURL, inBody []param) *decoder {
	d := newDecoder(inBody)
	if !in.Post {
		d.query(in.Query)
		return d
	}
	link := newDecoder(inURL)
	link.inBody = inBody
	link.query(in.Query)
	d.body(in.Body)
	d.continueAt(link)
	return d
}

// Item decodes the query string of GET /api/v1/sessions/{id}. Its
// error is Faults.
func Item(rawQuery string) (session.FieldSet, error) {
	d := newDecoder(itemParams)
	d.query(rawQuery)
	if err := d.err(); err != nil {
		return session.FieldSet{}, err
	}
	return d.request.Query.Fields, nil
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

// None checks the query string of an endpoint without parameters. Its error is
// Faults.
func None(rawQuery string) error {
	d := newDecoder(nil)
	d.query(rawQuery)
	return d.err()
}

// problem is an error for the caller: what is wrong with a value, and what to do.
type problem string

func (p problem) Error() string { return string(p) }
