package export

import (
	"bytes"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"

	"github.com/go-json-experiment/json/jsontext"
)

// cells turns JSON values into cells of CSV. Unlike encoding/csv, which writes
// every line break within a cell as the one of the file, and drops a CR, it
// leaves values as they are; by a test it agrees in all else.
type cells struct {
	dialect

	zone    *time.Location
	scratch []byte
	safe    []byte // text with nothing to run in it
}

// append appends the cell of a value: nothing for null, the content of a string,
// all other JSON as it is.
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
		// Half a surrogate pair, which another producer may have stored, has become
		// U+FFFD; that is all that may be wrong with what has come so far.
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

// plainText is text for a string without escapes: it has no quotes and no line
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

// text appends any text, in quotes where it needs them.
func (c *cells) text(out, text []byte) []byte {
	if !c.needsQuotes(text) {
		return append(out, text...)
	}
	return c.quoted(out, text)
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
