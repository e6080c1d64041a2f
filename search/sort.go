package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// ErrSortValue marks text that is not a value of its sort field. The error's text
// is safe to show to the caller: it does not contain the value.
var ErrSortValue = errors.New("invalid sort value")

// idField is the tiebreaker of every order. It is the only text that sorts byte by
// byte: with folding, two ids could be equal, and their order would be random.
const idField = "id"

// DefaultSort is -startedAt, +id: the newest session first.
func DefaultSort() []SortKey {
	return []SortKey{{Field: "startedAt", Desc: true}, {Field: idField}}
}

// NormalizeSort brings keys into the canonical form of their order. It drops keys
// that cannot change the order (a repeated field, anything after an id key) and
// adds the tiebreaker +id where no id key is. Without keys the result is +id. It
// does not change its argument.
func NormalizeSort(keys []SortKey) []SortKey {
	normal := make([]SortKey, 0, len(keys)+1)
	for _, key := range keys {
		same := func(k SortKey) bool { return k.Field == key.Field }
		if slices.ContainsFunc(normal, same) {
			continue
		}
		normal = append(normal, key)
		if key.Field == idField {
			return normal
		}
	}
	return append(normal, SortKey{Field: idField})
}

// PageSort returns the order of a page of the query: the normalized Sort, or the
// default order if Sort is empty.
func (q Query) PageSort() []SortKey {
	if len(q.Sort) == 0 {
		return DefaultSort()
	}
	return NormalizeSort(q.Sort)
}

// CheckPosition returns ErrInvalidPosition unless p has between one and len(keys)
// values, each a value of its sort key's field in canonical form; see Position.
// Engines may then use the values as they are.
func CheckPosition(keys []SortKey, p Position) error {
	if len(p.Values) == 0 || len(p.Values) > len(keys) {
		return fmt.Errorf("%w: %d values for %d sort keys", ErrInvalidPosition, len(p.Values), len(keys))
	}
	for i, key := range keys[:len(p.Values)] {
		_, field, ok := session.FieldByName(key.Field)
		if !ok || field.SortName == "" || !isSortValue(field, p.Values[i]) {
			return fmt.Errorf("%w: value %d is none of %s", ErrInvalidPosition, i+1, key.Field)
		}
	}
	return nil
}

// FoldPosition folds the texts of a valid position by a version of the folding: they
// may come from data that was stored with another one.
func FoldPosition(keys []SortKey, p Position, by keyword.Folding) Position {
	folded := Position{Values: slices.Clone(p.Values)}
	for i, key := range keys[:len(p.Values)] {
		_, field, _ := session.FieldByName(key.Field)
		if field.Type != session.TypeString || field.Name == idField {
			continue
		}
		text, err := jsontext.AppendUnquote(nil, p.Values[i])
		if err != nil { // null
			continue
		}
		if value, ok := quote(by.Fold(string(text))); ok {
			folded.Values[i] = value
		}
	}
	return folded
}

// isSortValue reports whether the value is canonical: reading and writing it gives
// the same bytes.
func isSortValue(field session.Field, value json.RawMessage) bool {
	if string(value) == "null" {
		return field.Nullable
	}
	text := string(value)
	if field.Type == session.TypeString {
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return false
		}
		text = string(unquoted)
		if field.Name != idField && keyword.FirstFolding.Fold(text) == text { // an index of an older schema has such values
			canonical, ok := quote(text)
			return ok && bytes.Equal(canonical, value)
		}
	}
	again, err := ParseSortValue(field, text)
	return err == nil && bytes.Equal(again, value)
}

// ParseSortValue converts a value of a field, as a user writes it, into the
// canonical JSON of a Position. Text is folded (except the id), integers are
// decimal, dates are RFC 3339 or milliseconds since 1970, truncated to
// milliseconds. It fails with ErrSortValue. A missing value (null) has no such
// form.
func ParseSortValue(field session.Field, text string) (json.RawMessage, error) {
	value, ok := sortValue(field, text)
	if !ok {
		return nil, fmt.Errorf("%w: must be %s", ErrSortValue, field.Type.Words())
	}
	return value, nil
}

func sortValue(field session.Field, text string) (json.RawMessage, bool) {
	switch field.Type {
	case session.TypeString:
		if field.Name == idField {
			return quote(text)
		}
		return quote(keyword.Fold(text))
	case session.TypeInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		return strconv.AppendInt(nil, n, 10), err == nil
	case session.TypeNumber:
		return canonicalNumber(text)
	case session.TypeBoolean:
		return json.RawMessage(text), text == "true" || text == "false"
	case session.TypeDate:
		ms, ok := parseSortTime(text)
		return strconv.AppendInt(nil, ms, 10), ok
	}
	return nil, false
}

// quote returns false for invalid UTF-8.
func quote(text string) (json.RawMessage, bool) {
	quoted, err := jsontext.AppendQuote(nil, text)
	return quoted, err == nil
}

// canonicalNumber returns the shortest number that reads as the same float64. -0
// becomes 0, since the two compare as equal.
func canonicalNumber(text string) (json.RawMessage, bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil, false
	}
	if n == 0 {
		n = 0 // not -0
	}
	return jsontext.AppendFloat(nil, n, 64), true
}

func parseSortTime(text string) (ms int64, ok bool) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, ms >= session.MinDate && ms <= session.MaxDate
	}
	return session.ParseDate([]byte(text))
}

// SortValue returns the value that a session sorts by under a field, in the
// canonical form of a Position; null for a field that is not sortable.
func SortValue(d session.Document, field string) json.RawMessage {
	_, f, ok := session.FieldByName(field)
	value := d.Value(field)
	if !ok || f.SortName == "" || value[0] == 'n' {
		return json.RawMessage("null")
	}
	text := string(value)
	switch f.Type {
	case session.TypeString:
		text, _ = d.Text(field)
	case session.TypeDate:
		ms, _ := d.Integer(field)
		text = strconv.FormatInt(ms, 10)
	}
	// A stored value is valid; an invalid one would sort as a missing one.
	if canonical, ok := sortValue(f, text); ok {
		return canonical
	}
	return json.RawMessage("null")
}

// PositionOf returns the position of a session in an order.
func PositionOf(d session.Document, keys []SortKey) Position {
	values := make([]json.RawMessage, len(keys))
	for i, key := range keys {
		values[i] = SortValue(d, key.Field)
	}
	return Position{Values: values}
}
