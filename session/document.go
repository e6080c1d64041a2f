package session

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/tenancy"
)

// Limits of a session. Elasticsearch reads no more than 1,000 levels and 1,000
// digits (StreamReadConstraints of its JSON parser, Jackson). These limits are
// lower, so that all engines accept the same documents.
const (
	MaxDocumentSize = 1 << 20 // bytes, both of the input and in wire form
	MaxIDSize       = 512     // bytes of an id
	MaxDepth        = 100     // levels of nested objects and arrays, including the session itself
	MaxNumberSize   = 100     // characters of a number
)

// ErrDocument marks a session that cannot be stored, or was not stored in wire
// form. The text of the error names the faulty fields and contains none of their
// values.
var ErrDocument = errors.New("invalid session")

// Document is one session in wire form, immutable. It has every field of the
// catalogue, in catalogue order, each validated. The zero Document has no value in
// any field.
type Document struct {
	json  json.RawMessage
	spans *[len(catalogue)]span
}

// span is the position of a field's value in the JSON.
type span struct{ start, end uint32 }

var jsonNull = []byte("null")

// Value returns the JSON of a field, null for a field that is not in the catalogue.
// The caller must not modify it.
func (d Document) Value(field string) json.RawMessage {
	i, ok := fieldIndex[field]
	if !ok || d.spans == nil {
		return jsonNull
	}
	return d.json[d.spans[i].start:d.spans[i].end]
}

// JSON returns the wire form: compact, one line, no white space around it. The
// caller must not modify it.
func (d Document) JSON() json.RawMessage { return d.json }

// ID returns the session's id.
func (d Document) ID() string {
	id, _ := d.Text(idField)
	return id
}

// CompanyID returns the company that the session belongs to.
func (d Document) CompanyID() tenancy.CompanyID {
	id, _ := d.Integer("companyId")
	return tenancy.CompanyID(id)
}

// Text returns the value of a string field; false when it is null or not a string.
func (d Document) Text(field string) (string, bool) {
	value := d.Value(field)
	if value[0] != '"' {
		return "", false
	}
	return unquote(value), true
}

// unquote reads a string; the caller has checked that it is valid.
func unquote(value []byte) string {
	inner := value[1 : len(value)-1]
	if !hasEscape(inner) {
		return string(inner)
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return string(inner)
	}
	return string(text)
}

// Integer returns the value of an integer field, or a date's milliseconds since
// 1970; false when it is null or of another type.
func (d Document) Integer(field string) (int64, bool) {
	_, f, _ := FieldByName(field)
	value := d.Value(field)
	switch {
	case f.Type == TypeInteger:
		return parseInteger(value)
	case f.Type == TypeDate && value[0] == '"':
		return parseWireDate(value[1 : len(value)-1])
	}
	return 0, false
}

// Number returns the value of a number or integer field; false when it is null or
// of another type.
func (d Document) Number(field string) (float64, bool) {
	n, err := strconv.ParseFloat(string(d.Value(field)), 64)
	return n, err == nil
}

// Boolean returns the value of a boolean field; ok is false when it is null or of
// another type.
func (d Document) Boolean(field string) (value, ok bool) {
	switch string(d.Value(field)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// Tags returns the session's tags in their order: trimmed, non-empty, without
// duplicates.
func (d Document) Tags() []string {
	list, _ := d.Text("tags")
	var tags []string
	seen := make(map[string]bool)
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag != "" && !seen[tag] {
			seen[tag] = true
			tags = append(tags, tag)
		}
	}
	return tags
}
