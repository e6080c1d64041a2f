package params

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// query decodes a query string. url.ParseQuery is not used: it drops what it cannot
// read, and without a filter the answer would have too many rows.
func (d *decoder) query(rawQuery string) {
	var order []string
	texts := make(map[string][]string)
	broken := make(map[string]bool)
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if pair == "" {
			continue
		}
		name, text, err := unescapePair(pair)
		if _, seen := texts[name]; !seen {
			order = append(order, name)
		}
		texts[name] = append(texts[name], text)
		if err != nil && !broken[name] {
			broken[name] = true
			d.fault(name, err.Error())
		}
	}
	for _, name := range order {
		if broken[name] {
			continue
		}
		if p, ok := d.lookup(name); ok {
			v, err := p.parseTexts(texts[name])
			d.set(p, v, err)
		}
	}
}

// unescapePair splits and decodes name=value. If the name cannot be decoded, it is
// returned as it was sent.
func unescapePair(pair string) (name, text string, err error) {
	const percent problem = "is not percent-encoded properly: write %25 for a percent sign"
	rawName, rawText, _ := strings.Cut(pair, "=")
	name, err = url.QueryUnescape(rawName)
	if err != nil {
		return strings.ToValidUTF8(rawName, "\uFFFD"), "", percent
	}
	if err = checkText(name); err != nil {
		return strings.ToValidUTF8(name, "\uFFFD"), "", err
	}
	text, err = url.QueryUnescape(rawText)
	if err != nil {
		return name, "", percent
	}
	return name, text, checkText(text)
}

// checkText refuses text that engines or JSON cannot hold.
func checkText(text string) error {
	switch {
	case !utf8.ValidString(text):
		return problem("is not valid UTF-8; encode the text as UTF-8")
	case strings.ContainsRune(text, 0):
		return problem("has a NUL character in it; leave it out")
	}
	return nil
}

// parseTexts reads the parameter's values in a query string, which are in their
// order there.
func (p param) parseTexts(texts []string) (value, error) {
	switch p.kind {
	case kindTexts:
		list, err := splitList(texts)
		return value{texts: list}, err
	case kindInts:
		return parseInts(texts)
	case kindBool, kindInt, kindText, kindDate:
	}
	if len(texts) > 1 {
		return value{}, problem("is there more than once; give it once")
	}
	if texts[0] == "" && p.min > 0 || texts[0] == "" && p.kind != kindText {
		return value{}, problem("has no value; give one or leave the parameter out")
	}
	switch p.kind {
	case kindBool:
		return parseBool(texts[0])
	case kindInt:
		n, err := parseInt(texts[0])
		return value{n: n}, err
	}
	return value{text: texts[0]}, nil
}

func parseBool(text string) (value, error) {
	switch text {
	case "true", "1":
		return value{on: true}, nil
	case "false", "0":
		return value{}, nil
	}
	return value{}, problem("must be true, false, 1 or 0")
}

// parseInt reads digits after an optional minus. A number of more than 64 bits is
// returned as the nearest one, which is out of the range of every parameter.
func parseInt(text string) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, problem("must be a whole number, written with digits")
	}
	n, _ := strconv.ParseInt(text, 10, 64) // the error means out of range, see above
	return n, nil
}

func parseInts(texts []string) (value, error) {
	list, err := splitList(texts)
	if err != nil {
		return value{}, err
	}
	ints := make([]int64, len(list))
	for i, text := range list {
		if ints[i], err = parseInt(text); err != nil {
			return value{}, problem("must be a list of whole numbers, written with digits and commas")
		}
	}
	return value{ints: ints}, nil
}

// splitList reads a list: separated by commas, with optional spaces around them, or as
// a repeated parameter, or both.
func splitList(texts []string) ([]string, error) {
	var list []string
	for _, text := range texts {
		if text == "" {
			return nil, problem("has no value; give one or leave the parameter out")
		}
		for entry := range strings.SplitSeq(text, ",") {
			entry = strings.Trim(entry, " ")
			if entry == "" {
				return nil, problem("has an empty entry; leave out the comma that is too many")
			}
			list = append(list, entry)
		}
	}
	return list, nil
}

// check checks a value against the bounds of the table.
func (p param) check(v value) error {
	switch p.kind {
	case kindInt:
		return p.checkInts(v.n)
	case kindInts:
		if len(v.ints) > p.maxEntries {
			return problem(fmt.Sprintf("has more than %d entries; ask in several requests", p.maxEntries))
		}
		return p.checkInts(v.ints...)
	case kindText:
		return p.checkTexts(v.text)
	case kindTexts:
		if len(v.texts) > p.maxEntries {
			return problem(fmt.Sprintf("has more than %d entries; ask in several requests", p.maxEntries))
		}
		return p.checkTexts(v.texts...)
	case kindBool, kindDate:
	}
	return nil
}

func (p param) checkInts(ints ...int64) error {
	for _, n := range ints {
		if n < p.min || n > p.max {
			return problem(fmt.Sprintf("must be from %d to %d", p.min, p.max))
		}
	}
	return nil
}

func (p param) checkTexts(texts ...string) error {
	if p.enum != nil {
		return p.checkEnum(texts)
	}
	for _, text := range texts {
		if n := int64(utf8.RuneCountInString(text)); n < p.min || n > p.max {
			return problem(fmt.Sprintf("must have %d to %d characters", p.min, p.max))
		}
	}
	return nil
}
