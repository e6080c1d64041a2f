package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/session/jsonscan"
	"github.com/scopegate/scopegate/tenancy"
)

// Complete converts a session that another producer wrote directly into an engine
// into wire form. The company is the one that the engine found it under. For a
// document that Parse accepts it returns the same bytes as Parse.
//
// A value that Parse refuses affects only its own field. Complete converts what can
// be read as the field's type: a number or a boolean to text, 2.0 to an integer,
// "true" to a boolean, a list of one value to that value, one value to a list.
// Everything else becomes null. Invalid UTF-8 becomes U+FFFD. The limits and
// enumerations of an import do not apply. messageCount is always the sum, limited
// to 64 bits.
//
// It fails with ErrDocument when raw is not a JSON object.
func Complete(raw []byte, company tenancy.CompanyID) (json.RawMessage, error) {
	var values [len(catalogue)][]byte
	next := 0
	s := jsonscan.New(raw)
	for s.Open('{'); s.Member(); {
		if i, ok := fieldAt(s.Name, next); ok {
			values[i], next = s.Value, i+1
		}
	}
	if s.Broken() {
		return nil, fmt.Errorf("%w: stored session is no JSON object", ErrDocument)
	}
	size := len("{}")
	for i, value := range &values {
		size += len(fieldPrefix[i]) + max(len(value), len(jsonNull))
	}
	out := make([]byte, 0, size)
	var messages int64
	for i := range catalogue {
		f := &catalogue[i]
		out = append(out, fieldPrefix[i]...)
		switch f.Name {
		case "companyId":
			out = strconv.AppendUint(out, uint64(company), 10)
		case "clientMessageCount", "operatorMessageCount", "botMessageCount":
			n, _ := integerOf(single(values[i]))
			messages = plus(messages, n)
			out = strconv.AppendInt(out, n, 10)
		case "messageCount": // comes after its parts
			out = strconv.AppendInt(out, messages, 10)
		default:
			out = appendCompleted(out, f.Type, values[i])
		}
	}
	return closeObject(out), nil
}

