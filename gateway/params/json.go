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

// body decodes a JSON object whose keys are parameters. Names are case-sensitive, null
// is the same as absent, and values have their native type. A duplicate key is a
// fault, since readers of JSON differ in which value they use (RFC 8259, section 4).
func (d *decoder) body(body []byte) {
	// jsontext would stop at the first duplicate key; member reports each of them.
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
	v, err := p.parseJSON(raw)
	d.set(p, v, err)
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

// brokenAt names the parameter in which the JSON has a syntax error.
func brokenAt(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if name, _, _ := strings.Cut(strings.TrimPrefix(string(syntax.JSONPointer), "/"), "/"); name != "" {
			return name
		}
	}
	return bodyParameter
}

// parseJSON reads the parameter's value in a body.
func (p param) parseJSON(raw jsontext.Value) (value, error) {
	switch p.kind {
	case kindBool:
		return jsonBool(raw)
	case kindInt:
		n, err := jsonInt(raw)
		return value{n: n}, err
	case kindNumber:
		x, err := jsonNumber(raw)
		return value{x: x}, err
	case kindTop:
		if text, err := jsonText(raw); err == nil && text == topAll {
			return value{text: topAll}, nil
		}
		n, err := jsonInt(raw)
		if err != nil {
			return value{}, errTop
		}
		return value{n: n}, nil
	case kindZone:
		if n, err := jsonInt(raw); err == nil {
			return p.zoneOfMinutes(n)
		}
		if name, err := jsonText(raw); err == nil {
			return p.zoneOfName(name)
		}
		return value{}, p.wrongZone()
	case kindText, kindDate:
		text, err := jsonText(raw)
		if err == nil && text == "" && (p.min > 0 || p.kind == kindDate || p.enum != nil) {
			err = problem("has no value; give one, or null")
		}
		return value{text: text}, err
	case kindTexts:
		list, err := jsonList(raw, jsonText)
		return value{texts: list}, err
	case kindInts:
		list, err := jsonList(raw, jsonInt)
		return value{ints: list}, err
	}
	return value{}, problem("cannot be given in a body")
}

func jsonBool(raw jsontext.Value) (value, error) {
	switch raw.Kind() {
	case jsontext.KindTrue:
		return value{on: true}, nil
	case jsontext.KindFalse:
		return value{}, nil
	}
	return value{}, problem("must be true or false, without quotes")
}

func jsonInt(raw jsontext.Value) (int64, error) {
	const wrong problem = "must be a whole number, without quotes, fraction or exponent"
	if raw.Kind() != jsontext.KindNumber {
		return 0, wrong
	}
	n, err := parseInt(string(raw))
	if err != nil {
		return 0, wrong
	}
	return n, nil
}

func jsonNumber(raw jsontext.Value) (float64, error) {
	if raw.Kind() != jsontext.KindNumber {
		return 0, problem("must be a number, without quotes")
	}
	return parseNumber(string(raw))
}

func jsonText(raw jsontext.Value) (string, error) {
	if raw.Kind() != jsontext.KindString {
		return "", problem("must be a JSON string")
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", problem("must be a JSON string in UTF-8")
	}
	return string(text), checkText(string(text))
}

// jsonList reads an array. Commas and spaces in its texts have no meaning, unlike in a
// query string.
func jsonList[T any](raw jsontext.Value, entry func(jsontext.Value) (T, error)) ([]T, error) {
	if raw.Kind() != jsontext.KindBeginArray {
		return nil, problem("must be a JSON array")
	}
	in := jsontext.NewDecoder(bytes.NewReader(raw))
	var list []T
	if _, err := in.ReadToken(); err != nil {
		return nil, problem("must be a JSON array")
	}
	for in.PeekKind() != jsontext.KindEndArray {
		element, err := in.ReadValue()
		if err != nil {
			return nil, problem("must be a JSON array of plain values")
		}
		v, err := entry(element)
		if err != nil {
			return nil, problem("entry " + strconv.Itoa(len(list)+1) + " " + err.Error())
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return nil, problem("is empty; give at least one entry, or null")
	}
	return list, nil
}
