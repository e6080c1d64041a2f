package elastic

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/session/jsonscan"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reader reads the parts of an answer around its documents. In one pass it finds
// where values end, as session.IsWireForm does. A decoder would read and copy every
// byte of the documents, which takes longer than all other work on a row.
type reader struct {
	jsonscan.Scanner

	// odd: some document may contain invalid UTF-8.
	odd bool
}

// openedHit is a session in an answer. Its fields are parts of the answer's text.
type openedHit struct {
	company      int64
	source, sort jsontext.Value
	inWireForm   bool // the source is known to be in wire form
}

// readAnswer reads the answer to a search and passes each hit to each. It fails
// with errStored when a hit cannot be read, and with errAnswer when anything else
// cannot.
func readAnswer(body []byte, each func(openedHit) error) (head answer, err error) {
	r := &reader{jsonscan.New(body), isOdd(body)}
	found, inHit := false, false
	for r.Open('{'); r.Key(); {
		switch string(r.Name) {
		case "took":
			r.decode(&head.Took)
		case "timed_out":
			r.decode(&head.TimedOut)
		case "pit_id":
			r.decode(&head.PIT)
		case "_shards":
			r.decode(&head.Shards)
		case "hits":
			for r.Open('{'); r.Key(); {
				switch string(r.Name) {
				case "total":
					r.decode(&head.Hits.Total)
				case "hits":
					found = true
					for r.Open('['); r.Next(); {
						if h := r.hit(); err == nil && !r.Broken() {
							err = each(h)
						}
					}
					inHit = r.Broken()
				default:
					r.Take()
				}
			}
		default:
			r.Take()
		}
	}
	if err != nil || found && r.Done() {
		return head, err
	}
	if inHit {
		return head, errStored
	}
	return head, errAnswer
}

// isOdd reports whether the body has invalid UTF-8, or an escape of a surrogate. It
// does not distinguish valid pairs of surrogates.
func isOdd(body []byte) bool {
	return !utf8.Valid(body) || bytes.Contains(body, []byte(`\ud`)) || bytes.Contains(body, []byte(`\uD`))
}

// readRows reads the answer to a search for rows. The rows are copies: a page may
// live long, and the body's buffer is reused for the next answer.
func readRows(body []byte) (answer, error) {
	var hits []hit
	head, err := readAnswer(body, func(h openedHit) error {
		sort, ok := elements(h.sort)
		if !ok {
			return errAnswer
		}
		hits = append(hits, hit{Source: h.source.Clone(), Sort: sort, company: h.company, inWireForm: h.inWireForm})
		return nil
	})
	head.Hits.Hits = hits
	return head, err
}

func (r *reader) hit() (h openedHit) {
	for r.Open('{'); r.Key(); {
		switch string(r.Name) {
		case "_source":
			h.source, h.inWireForm = r.document()
		case "sort":
			h.sort = r.Take()
		case "fields":
			h.company = r.company()
		default:
			r.Take()
		}
	}
	if h.company < 1 || h.source == nil || h.sort == nil {
		r.Fail()
	}
	return h
}

// company reads the company from the fields: a list of one number.
func (r *reader) company() (id int64) {
	for r.Open('{'); r.Key(); {
		if string(r.Name) != "companyId" {
			r.Take()
			continue
		}
		n := 0
		for r.Open('['); r.Element(); n++ {
			var err error
			if id, err = strconv.ParseInt(string(r.Value), 10, 64); err != nil || n > 0 {
				r.Fail()
			}
		}
	}
	return id
}

// document reads a session, usually in wire form.
func (r *reader) document() (source []byte, inWireForm bool) {
	if n := session.WireFormLength(r.Rest()); n > 0 && !r.odd {
		return r.Skip(n), true
	}
	return r.Take(), false
}

func (r *reader) decode(into any) {
	if value := r.Take(); json.Unmarshal(value, into, jsontext.AllowDuplicateNames(true)) != nil {
		r.Fail()
	}
}

// elements returns copies of the elements of a list; ok is false when it is not a
// list.
func elements(list []byte) (all []jsontext.Value, ok bool) {
	s := jsonscan.New(list)
	for s.Open('['); s.Element(); {
		all = append(all, jsontext.Value(s.Value).Clone())
	}
	return all, s.Done()
}
