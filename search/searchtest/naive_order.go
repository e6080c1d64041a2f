package searchtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// sortValue returns the value that a session is ordered by: nil when missing, else
// a string, an int64 or a float64.
func (r record) sortValue(field string) any {
	if text, ok := r.folded[field]; ok && field != "id" {
		return text
	}
	if r.values[field] == 0.0 {
		return 0.0 // -0 counts as 0
	}
	return r.values[field]
}

func typeOf(field string) session.Type {
	_, f, _ := session.FieldByName(field)
	return f.Type
}

// compareValues orders two values of one field. A missing value comes last in both
// directions.
func compareValues(a, b any, desc bool) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	var c int
	switch a := a.(type) {
	case string:
		c = cmp.Compare(a, b.(string)) // UTF-8's byte order is code point order
	case int64:
		c = cmp.Compare(a, b.(int64))
	case float64:
		c = cmp.Compare(a, b.(float64))
	}
	if desc {
		return -c
	}
	return c
}

// comparePlaces compares only as many keys as b has.
func comparePlaces(a, b []any, keys []search.SortKey) int {
	for i, value := range b {
		if c := compareValues(a[i], value, keys[i].Desc); c != 0 {
			return c
		}
	}
	return 0
}

// place returns the session's sort values.
func (r record) place(keys []search.SortKey) []any {
	place := make([]any, len(keys))
	for i, key := range keys {
		place[i] = r.sortValue(key.Field)
	}
	return place
}

func order(rows []record, keys []search.SortKey) {
	type placed struct {
		row   record
		place []any
	}
	line := make([]placed, 0, len(rows))
	for _, r := range rows {
		line = append(line, placed{r, r.place(keys)})
	}
	slices.SortFunc(line, func(a, b placed) int { return comparePlaces(a.place, b.place, keys) })
	for i := range line {
		rows[i] = line[i].row
	}
}

// behind returns the rows that come after the position; all rows when there is
// none.
func behind(rows []record, keys []search.SortKey, after *search.Position) ([]record, error) {
	if after == nil {
		return rows, nil
	}
	place, err := readPosition(*after, keys)
	if err != nil {
		return nil, err
	}
	var rest []record
	for _, r := range rows {
		if comparePlaces(r.place(keys), place, keys) > 0 {
			rest = append(rest, r)
		}
	}
	return rest, nil
}

// readPosition decodes the values of a position.
func readPosition(p search.Position, keys []search.SortKey) ([]any, error) {
	if len(p.Values) > len(keys) {
		return nil, fmt.Errorf("position of %d values for %d sort keys", len(p.Values), len(keys))
	}
	place := make([]any, len(p.Values))
	for i, raw := range p.Values {
		kind := typeOf(keys[i].Field)
		if kind == session.TypeDate {
			kind = session.TypeInteger // a position contains milliseconds
		}
		var err error
		if place[i], err = decode(kind, raw); err != nil {
			return nil, fmt.Errorf("position's value of %s: %w", keys[i].Field, err)
		}
	}
	return place, nil
}

// writePosition returns the position of the values in the canonical form of JSON:
// strings have as few escapes as possible.
func writePosition(place ...any) *search.Position {
	p := &search.Position{}
	for _, value := range place {
		var raw bytes.Buffer
		encoder := json.NewEncoder(&raw)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(value); err != nil {
			panic(err) // strings, numbers and nil only
		}
		plain := bytes.TrimSuffix(raw.Bytes(), []byte("\n"))
		plain = bytes.ReplaceAll(plain, []byte(`\u2028`), []byte("\u2028"))
		p.Values = append(p.Values, plain)
	}
	return p
}
