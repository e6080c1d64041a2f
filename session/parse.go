package session

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/session/jsonscan"
	"github.com/scopegate/scopegate/tenancy"
)

// maxFaults is the largest number of faults of one session that are listed.
const maxFaults = 32

// Parse converts one session into wire form: every field of the catalogue in its
// order, null where it has no value, dates in UTC truncated to milliseconds,
// without white space. Missing counts are 0, and messageCount is their sum. Numbers
// keep their text. Wire form itself is returned byte for byte.
//
// Its error wraps ErrDocument and names every faulty field, without its value.
// Faults are: unknown fields and duplicate keys; values of the wrong type, outside
// an enumeration or with a NUL; a keyword field over keyword.MaxFieldLen
// characters; no id or companyId; a messageCount that is not the sum; nesting
// deeper than MaxDepth; a number of more than MaxNumberSize characters; more than
// MaxDocumentSize bytes.
func Parse(raw []byte) (Document, error) {
	if len(raw) > MaxDocumentSize {
		return Document{}, fmt.Errorf("%w: larger than %d bytes", ErrDocument, MaxDocumentSize)
	}
	if err := checkObject(raw); err != nil {
		return Document{}, err
	}
	p := parser{holdsNUL: bytes.Contains(raw, escapedNUL)}
	p.read(raw)
	doc := p.write()
	if len(doc.json) > MaxDocumentSize {
		p.fault("document", fmt.Sprintf("larger than %d bytes in wire form", MaxDocumentSize))
	}
	if err := p.err(); err != nil {
		return Document{}, err
	}
	return doc, nil
}

// checkObject checks the JSON as a whole, without the values. Duplicate keys are
// found later, so that they can be named.
func checkObject(raw []byte) error {
	twice := jsontext.AllowDuplicateNames(true)
	if value := jsontext.Value(raw); value.IsValid(twice) {
		if value.Kind() != '{' {
			return fmt.Errorf("%w: not a JSON object", ErrDocument)
		}
		return nil
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(raw), twice)
	_ = decoder.SkipValue() // it stops at the first byte that is not JSON
	return fmt.Errorf("%w: not valid JSON in UTF-8, at about byte %d", ErrDocument, decoder.InputOffset())
}

// parser collects the values of one session and their faults.
type parser struct {
	values   [len(catalogue)][]byte // as given; nil: absent
	holdsNUL bool                   // a string may contain a NUL, written \u0000
	messages int64                  // sum of client, operator and bot messages
	faults   []string
	unlisted int // number of faults beyond maxFaults
}

func (p *parser) fault(field, what string) {
	if len(p.faults) == maxFaults {
		p.unlisted++
		return
	}
	p.faults = append(p.faults, field+": "+what)
}

func (p *parser) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	text := strings.Join(p.faults, "; ")
	if p.unlisted > 0 {
		text += fmt.Sprintf("; and %d more", p.unlisted)
	}
	return fmt.Errorf("%w: %s", ErrDocument, text)
}

// read finds each field's value.
func (p *parser) read(raw []byte) {
	next := 0
	s := jsonscan.New(raw)
	for s.Open('{'); s.Member(); {
		i, ok := fieldAt(s.Name, next)
		switch {
		case !ok:
			p.fault(printable(s.Name), "unknown field")
			continue
		case p.values[i] != nil:
			p.fault(catalogue[i].Name, "given twice")
		}
		p.values[i] = s.Value
		next = i + 1
	}
}

// printable returns an unknown key, shortened and without control characters.
func printable(name []byte) string {
	const most = 40
	if runes := []rune(string(name)); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(string(name))
}

// write writes the wire form. The result is valid only if there is no fault.
func (p *parser) write() Document {
	size := len("{}")
	for i, value := range &p.values {
		size += len(fieldPrefix[i]) + max(len(value), len(jsonNull))
	}
	out := make([]byte, 0, size)
	spans := new([len(catalogue)]span)
	for i := range catalogue {
		out = append(out, fieldPrefix[i]...)
		spans[i].start = uint32(len(out))
		out = p.field(out, &catalogue[i], p.values[i])
		spans[i].end = uint32(len(out))
	}
	return Document{json: closeObject(out), spans: spans}
}

// field appends the value of one field in wire form.
func (p *parser) field(out []byte, f *Field, value []byte) []byte {
	if value == nil || string(value) == "null" {
		return p.missing(out, f)
	}
	switch f.Name {
	case "companyId":
		return p.company(out, f, value)
	case "clientMessageCount", "operatorMessageCount", "botMessageCount":
		return p.count(out, f, value)
	case "messageCount":
		return p.sum(out, f, value)
	}
	start := len(out)
	out, fault := p.append(out, f, value)
	if fault == "" && f.Type == TypeString {
		fault = textFault(f.Name, out[start:])
	}
	if fault != "" {
		p.fault(f.Name, fault)
	}
	return out
}

func (p *parser) missing(out []byte, f *Field) []byte {
	switch f.Name {
	case idField, "companyId":
		p.fault(f.Name, "is required")
	case "messageCount":
		return strconv.AppendInt(out, p.messages, 10)
	case "clientMessageCount", "operatorMessageCount", "botMessageCount":
		return append(out, '0')
	}
	return append(out, jsonNull...)
}

func (p *parser) company(out []byte, f *Field, value []byte) []byte {
	if n, ok := parseInteger(value); !ok || n < 1 || n > int64(tenancy.MaxCompanyID) {
		p.fault(f.Name, fmt.Sprintf("must be an integer from 1 to %d", tenancy.MaxCompanyID))
	}
	return append(out, value...)
}

func (p *parser) count(out []byte, f *Field, value []byte) []byte {
	n, ok := parseInteger(value)
	switch {
	case !ok || n < 0:
		p.fault(f.Name, "must be an integer of at least 0")
	case n > math.MaxInt64-p.messages:
		p.fault(f.Name, "makes the sum of messages too large")
	default:
		p.messages += n
	}
	return strconv.AppendInt(out, n, 10)
}

// sum writes messageCount. It relies on the catalogue's order: the parts come
// before the sum.
func (p *parser) sum(out []byte, f *Field, value []byte) []byte {
	if n, ok := parseInteger(value); !ok || n != p.messages {
		p.fault(f.Name, "must be the sum of the client's, operators' and bot's messages, or be left out")
	}
	return strconv.AppendInt(out, p.messages, 10)
}
