package session

import (
	"encoding/json"
	"fmt"

	"github.com/scopegate/scopegate/session/jsonscan"
)

// Values splits the JSON of a row into the raw values of the given fields and
// appends them to into, in catalogue order. The values are parts of wire, which
// must be an object with exactly these fields. Wire form (catalogue order, no white
// space) is read several times faster than other forms.
//
// It fails with ErrDocument when wire is not such an object. The values themselves
// are not checked.
func Values(wire json.RawMessage, fields FieldSet, into [][]byte) ([][]byte, error) {
	before, rest, first := len(into), wire, byte('{')
	for i := range catalogue {
		if !fields.Has(i) {
			continue
		}
		prefix := fieldPrefix[i]
		if len(rest) < len(prefix) || rest[0] != first || string(rest[1:len(prefix)]) != prefix[1:] {
			return valuesByName(wire, fields, into[:before])
		}
		rest, first = rest[len(prefix):], ','
		n := jsonscan.ValueEnd(rest)
		if n == 0 {
			return into[:before], errNoRow
		}
		into = append(into, rest[:n])
		rest = rest[n:]
	}
	if string(rest) != "}" {
		return valuesByName(wire, fields, into[:before])
	}
	return into, nil
}

var errNoRow = fmt.Errorf("%w: row is no object of the fields asked for", ErrDocument)

// valuesByName reads the fields in any order.
func valuesByName(wire json.RawMessage, fields FieldSet, into [][]byte) ([][]byte, error) {
	var values [len(catalogue)][]byte
	found, next := 0, 0
	s := jsonscan.New(wire)
	for s.Open('{'); s.Member(); {
		i, ok := fieldAt(s.Name, next)
		if !ok || !fields.Has(i) || values[i] != nil {
			return into, errNoRow
		}
		values[i], next = s.Value, i+1
		found++
	}
	if !s.Done() || found != fields.Len() {
		return into, errNoRow
	}
	for i, value := range values {
		if fields.Has(i) {
			into = append(into, value)
		}
	}
	return into, nil
}
