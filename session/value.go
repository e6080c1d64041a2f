package session

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session/jsonscan"
)

// escapedNUL is the only form in which valid JSON can contain a NUL.
var escapedNUL = []byte(`\u0000`)

const (
	faultNUL   = "must not hold a NUL"
	faultRange = "must not hold a number that is too large for a float64"
)

var (
	faultDepth  = fmt.Sprintf("must not be nested deeper than %d levels", MaxDepth)
	faultNumber = fmt.Sprintf("must not hold a number of more than %d characters", MaxNumberSize)
)

// operatorKeys are the keys of an operator of a session, in wire order.
var operatorKeys = [...]struct {
	prefix string
	Field
}{
	{`,"id":`, Field{Name: "id", Type: TypeInteger}},
	{`,"name":`, Field{Name: "name", Type: TypeString}},
	{`,"type":`, Field{Name: "type", Type: TypeString}},
	{`,"assigned_at":`, Field{Name: "assigned_at", Type: TypeDate}},
}

// append appends a value in wire form. The value must be valid JSON and not null.
// The fault is "" if it has the field's type.
func (p *parser) append(out []byte, f *Field, value []byte) (_ []byte, fault string) {
	switch f.Type {
	case TypeString:
		if value[0] == '"' {
			return p.appendText(out, value)
		}
	case TypeInteger:
		if n, ok := parseInteger(value); ok {
			return strconv.AppendInt(out, n, 10), ""
		}
	case TypeNumber:
		switch {
		case !isNumber(value):
		case len(value) > MaxNumberSize:
			return out, faultNumber
		default:
			return append(out, value...), ""
		}
	case TypeBoolean:
		if value[0] == 't' || value[0] == 'f' {
			return append(out, value...), ""
		}
	case TypeDate:
		if out, ok := appendDate(out, value); ok {
			return out, ""
		}
	case TypeStrings:
		if value[0] == '[' {
			return p.appendList(out, value, p.listedText)
		}
	case TypeOperators:
		if value[0] == '[' {
			return p.appendList(out, value, p.listedOperator)
		}
	case TypeObject:
		if value[0] == '{' {
			return p.appendObject(out, value)
		}
	}
	return out, "must be " + f.Type.Words()
}

// appendText writes a string with as few escapes as JSON allows.
func (p *parser) appendText(out, value []byte) (_ []byte, fault string) {
	if !hasEscape(value) {
		return append(out, value...), ""
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return out, "must be valid UTF-8"
	}
	if bytes.IndexByte(text, 0) >= 0 {
		fault = faultNUL
	}
	out, _ = jsontext.AppendQuote(out, text) // the text was just decoded, so it is valid
	return out, fault
}

func hasEscape(value []byte) bool { return bytes.IndexByte(value, '\\') >= 0 }

// textFault checks a string in wire form against the rules of its field.
func textFault(field string, value []byte) string {
	switch field {
	case idField:
		return idFault(unquote(value))
	case "messengerType":
		return enumFault(messengerTypes, value)
	case "operatorType":
		return enumFault(operatorTypes, value)
	case "name", "clientId", "whatsappPhone", "telegramClientId":
		if len(value) > keyword.MaxFieldLen && utf8.RuneCountInString(unquote(value)) > keyword.MaxFieldLen {
			return fmt.Sprintf("must have at most %d characters", keyword.MaxFieldLen)
		}
	}
	return ""
}

func idFault(id string) string {
	switch {
	case id == "" || len(id) > MaxIDSize:
		return fmt.Sprintf("must have 1 to %d bytes", MaxIDSize)
	case strings.ContainsFunc(id, unicode.IsControl):
		return "must not hold control characters"
	}
	return ""
}

// enumFault compares without unquoting: no value of an enumeration has an escape in
// wire form.
func enumFault(enum []string, value []byte) string {
	if slices.Contains(enum, string(value[1:len(value)-1])) {
		return ""
	}
	return "must be one of " + strings.Join(enum, ", ")
}