// plus adds two numbers and stops at the limits of int64.
func plus(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// appendCompleted appends a value, converted to the type, or null. A nil value
// means none.
func appendCompleted(out []byte, t Type, value []byte) []byte {
	switch t {
	case TypeStrings:
		return appendTexts(out, value)
	case TypeOperators:
		return appendOperators(out, value)
	}
	value = single(value)
	if value == nil {
		return append(out, jsonNull...)
	}
	switch t {
	case TypeString:
		if quoted, ok := appendAsText(out, value); ok {
			return quoted
		}
	case TypeInteger:
		if n, ok := integerOf(value); ok {
			return strconv.AppendInt(out, n, 10)
		}
	case TypeNumber:
		if isNumeral(value) && fits(value) {
			return append(out, value...)
		}
	case TypeBoolean:
		switch string(value) {
		case "true", `"true"`:
			return append(out, "true"...)
		case "false", `"false"`, `""`:
			return append(out, "false"...)
		}
	case TypeDate:
		if date, ok := appendDate(out, value); ok {
			return date
		}
	case TypeObject:
		if object, ok := appendAsObject(out, value); ok {
			return object
		}
	}
	return append(out, jsonNull...)
}

// single returns the only value in a value or (nested) list; nil when there is
// none, or several.
func single(value []byte) []byte {
	if len(value) > 0 && value[0] != '[' && value[0] != 'n' {
		return value
	}
	var one []byte
	n := 0
	for inner := range jsonscan.Flatten(value) {
		one, n = inner, n+1
	}
	if n != 1 {
		return nil
	}
	return one
}

// appendAsText writes a string, or the text of a number or boolean as a string.
func appendAsText(out, value []byte) ([]byte, bool) {
	switch {
	case value[0] == '"' && !hasEscape(value) && utf8.Valid(value):
		return append(out, value...), true
	case value[0] == '"':
		text, _ := jsontext.AppendUnquote(nil, value) // invalid UTF-8 becomes U+FFFD
		out, _ = jsontext.AppendQuote(out, strings.ToValidUTF8(string(text), "\uFFFD"))
		return out, true
	case isNumeral(value), string(value) == "true", string(value) == "false":
		out = append(out, '"')
		out = append(out, value...)
		return append(out, '"'), true
	}
	return out, false
}

// isNumeral reports whether a JSON value is a number.
func isNumeral(value []byte) bool {
	return len(value) > 0 && (value[0] == '-' || isDigit(value[0])) && numeralLength(value) == len(value)
}

// numeralLength returns the number of leading bytes that can belong to a number.
func numeralLength(text []byte) int {
	for i, c := range text {
		if !isDigit(c) && strings.IndexByte("+-.eE", c) < 0 {
			return i
		}
	}
	return len(text)
}

func isFinite(numeral []byte) bool {
	n, err := strconv.ParseFloat(string(numeral), 64)
	return err == nil && !math.IsInf(n, 0)
}

// integerOf reads an integer, including one with a fraction of 0 or an exponent.
func integerOf(value []byte) (int64, bool) {
	if n, ok := parseInteger(value); ok {
		return n, true
	}
	if !isNumeral(value) {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(value), 64)
	const end = 1 << 63
	if err != nil || n != math.Trunc(n) || n < -end || n >= end {
		return 0, false
	}
	return int64(n), true
}

func appendTexts(out, value []byte) []byte { return appendFlattened(out, value, appendAsText) }

func appendOperators(out, value []byte) []byte {
	return appendFlattened(out, value, func(out, value []byte) ([]byte, bool) {
		if value[0] != '{' {
			return out, false
		}
		var values [len(operatorKeys)][]byte
		s := jsonscan.New(value)
		for s.Open('{'); s.Member(); {
			if i := operatorKey(s.Name); i >= 0 {
				values[i] = s.Value
			}
		}
		start := len(out)
		for i, key := range operatorKeys {
			out = append(out, key.prefix...)
			out = appendCompleted(out, key.Type, values[i])
		}
		out[start] = '{'
		return append(out, '}'), true
	})
}

// appendFlattened writes a list of all values in a value or (nested) list. It
// writes null when each refuses one of them.
func appendFlattened(out, value []byte, each func(out, value []byte) ([]byte, bool)) []byte {
	if len(value) == 0 || string(value) == "null" {
		return append(out, jsonNull...)
	}
	start, n, good := len(out), 0, true
	out = append(out, '[')
	for inner := range jsonscan.Flatten(value) {
		if n++; n > 1 {
			out = append(out, ',')
		}
		var ok bool
		out, ok = each(out, inner)
		good = good && ok
	}
	if !good {
		return append(out[:start], jsonNull...)
	}
	return append(out, ']')
}

// appendAsObject writes a free object without white space.
func appendAsObject(out, value []byte) ([]byte, bool) {
	if value[0] != '{' || !NumbersFit(value) {
		return out, false
	}
	written, err := jsontext.AppendFormat(out, value, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return written, err == nil
}

// NumbersFit reports whether a float64 can hold every number in a JSON value: most
// readers of free objects convert numbers to float64.
func NumbersFit(value []byte) bool {
	for i := 0; i < len(value); {
		switch c := value[i]; {
		case c == '"':
			n := jsonscan.StringEnd(value[i:])
			if n == 0 {
				return true
			}
			i += n
		case isDigit(c):
			n := numeralLength(value[i:])
			if !fits(value[i : i+n]) {
				return false
			}
			i += n
		default:
			i++
		}
	}
	return true
}

// fits is a fast check before isFinite, which most numbers then do not need.
func fits(numeral []byte) bool {
	const safe = 300 // digits without an exponent
	return len(numeral) <= safe && bytes.IndexByte(numeral, 'e') < 0 && bytes.IndexByte(numeral, 'E') < 0 || isFinite(numeral)
}
