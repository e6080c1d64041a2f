package elastic

import (
	"bytes"
	stdjson "encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
)

// wireForm passes a stored document through when it is in wire form, as those
// of the importer are, and completes those of other producers.
func wireForm(source jsontext.Value) (stdjson.RawMessage, error) {
	raw := stdjson.RawMessage(source)
	if isWireForm(raw) {
		return raw, nil
	}
	if doc, err := search.ParseDocument(raw); err == nil {
		return doc.JSON(), nil
	}
	return completed(raw)
}

// completed brings a document into shape whose values the importer would have
// refused: every field in its place, its value as it is.
func completed(raw stdjson.RawMessage) (stdjson.RawMessage, error) {
	last := search.FieldCount() - 1
	var most search.FieldSet
	for i := range last {
		most = most.With(i)
	}
	head, err := search.Project(raw, most)
	if err != nil {
		return nil, errAnswer
	}
	tail, err := search.Project(raw, search.FieldSet{}.With(last))
	if err != nil {
		return nil, errAnswer
	}
	head[len(head)-1] = ','
	return append(head, tail[1:]...), nil
}

var jsonNull = []byte("null")

// wireField is what wire form has where a field stands.
type wireField struct {
	prefix []byte // up to the value
	search.Field
}

var wireFields = func() []wireField {
	fields := make([]wireField, 0, search.FieldCount())
	for i, f := range search.Fields() {
		prefix := `,"` + f.Name + `":`
		if i == 0 {
			prefix = "{" + prefix[1:]
		}
		fields = append(fields, wireField{[]byte(prefix), f})
	}
	return fields
}()

// isWireForm reports whether the document has every field in its place, each
// with a value of its type, without white space between them. It looks at no
// more than that takes: documents are validated when they are stored, and this
// is done for every row of every answer.
func isWireForm(doc []byte) bool { return len(doc) > 0 && wireFormLength(doc) == len(doc) }

// wireFormLength is the length of the document in wire form that the text begins
// with; 0: none.
func wireFormLength(text []byte) int {
	rest := text
	for i := range wireFields {
		f := &wireFields[i]
		if !bytes.HasPrefix(rest, f.prefix) {
			return 0
		}
		rest = rest[len(f.prefix):]
		n := valueLength(rest)
		if n == 0 || !f.holds(rest[:n]) {
			return 0
		}
		rest = rest[n:]
	}
	if len(rest) == 0 || rest[0] != '}' {
		return 0
	}
	return len(text) - len(rest) + 1
}

// holds reports whether a value is of the field's type, by its looks.
func (f *wireField) holds(value []byte) bool {
	first := value[0]
	if first == 'n' {
		return f.Nullable
	}
	switch f.Type {
	case search.TypeString:
		return first == '"'
	case search.TypeDate:
		return isWireDate(value)
	case search.TypeInteger:
		return isNumeral(first) && !bytes.ContainsAny(value, ".eE")
	case search.TypeNumber:
		return isNumeral(first)
	case search.TypeBoolean:
		return first == 't' || first == 'f'
	case search.TypeObject:
		return first == '{'
	default:
		return first == '['
	}
}

func isNumeral(c byte) bool { return c == '-' || '0' <= c && c <= '9' }

// isWireDate compares with the layout, in which every digit stands for one.
func isWireDate(value []byte) bool {
	if len(value) != len(search.DateLayout)+2 {
		return false
	}
	for i, c := range value[1 : len(value)-1] {
		isDigit := '0' <= c && c <= '9'
		if layout := search.DateLayout[i]; '0' <= layout && layout <= '9' != isDigit || !isDigit && c != layout {
			return false
		}
	}
	return true
}

// valueLength is the length of the value that the text begins with; 0: none.
func valueLength(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"':
		return stringLength(text)
	case '{', '[':
		return treeLength(text)
	case 'n': // most fields of most sessions
		if bytes.HasPrefix(text, jsonNull) {
			return len(jsonNull)
		}
	}
	return max(bytes.IndexAny(text, ",}"), 0)
}

func stringLength(text []byte) int {
	for i := 1; i < len(text); {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return 0
		}
		end := i + n
		if slashes := len(text[:end]) - len(bytes.TrimRight(text[i:end], `\`)) - i; slashes%2 == 0 {
			return end + 1
		}
		i = end + 1
	}
	return 0
}

func treeLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := stringLength(text[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
