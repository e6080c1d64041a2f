package export

import (
	"bytes"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
)

// cells turns JSON values into cells of CSV. Unlike encoding/csv, which writes
// every line break within a cell as the one of the file, and drops a CR, it
// leaves values as they are; by a test it agrees in all else.
type cells struct {
	dialect

	zone    *time.Location
	scratch []byte
}

// append appends the cell of a value: nothing for null, the content of a string,
// all other JSON as it is.
func (c *cells) append(out []byte, t search.Type, value []byte) []byte {
	switch value[0] {
	case 'n':
		return out
	case '"':
	case '{', '[':
		return c.quoted(out, value)
	default:
		return append(out, value...)
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		if t == search.TypeDate {
			return c.date(out, inner, c.zone)
		}
		return c.plainText(out, inner)
	}
	// Half a surrogate pair, which another producer may have stored, has become
	// U+FFFD; that is all that may be wrong with what has come so far.
	c.scratch, _ = jsontext.AppendUnquote(c.scratch[:0], value)
	return c.text(out, c.scratch)
}

// plainText is text for a string without escapes: it has no quotes and no line
// breaks.
func (c *cells) plainText(out, text []byte) []byte {
	if len(text) == 0 {
		return out
	}
	first := text[0]
	if first <= ' ' || first >= utf8.RuneSelf || c.spreadsheet && runs(first) || bytes.IndexByte(text, c.comma) >= 0 {
		return c.text(out, text)
	}
	return append(out, text...)
}

// text appends any text.
func (c *cells) text(out, text []byte) []byte {
	if c.spreadsheet && len(text) > 0 && runs(text[0]) {
		// Behind the apostrophe a spreadsheet takes the rest for text.
		c.scratch = append(c.scratch[:0], append([]byte{'\''}, text...)...)
		text = c.scratch
	}
	if !c.needsQuotes(text) {
		return append(out, text...)
	}
	return c.quoted(out, text)
}

// runs reports whether a spreadsheet would run a cell that begins so, or look
// behind it for what it may run.
func runs(first byte) bool {
	switch first {
	case '=', '+', '-', '@', '\t', '\r', 0:
		return true
	}
	return false
}

// needsQuotes is the rule of encoding/csv.
func (c *cells) needsQuotes(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	if string(text) == `\.` || bytes.IndexByte(text, c.comma) >= 0 || bytes.ContainsAny(text, "\"\r\n") {
		return true
	}
	first, _ := utf8.DecodeRune(text)
	return unicode.IsSpace(first)
}

// quoted appends text in quotes, those within it doubled (RFC 4180, section 2).
func (*cells) quoted(out, text []byte) []byte {
	out = append(out, '"')
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return append(append(out, text...), '"')
		}
		out = append(append(out, text[:i+1]...), '"')
		text = text[i+1:]
	}
}
