package params

import (
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Input is where parameters come from.
type Input struct {
	Query string // of the URL, as it came
	Post  bool   // the parameters are in the body
	Body  []byte
}

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

// Search decodes GET /api/v1/sessions and POST /api/v1/sessions/search. The URL of
// the POST may carry the cursor of a Link header and nothing else; the body is then
// the one that was sent before, so the place where it starts (offset, page,
// offsetField and offsetValue, an earlier cursor) gives way to the cursor. Its error
// is Faults.
func Search(in Input) (SearchRequest, error) { return read(in, linkParams, searchParams).search() }

// SummaryRequest is what GET and POST /api/v1/sessions/summary ask for, decoded.
type SummaryRequest struct {
	Query     search.SummaryQuery
	Selection tenancy.Selection // as in a SearchRequest
}

// Summary decodes GET and POST /api/v1/sessions/summary. The URL of the POST takes
// no parameters. Its error is Faults.
func Summary(in Input) (SummaryRequest, error) { return read(in, nil, summaryParams).summary() }

// ExportRequest is what GET and POST /api/v1/sessions/export ask for, decoded.
type ExportRequest struct {
	SearchRequest

	Filters []string // the names of those that were given, in the order of the table
}

// Export decodes GET and POST /api/v1/sessions/export. The URL of the POST takes no
// parameters. Its error is Faults.
func Export(in Input) (ExportRequest, error) { return read(in, nil, exportParams).export() }

// read reads the parameters of a request: of a POST, those that its URL may have
// and those of its body.
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

// problem is what is wrong with a value, and what to do about it, for the
// caller's eyes.
type problem string

func (p problem) Error() string { return string(p) }
