package download

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const idField = "id"

// lineID is the id of a session in NDJSON.
func lineID(line []byte) (string, bool) {
	// The id is the first of all fields, and rarely has anything to unescape.
	if rest, ok := bytes.CutPrefix(line, []byte(`{"`+idField+`":"`)); ok {
		if end := bytes.IndexAny(rest, `"\`); end >= 0 && rest[end] == '"' {
			return string(rest[:end]), true
		}
	}
	d := jsontext.NewDecoder(bytes.NewReader(line))
	if first, err := d.ReadToken(); err != nil || first.Kind() != '{' {
		return "", false
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return "", false
		}
		if name.String() == idField {
			id, err := d.ReadToken()
			return id.String(), err == nil && id.Kind() == '"'
		}
		if d.SkipValue() != nil {
			return "", false
		}
	}
}

// isObject reports whether a line is a JSON object and nothing else.
func isObject(line []byte) bool {
	value := jsontext.Value(line)
	return value.Kind() == '{' && value.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// cells counts the cells of a CSV record.
func cells(record []byte, comma byte) int {
	n, quoted := 1, false
	for part := range bytes.SplitSeq(record, []byte{'"'}) {
		if !quoted {
			n += bytes.Count(part, []byte{comma})
		}
		quoted = !quoted // a quote that is written twice leaves and enters again
	}
	return n
}

// idColumn finds the id in the header of a CSV; -1 when it is not there.
func idColumn(header []byte) int {
	return slices.Index(strings.Split(strings.TrimRight(string(header), "\r\n"), ","), idField)
}

// cell is the text of the n-th cell of a CSV record, from 0 (RFC 4180, section 2).
func cell(record []byte, n int) (string, bool) {
	rest := bytes.TrimSuffix(bytes.TrimSuffix(record, []byte("\n")), []byte("\r"))
	for ; ; n-- {
		text, after, more := cutCell(rest)
		if n == 0 {
			return text, true
		}
		if !more {
			return "", false
		}
		rest = after
	}
}

// cutCell takes the first cell off; more says that a comma stands behind it.
func cutCell(b []byte) (text string, after []byte, more bool) {
	if len(b) == 0 || b[0] != '"' {
		plain, after, more := bytes.Cut(b, []byte{','})
		return string(plain), after, more
	}
	var quoted []byte
	for b = b[1:]; ; b = b[1:] {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return string(append(quoted, b...)), nil, false
		}
		quoted, b = append(quoted, b[:i]...), b[i+1:]
		if len(b) == 0 || b[0] != '"' {
			break
		}
		quoted = append(quoted, '"')
	}
	_, after, more = bytes.Cut(b, []byte{','})
	return string(quoted), after, more
}
