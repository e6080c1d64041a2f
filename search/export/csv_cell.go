package export

import (
	"bytes"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"

	"github.com/go-json-experiment/json/jsontext"
)

// cells converts JSON values to cells of CSV. It leaves line breaks in values
// unchanged; encoding/csv replaces each of them with the line break of the file,
// and drops a CR. A test checks that all else equals encoding/csv.
type cells struct {
	dialect

	zone    *time.Location
	scratch []byte
	safe    []byte // text without formulas
}

// append appends the cell of a value: nothing for null, the content of a string,
// any other JSON unchanged.
func (c *cells) append(out []byte, t session.Type, value []byte) []byte {
	switch value[0] {
	case 'n':
		return out
	case '"':
		return c.string(out, t, value)
	case '{', '[':
		if c.spreadsheet {
			value, c.safe = inertJSON(c.safe, value)
		}
		return c.quoted(out, value)
	case 't', 'f':
		return append(out, value...)
	}
	if c.spreadsheet {
		return c.appendNumber(out, value)
	}
	return append(out, value...)
}

func (c *cells) string(out []byte, t session.Type, value []byte) []byte {
	text := value[1 : len(value)-1]
	escaped := bytes.IndexByte(text, '\\') >= 0
	if escaped {
		// Half a surrogate pair, which another producer may have stored, becomes
		// U+FFFD. Nothing else can be wrong with a valid row.
		c.scratch, _ = jsontext.AppendUnquote(c.scratch[:0], value)
		text = c.scratch
	}
	if t == session.TypeDate {
		if out, ok := c.date(out, text, c.zone); ok {
			return out
		}
	}
	switch {
	case c.spreadsheet:
		text, c.safe = inert(c.safe, text)
		return c.quoted(out, text)
	case escaped:
		return c.text(out, text)
	}
	return c.plainText(out, text)
}

// plainText appends a string without escapes. It contains no quotes and no line
// breaks.
func (c *cells) plainText(out, text []byte) []byte {
	if len(text) == 0 {
		return out
	}
	if first := text[0]; first <= ' ' || first >= utf8.RuneSelf || bytes.IndexByte(text, c.comma) >= 0 {
		return c.text(out, text)
	}
	return append(out, text...)
}

// text appends any text, quoted if necessary.
func (c *cells) text(out, text []byte) []byte {
	if !c.needsQuotes(text) {
		return append(out, text...)
	}
	return c.quoted(out, text)
}

// needsQuotes applies the rule of encoding/csv.
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

// quoted appends text in quotes and doubles the quotes in it (RFC 4180, section 2).
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
