package params

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// query decodes a query string. url.ParseQuery is not used: it drops what it
// cannot read, and a filter that is dropped widens the answer.
func (d *decoder) query(rawQuery string) {
	var order []string
	texts := make(map[string][]string)
	broken := make(map[string]bool)
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if pair == "" {
			continue
		}
		name, text, problem := unescapePair(pair)
		if _, seen := texts[name]; !seen {
			order = append(order, name)
		}
		texts[name] = append(texts[name], text)
		if problem != "" && !broken[name] {
			broken[name] = true
			d.fault(name, problem)
		}
	}
	for _, name := range order {
		if broken[name] {
			continue
		}
		if p, ok := d.lookup(name); ok {
			v, problem := p.parseTexts(texts[name])
			d.take(p, v, problem)
		}
	}
}

// unescapePair splits name=value. A name that cannot be decoded is told as it
// was sent.
func unescapePair(pair string) (name, text, problem string) {
	const percent = "is not percent-encoded properly: write %25 for a percent sign"
	rawName, rawText, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(rawName)
	if err != nil {
		return strings.ToValidUTF8(rawName, "\uFFFD"), "", percent
	}
	if problem = checkText(name); problem != "" {
		return strings.ToValidUTF8(name, "\uFFFD"), "", problem
	}
	text, err = url.QueryUnescape(rawText)
	if err != nil {
		return name, "", percent
	}
	return name, text, checkText(text)
}

// checkText refuses what neither engine nor JSON can carry.
func checkText(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "is not valid UTF-8; encode the text as UTF-8"
	case strings.ContainsRune(text, 0):
		return "has a NUL character in it; leave it out"
	}
	return ""
}

// parseTexts reads the values that a query string has for the parameter, in
// their order.
func (p param) parseTexts(texts []string) (value, string) {
	switch p.kind {
	case kindTexts:
		list, problem := splitList(texts)
		return value{texts: list}, problem
	case kindInts:
		return parseInts(texts)
	case kindBool, kindInt, kindText, kindDate:
	}
	if len(texts) > 1 {
		return value{}, "is there more than once; give it once"
	}
	if texts[0] == "" && p.min > 0 || texts[0] == "" && p.kind != kindText {
		return value{}, "has no value; give one or leave the parameter out"
	}
	switch p.kind {
	case kindBool:
		return parseBool(texts[0])
	case kindInt:
		n, problem := parseInt(texts[0])
		return value{n: n}, problem
	}
	return value{text: texts[0]}, ""
}

func parseBool(text string) (value, string) {
	switch text {
	case "true", "1":
		return value{on: true}, ""
	case "false", "0":
		return value{}, ""
	}
	return value{}, "must be true, false, 1 or 0"
}

// parseInt reads digits, with a minus where there is one, and nothing else. A
// number beyond 64 bits comes back as one that is out of every range.
func parseInt(text string) (int64, string) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, "must be a whole number, written with digits"
	}
	n, _ := strconv.ParseInt(text, 10, 64) // out of range: the nearest bound, which check refuses
	return n, ""
}

func parseInts(texts []string) (value, string) {
	list, problem := splitList(texts)
	if problem != "" {
		return value{}, problem
	}
	ints := make([]int64, len(list))
	for i, text := range list {
		if ints[i], problem = parseInt(text); problem != "" {
			return value{}, "must be a list of whole numbers, written with digits and commas"
		}
	}
	return value{ints: ints}, ""
}

// splitList reads a list: comma-separated, with spaces around the commas
// tolerated, the parameter repeated, or both.
func splitList(texts []string) ([]string, string) {
	var list []string
	for _, text := range texts {
		if text == "" {
			return nil, "has no value; give one or leave the parameter out"
		}
		for entry := range strings.SplitSeq(text, ",") {
			entry = strings.Trim(entry, " ")
			if entry == "" {
				return nil, "has an empty entry; leave out the comma that is too many"
			}
			list = append(list, entry)
		}
	}
	return list, ""
}

// check holds a value against the bounds of the table, whichever way it came.
func (p param) check(v value) string {
	switch p.kind {
	case kindInt:
		return p.checkInts(v.n)
	case kindInts:
		if len(v.ints) > p.most {
			return fmt.Sprintf("has more than %d entries; ask in several requests", p.most)
		}
		return p.checkInts(v.ints...)
	case kindText:
		return p.checkTexts(v.text)
	case kindTexts:
		if len(v.texts) > p.most {
			return fmt.Sprintf("has more than %d entries; ask in several requests", p.most)
		}
		return p.checkTexts(v.texts...)
	case kindBool, kindDate:
	}
	return ""
}

func (p param) checkInts(ints ...int64) string {
	for _, n := range ints {
		if n < p.min || n > p.max {
			return fmt.Sprintf("must be from %d to %d", p.min, p.max)
		}
	}
	return ""
}

func (p param) checkTexts(texts ...string) string {
	if p.enum != nil {
		return p.checkEnum(texts)
	}
	for _, text := range texts {
		if n := int64(utf8.RuneCountInString(text)); n < p.min || n > p.max {
			return fmt.Sprintf("must have %d to %d characters", p.min, p.max)
		}
	}
	return ""
}
