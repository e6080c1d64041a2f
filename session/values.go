package session

import (
	"encoding/json"
	"fmt"
)

// Values appends the JSON of each field of the set to into, in catalogue order:
// what Row.JSON of a question for these fields is taken apart by. The values are
// parts of wire, which must be an object with exactly these fields; in wire form
// (that order, no white space between) it is read several times faster than
// otherwise.
//
// It fails with ErrDocument when wire is no such object. What is in the values is
// not looked at.
func Values(wire json.RawMessage, fields FieldSet, into [][]byte) ([][]byte, error) {
	before := len(into)
	s := scanner{text: wire}
	for i := range catalogue {
		if !fields.Has(i) {
			continue
		}
		if !s.prefix(fieldPrefix[i]) {
			return valuesByName(wire, fields, into[:before])
		}
		value := s.scalarOrTree()
		if len(value) == 0 {
			return into[:before], errNoRow
		}
		into = append(into, value)
	}
	if s.broken || string(wire[s.at:]) != "}" {
		return valuesByName(wire, fields, into[:before])
	}
	return into, nil
}

var errNoRow = fmt.Errorf("%w: row is no object of the fields asked for", ErrDocument)

// prefix goes past what stands before a field's value in wire form, where the
// first one has a bracket for its comma.
func (s *scanner) prefix(want string) bool {
	end := s.at + len(want)
	if end > len(s.text) || string(s.text[s.at+1:end]) != want[1:] {
		return false
	}
	if first := s.text[s.at]; first != ',' && s.at > 0 || first != '{' && s.at == 0 {
		return false
	}
	s.at = end
	return true
}

// valuesByName reads the fields wherever they stand.
func valuesByName(wire json.RawMessage, fields FieldSet, into [][]byte) ([][]byte, error) {
	var values [len(catalogue)][]byte
	found, next := 0, 0
	s := scanner{text: wire}
	for s.member() {
		i, ok := fieldAt(s.name, next)
		if !ok || !fields.Has(i) || values[i] != nil {
			return into, errNoRow
		}
		values[i], next = s.value, i+1
		found++
	}
	s.space()
	if s.broken || !s.started || s.at != len(wire) || found != fields.Len() {
		return into, errNoRow
	}
	for i, value := range values {
		if fields.Has(i) {
			into = append(into, value)
		}
	}
	return into, nil
}
