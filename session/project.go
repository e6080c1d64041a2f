package session

import (
	"encoding/json"
	"fmt"

	"github.com/scopegate/scopegate/session/jsonscan"
)

// Project reduces a session in wire form to the fields of the set, in catalogue
// order. For AllFields it returns the session itself, unchanged. A missing field
// becomes null, and a field that is not in the catalogue is left out. The session's
// fields may have any order; wire form is the fast case, in which reading stops
// after the last requested field.
//
// It fails with ErrDocument when wire is not a JSON object. The values themselves
// are not checked.
func Project(wire json.RawMessage, fields FieldSet) (json.RawMessage, error) {
	if fields.IsAll() {
		return wire, nil
	}
	var values [len(catalogue)][]byte
	missing, next := fields.Len(), 0
	s := jsonscan.New(wire)
	for s.Open('{'); missing > 0 && s.Member(); {
		i, ok := fieldAt(s.Name, next)
		if !ok {
			continue
		}
		next = i + 1
		if fields.Has(i) && values[i] == nil {
			values[i] = s.Value
			missing--
		}
	}
	if s.Broken() {
		return nil, fmt.Errorf("%w: stored session is no JSON object", ErrDocument)
	}
	return appendFields(&values, fields), nil
}

// fieldAt finds a field by name. It first tries the field that wire form has at
// this place.
func fieldAt(name []byte, next int) (int, bool) {
	if next < len(catalogue) && string(name) == catalogue[next].Name {
		return next, true
	}
	i, ok := fieldIndex[string(name)]
	return i, ok
}

func appendFields(values *[len(catalogue)][]byte, fields FieldSet) json.RawMessage {
	size := len("{}")
	for i, value := range values {
		if fields.Has(i) {
			size += len(fieldPrefix[i]) + max(len(value), len(jsonNull))
		}
	}
	out := make([]byte, 0, size)
	for i, value := range values {
		if !fields.Has(i) {
			continue
		}
		out = append(out, fieldPrefix[i]...)
		if value == nil {
			value = jsonNull
		}
		out = append(out, value...)
	}
	return closeObject(out)
}

// closeObject makes an object from members that each begin with a comma.
func closeObject(members []byte) []byte {
	if len(members) == 0 {
		return []byte("{}")
	}
	members[0] = '{'
	return append(members, '}')
}