func parseInteger(value []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// isNumber reports whether a JSON value is a number that a float64 can hold.
func isNumber(value []byte) bool {
	if value[0] != '-' && !isDigit(value[0]) {
		return false
	}
	n, err := strconv.ParseFloat(string(value), 64)
	return err == nil && !math.IsInf(n, 0)
}

func appendDate(out, value []byte) ([]byte, bool) {
	if value[0] != '"' {
		return out, false
	}
	text := value[1 : len(value)-1]
	if _, ok := parseWireDate(text); ok {
		return append(out, value...), true
	}
	if hasEscape(text) {
		text = []byte(unquote(value))
	}
	ms, ok := ParseDate(text)
	if !ok {
		return out, false
	}
	out = append(out, '"')
	out = time.UnixMilli(ms).UTC().AppendFormat(out, DateLayout)
	return append(out, '"'), true
}

// appendList writes a list; each writes one element.
func (p *parser) appendList(out, value []byte, each func(out, value []byte) ([]byte, string)) (_ []byte, fault string) {
	out = append(out, '[')
	n := 0
	s := jsonscan.New(value)
	for s.Open('['); s.Element(); n++ {
		if n > 0 {
			out = append(out, ',')
		}
		var wrong string
		if out, wrong = each(out, s.Value); wrong != "" && fault == "" {
			fault = fmt.Sprintf("element %d %s", n+1, wrong)
		}
	}
	return append(out, ']'), fault
}

func (p *parser) listedText(out, value []byte) (_ []byte, fault string) {
	if value[0] != '"' {
		return out, "must be a string"
	}
	return p.appendText(out, value)
}

// listedOperator writes one operator: all four keys, null for a missing one.
func (p *parser) listedOperator(out, value []byte) (_ []byte, fault string) {
	if value[0] != '{' {
		return out, "must be an object with id, name, type and assigned_at"
	}
	var values [len(operatorKeys)][]byte
	s := jsonscan.New(value)
	for s.Open('{'); s.Member(); {
		i := operatorKey(s.Name)
		switch {
		case i < 0:
			return out, "must have no keys but id, name, type and assigned_at"
		case values[i] != nil:
			return out, "must have no key twice"
		}
		values[i] = s.Value
	}
	start := len(out)
	for i, key := range operatorKeys {
		out = append(out, key.prefix...)
		if values[i] == nil || values[i][0] == 'n' {
			out = append(out, jsonNull...)
			continue
		}
		var wrong string
		if out, wrong = p.append(out, &key.Field, values[i]); wrong != "" {
			return out, "has a wrong " + key.Name + ": " + wrong
		}
	}
	out[start] = '{'
	return append(out, '}'), ""
}

func operatorKey(name []byte) int {
	for i, key := range operatorKeys {
		if string(name) == key.Name {
			return i
		}
	}
	return -1
}

// appendObject writes a free object without white space.
func (p *parser) appendObject(out, value []byte) (_ []byte, fault string) {
	if p.holdsNUL && holdsNUL(value) {
		return out, faultNUL
	}
	if fault := boundsFault(value); fault != "" {
		return out, fault
	}
	written, err := jsontext.AppendFormat(out, value)
	if err != nil {
		return out, "must have no key twice"
	}
	return written, ""
}

// boundsFault checks a field's valid JSON against MaxDepth and MaxNumberSize, and
// its numbers against the range of float64, which most readers use.
func boundsFault(value []byte) string {
	depth := 1 // the session itself
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			i += max(jsonscan.StringEnd(value[i:]), 1) - 1
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return faultDepth
			}
		case c == '}' || c == ']':
			depth--
		case c == '-' || isDigit(c):
			n := jsonscan.WordEnd(value[i:])
			if n > MaxNumberSize {
				return faultNumber
			}
			if !fits(value[i : i+n]) {
				return faultRange
			}
			i += n - 1
		}
	}
	return ""
}

// holdsNUL checks every key and string of a value. It is called only when the text
// contains the escape, since `\\u0000` is harmless.
func holdsNUL(value []byte) bool {
	decoder := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			return false
		}
		if token.Kind() == '"' && strings.IndexByte(token.String(), 0) >= 0 {
			return true
		}
	}
}
