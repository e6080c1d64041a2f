package params

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const bodyParameter = "body"

// body decodes a JSON object whose keys are parameters: names are matched case
// and all, null is absent, values have their native type. A key that is there
// twice is a fault, since readers of JSON differ in which one they believe
// (RFC 8259, section 4).
func (d *decoder) body(body []byte) {
	// The decoder would stop at the first double key; ours tells of all of them.
	in := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	if in.PeekKind() != jsontext.KindBeginObject {
		d.fault(bodyParameter, `must be a JSON object of parameters, for example {"keyword": "ivanov", "limit": 20}`)
		return
	}
	_, err := in.ReadToken()
	seen := make(map[string]bool)
	for err == nil && in.PeekKind() != jsontext.KindEndObject {
		err = d.member(in, seen)
	}
	if err == nil {
		_, err = in.ReadToken()
	}
	if err == nil {
		err = atEnd(in)
	}
	if err != nil {
		d.fault(brokenAt(err), "is not valid JSON in UTF-8; correct the body (one object and nothing after it)")
	}
}

// member decodes one key and its value.
func (d *decoder) member(in *jsontext.Decoder, seen map[string]bool) error {
	token, err := in.ReadToken()
	if err != nil {
		return err
	}
	name := token.String()
	raw, err := in.ReadValue()
	if err != nil {
		return err
	}
	if seen[name] {
		d.fault(name, "is there more than once; give it once")
		return nil
	}
	seen[name] = true
	p, ok := d.lookup(name)
	if !ok || raw.Kind() == jsontext.KindNull {
		return nil
	}
	v, problem := p.parseJSON(raw)
	d.take(p, v, problem)
	return nil
}

func atEnd(in *jsontext.Decoder) error {
	switch _, err := in.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("a second value")
}

// brokenAt names the parameter in which the JSON stops being JSON.
func brokenAt(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if name, _, _ := strings.Cut(strings.TrimPrefix(string(syntax.JSONPointer), "/"), "/"); name != "" {
			return name
		}
	}
	return bodyParameter
}

// parseJSON reads the value that a body has for the parameter.
func (p param) parseJSON(raw jsontext.Value) (value, string) {
	switch p.kind {
	case kindBool:
		return jsonBool(raw)
	case kindInt:
		n, problem := jsonInt(raw)
		return value{n: n}, problem
	case kindText, kindDate:
		text, problem := jsonText(raw)
		if problem == "" && text == "" && (p.min > 0 || p.kind == kindDate || p.enum != nil) {
			problem = "has no value; give one, or null"
		}
		return value{text: text}, problem
	case kindTexts:
		list, problem := jsonList(raw, jsonText)
		return value{texts: list}, problem
	case kindInts:
		list, problem := jsonList(raw, jsonInt)
		return value{ints: list}, problem
	}
	return value{}, "cannot be given in a body"
}

func jsonBool(raw jsontext.Value) (value, string) {
	switch raw.Kind() {
	case jsontext.KindTrue:
		return value{on: true}, ""
	case jsontext.KindFalse:
		return value{}, ""
	}
	return value{}, "must be true or false, without quotes"
}

func jsonInt(raw jsontext.Value) (int64, string) {
	const problem = "must be a whole number, without quotes, fraction or exponent"
	if raw.Kind() != jsontext.KindNumber {
		return 0, problem
	}
	n, invalid := parseInt(string(raw))
	if invalid != "" {
		return 0, problem
	}
	return n, ""
}

func jsonText(raw jsontext.Value) (string, string) {
	if raw.Kind() != jsontext.KindString {
		return "", "must be a JSON string"
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", "must be a JSON string in UTF-8"
	}
	return string(text), checkText(string(text))
}

// jsonList reads an array. Its entries are taken as they are: commas and spaces
// mean nothing here.
func jsonList[T any](raw jsontext.Value, entry func(jsontext.Value) (T, string)) ([]T, string) {
	if raw.Kind() != jsontext.KindBeginArray {
		return nil, "must be a JSON array"
	}
	in := jsontext.NewDecoder(bytes.NewReader(raw))
	var list []T
	if _, err := in.ReadToken(); err != nil {
		return nil, "must be a JSON array"
	}
	for in.PeekKind() != jsontext.KindEndArray {
		element, err := in.ReadValue()
		if err != nil {
			return nil, "must be a JSON array of plain values"
		}
		v, problem := entry(element)
		if problem != "" {
			return nil, "entry " + strconv.Itoa(len(list)+1) + " " + problem
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return nil, "is empty; give at least one entry, or null"
	}
	return list, ""
}
