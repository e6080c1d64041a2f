package params

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

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
	interval    search.Interval
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
