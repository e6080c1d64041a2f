package session

import (
	"bytes"
	"slices"

	"github.com/scopegate/scopegate/session/jsonscan"
)

// wireField describes a field in wire form.
type wireField struct {
	prefix []byte // text up to the value
	Field

	isPart, isSum bool // of messageCount
}

var (
	wireFields = func() []wireField {
		var fields []Field
		for _, f := range Fields() {
			fields = append(fields, f)
		}
		return prefixed(fields)
	}()
	operatorFields = prefixed([]Field{
		{Name: "id", Type: TypeInteger, Nullable: true}, {Name: "name", Type: TypeString, Nullable: true},
		{Name: "type", Type: TypeString, Nullable: true}, {Name: "assigned_at", Type: TypeDate, Nullable: true},
	})
)

func prefixed(fields []Field) []wireField {
	all := make([]wireField, len(fields))
	for i, f := range fields {
		prefix := `,"` + f.Name + `":`
		if i == 0 {
			prefix = "{" + prefix[1:]
		}
		all[i] = wireField{[]byte(prefix), f, slices.Contains(countFields(), f.Name), f.Name == "messageCount"}
	}
	return all
}

// countFields returns the names of the fields that messageCount is the sum of.
func countFields() []string {
	return []string{"clientMessageCount", "operatorMessageCount", "botMessageCount"}
}

// IsWireForm reports whether the document has every field in its place, each with a
// value of its type, without white space between them, and with the right sum of
// messages. It checks no more than that, because it runs for every row of every
// answer and Elasticsearch has already checked that the text is JSON. The
// characters in strings are not checked.
func IsWireForm(doc []byte) bool { return len(doc) > 0 && WireFormLength(doc) == len(doc) }

// WireFormLength returns the length of the wire form document at the start of the
// text, 0 when there is none.
func WireFormLength(text []byte) int { return objectLength(text, wireFields) }

func objectLength(text []byte, fields []wireField) int {
	rest := text
	var messages int64
	for i := range fields {
		f := &fields[i]
		if !bytes.HasPrefix(rest, f.prefix) {
			return 0
		}
		rest = rest[len(f.prefix):]
		n := jsonscan.ValueEnd(rest)
		if n == 0 || !f.holds(rest[:n]) {
			return 0
		}
		switch {
		case f.isPart:
			messages += integer(rest[:n])
		case f.isSum && messages != integer(rest[:n]):
			return 0
		}
		rest = rest[n:]
	}
	if len(rest) == 0 || rest[0] != '}' {
		return 0
	}
	return len(text) - len(rest) + 1
}

// holds reports whether a value has the field's type and every reader of the type
// can read it.
func (f *wireField) holds(value []byte) bool {
	first := value[0]
	if first == 'n' {
		return f.Nullable && string(value) == "null"
	}
	switch f.Type {
	case TypeString:
		return first == '"'
	case TypeDate:
		return isWireDate(value)
	case TypeInteger:
		return isInteger(value)
	case TypeNumber:
		return (first == '-' || isDigit(first)) && len(bytes.TrimLeft(value, "0123456789+-.eE")) == 0 && NumbersFit(value)
	case TypeBoolean:
		return string(value) == "true" || string(value) == "false"
	case TypeObject:
		return first == '{' && NumbersFit(value)
	case TypeStrings:
		return isList(value, jsonscan.StringEnd)
	default:
		return isList(value, func(text []byte) int { return objectLength(text, operatorFields) })
	}
}

// isList reports whether a value is a list without white space. length returns the
// length of the element at the start of the text, or 0 when there is none.
func isList(value []byte, length func([]byte) int) bool {
	if value[0] != '[' || value[len(value)-1] != ']' {
		return false
	}
	for rest := value[1:]; len(rest) > 1; {
		n := length(rest)
		if n == 0 || n == len(rest) {
			return false
		}
		switch rest = rest[n:]; {
		case rest[0] == ',' && len(rest) > len(",]"):
			rest = rest[1:]
		case rest[0] != ']' || len(rest) > 1:
			return false
		}
	}
	return true
}

const safeDigits = 18 // a 64-bit integer can hold any number of this length

// isInteger accepts digits only, few enough that three such numbers can be added
// without overflow.
func isInteger(value []byte) bool {
	digits := bytes.TrimPrefix(value, []byte{'-'})
	if len(digits) == 0 || len(digits) > safeDigits {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// integer returns the value of a text that isInteger accepts.
func integer(value []byte) (n int64) {
	negative := value[0] == '-'
	for _, c := range value {
		if c != '-' {
			n = n*10 + int64(c-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}

func isWireDate(value []byte) bool {
	if value[0] != '"' {
		return false
	}
	_, ok := parseWireDate(value[1 : len(value)-1])
	return ok
}
