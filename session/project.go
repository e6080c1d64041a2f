package session

import (
	"encoding/json"
	"fmt"

	"github.com/scopegate/scopegate/session/jsonscan"
)

// Project cuts a session in wire form down to the fields of the set, in
// catalogue order; for AllFields it is the session itself, untouched. A field
// that is missing comes out null, one that is not in the catalogue is left out,
// and the order of the fields in the session makes no difference: wire form is
// the fast case, in which reading stops behind the last field asked for.
//
// It fails with ErrDocument when wire is no JSON object. What is in the values
// is not looked at.
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

// fieldAt finds a field by name, first where it stands in wire form.
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

// closeObject makes an object of members that each begin with a comma.
func closeObject(members []byte) []byte {
	if len(members) == 0 {
		return []byte("{}")
	}
	members[0] = '{'
	return append(members, '}')
}
