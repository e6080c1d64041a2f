package params

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	// Selection has companyId, companyIds, branchIds, showAllSupervised and what is excepted. The caller may not
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
	Format export.Format
	Name   string           // as sent, "" for the default
	Labels session.Language // of the header row; "": it has the names of fields
	Zip    bool
	Zone   search.Zone // of its dates
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

// maxFaults bounds the faults that are listed, so that the answer to a hostile request
// is not much larger than the request.
const maxFaults = 100

// decoder collects the parameters of one request, and all their faults.
type decoder struct {
	params  []param
	inBody  []param // parameters of the body, which the URL must not have
	given   map[string]bool
	faults  Faults
	omitted int // number of faults beyond maxFaults

	request     SearchRequest
	page        int64
	offsetField session.Field
	offsetValue string
	resumeAfter string
	companies   string
	language    string
	header      string
	// summaryQuery has what a summary has beside its filter and its time zone.
	summaryQuery search.SummaryQuery
}

// newDecoder makes a decoder with the fallbacks of the parameters set. They are read
// by the same rules as values of callers.
func newDecoder(params []param) *decoder {
	d := &decoder{params: params, given: make(map[string]bool)}
	d.request.Query.Fields = session.AllFields()
	for _, p := range params {
		if p.fallback == "" {
			continue
		}
		v, err := p.parseTexts([]string{p.fallback})
		if err == nil {
			err = p.apply(d, v)
		}
		if err != nil {
			panic("the default of " + p.name + " " + err.Error()) // a fault of the table
		}
	}
	return d
}

// fault adds a fault of a parameter. The message says what is wrong and what to do.
func (d *decoder) fault(parameter, message string) {
	if len(d.faults) == maxFaults {
		d.omitted++
		return
	}
	d.faults = append(d.faults, Fault{Parameter: shorten(parameter), Message: message})
}

// hasFault reports whether the parameter has a fault already.
func (d *decoder) hasFault(name string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool { return f.Parameter == name })
}

// missing adds a fault for an absent parameter, unless it is there with a fault of
// its own.
func (d *decoder) missing(name, message string) {
	if !d.hasFault(name) {
		d.fault(name, message)
	}
}

// err returns Faults, or nil if there are none.
func (d *decoder) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	if d.omitted > 0 {
		last := &d.faults[len(d.faults)-1]
		last.Message += fmt.Sprintf(" (and %d more faults)", d.omitted)
	}
	return d.faults
}

// set checks a value and applies it to the request. It adds a fault if the value
// could not be read, which is err, or is not allowed.
func (d *decoder) set(p param, v value, err error) {
	if err == nil {
		err = p.check(v)
	}
	if err == nil {
		err = p.apply(d, v)
	}
	if err != nil {
		d.fault(p.name, err.Error())
		return
	}
	d.given[p.name] = true
}

// lookup finds a parameter of the table. It adds a fault if there is none.
func (d *decoder) lookup(name string) (param, bool) {
	i := slices.IndexFunc(d.params, func(p param) bool { return p.name == name })
	if i >= 0 {
		return d.params[i], true
	}
	if len(d.faults) < maxFaults {
		d.fault(name, d.unknown(name))
	} else {
		d.omitted++
	}
	return param{}, false
}

// unknown is the message for a name that is not a parameter.
func (d *decoder) unknown(name string) string {
	if slices.Contains(paramNames(d.inBody), name) {
		if len(d.params) == 0 {
			return "goes into the body; the URL takes no parameters"
		}
		return "goes into the body; the URL takes only " + strings.Join(paramNames(d.params), ", ")
	}
	names := paramNames(d.params)
	switch near := nearest(name, names); {
	case near != "":
		return fmt.Sprintf("is not a parameter; did you mean %s?", near)
	case len(names) == 0:
		return "is not a parameter; there are none here, leave it out"
	case len(names) <= 3:
		return "is not a parameter; there is only " + strings.Join(names, ", ")
	}
	return "is not a parameter; leave it out, or see /docs for those there are"
}

func paramNames(params []param) []string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.name
	}
	return names
}

// shorten cuts a caller's text to 64 characters, so that it does not fill the answer.
func shorten(name string) string {
	const longest = 64
	if runes := []rune(name); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return name
}

func quoted(name string) string { return strconv.Quote(shorten(name)) }
