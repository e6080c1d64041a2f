package params

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// maxFaults bounds the faults that are told one by one, so that a hostile
// request does not have an answer far larger than itself.
const maxFaults = 100

// decoder collects the parameters of one request, and everything that is wrong
// with them.
type decoder struct {
	params []param
	inBody []param // those that belong into the body instead
	given  map[string]bool
	faults Faults
	more   int // faults beyond maxFaults

	asked       SearchRequest
	page        int64
	offsetField session.Field
	offsetValue string
	resumeAfter string
	companies   string
	interval    search.Interval
}

// newDecoder starts with the fallbacks, read by the same rules as what a caller
// writes.
func newDecoder(params []param) *decoder {
	d := &decoder{params: params, given: make(map[string]bool)}
	d.asked.Query.Fields = session.AllFields()
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

// fault notes that something is wrong with a parameter: what it is and what to
// do about it.
func (d *decoder) fault(parameter, message string) {
	if len(d.faults) == maxFaults {
		d.more++
		return
	}
	d.faults = append(d.faults, Fault{Parameter: shorten(parameter), Message: message})
}

func (d *decoder) faulty(name string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool { return f.Parameter == name })
}

// missing notes that a parameter is not there, unless it is and has a fault of
// its own.
func (d *decoder) missing(name, message string) {
	if !d.faulty(name) {
		d.fault(name, message)
	}
}

// err is nil or Faults.
func (d *decoder) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	if d.more > 0 {
		last := &d.faults[len(d.faults)-1]
		last.Message += fmt.Sprintf(" (and %d more faults)", d.more)
	}
	return d.faults
}

// take applies a value that was read, or notes what kept it from being read.
func (d *decoder) take(p param, v value, err error) {
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

// lookup finds a parameter of the table, or notes that there is none.
func (d *decoder) lookup(name string) (param, bool) {
	i := slices.IndexFunc(d.params, func(p param) bool { return p.name == name })
	if i >= 0 {
		return d.params[i], true
	}
	if len(d.faults) < maxFaults {
		d.fault(name, d.unknown(name))
	} else {
		d.more++
	}
	return param{}, false
}

func (d *decoder) unknown(name string) string {
	if slices.Contains(namesOf(d.inBody), name) {
		if len(d.params) == 0 {
			return "goes into the body; the URL takes no parameters"
		}
		return "goes into the body; the URL takes only " + strings.Join(namesOf(d.params), ", ")
	}
	names := namesOf(d.params)
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

func namesOf(params []param) []string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.name
	}
	return names
}

// shorten keeps what the caller wrote from filling the answer.
func shorten(name string) string {
	const longest = 64
	if runes := []rune(name); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return name
}

func quoted(name string) string { return strconv.Quote(shorten(name)) }
