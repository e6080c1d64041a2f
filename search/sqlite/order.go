package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// sortTerm is one key of an order.
type sortTerm struct {
	field    session.Field
	column   string // with its alias
	desc     bool
	nullable bool
}

func orderOf(keys []search.SortKey) ([]sortTerm, error) {
	terms := make([]sortTerm, len(keys))
	for i, key := range keys {
		_, field, ok := session.FieldByName(key.Field)
		column, sortable := sortColumns[key.Field]
		if !ok || !sortable {
			return nil, fmt.Errorf("sqlite: sort by %q: %w", key.Field, errNotSortable)
		}
		terms[i] = sortTerm{field: field, column: "s." + column, desc: key.Desc, nullable: field.Nullable}
	}
	return terms, nil
}

var errNotSortable = errors.New("field is not sortable")

// orderBy writes the ORDER BY terms. Missing values come last in both directions;
// in descending order SQLite does so by itself.
func orderBy(terms []sortTerm) string {
	keys := make([]string, len(terms))
	for i, t := range terms {
		switch {
		case t.desc:
			keys[i] = t.column + " DESC"
		case t.nullable:
			keys[i] = t.column + " NULLS LAST"
		default:
			keys[i] = t.column
		}
	}
	return " ORDER BY " + strings.Join(keys, ", ")
}

// after returns the condition that a row comes after the position: for one of the
// values, all values before it are equal and this one is later.
func after(terms []sortTerm, values []any) condition {
	var alternatives []string
	var args []any
	for i, value := range values {
		later := laterThan(terms[i], value)
		if later.sql == "" {
			continue
		}
		var equal []string
		for j, same := range values[:i] {
			c := equalTo(terms[j], same)
			equal = append(equal, c.sql)
			args = append(args, c.args...)
		}
		alternatives = append(alternatives, "("+strings.Join(append(equal, later.sql), " AND ")+")")
		args = append(args, later.args...)
	}
	if len(alternatives) == 0 {
		return condition{sql: never}
	}
	return condition{"(" + strings.Join(alternatives, " OR ") + ")", args}
}

func equalTo(t sortTerm, value any) condition {
	if value == nil {
		return condition{sql: t.column + " IS NULL"}
	}
	return condition{t.column + " = ?", []any{value}}
}

// laterThan returns an empty condition when nothing can come later: after a missing
// value.
func laterThan(t sortTerm, value any) condition {
	if value == nil {
		return condition{}
	}
	c := condition{t.column + t.beyond() + " ?", []any{value}}
	if t.nullable {
		c.sql = "(" + c.sql + " OR " + t.column + " IS NULL)"
	}
	return c
}

func (t sortTerm) beyond() string {
	if t.desc {
		return " <"
	}
	return " >"
}

// positionValues converts the values of a position that search.CheckPosition
// accepted into what SQLite stores.
func positionValues(terms []sortTerm, p *search.Position) ([]any, error) {
	if p == nil {
		return nil, nil
	}
	values := make([]any, len(p.Values))
	for i, raw := range p.Values {
		value, err := positionValue(terms[i].field.Type, raw)
		if err != nil {
			return nil, fmt.Errorf("%w: value %d", search.ErrInvalidPosition, i+1)
		}
		values[i] = value
	}
	return values, nil
}

func positionValue(t session.Type, raw json.RawMessage) (any, error) {
	switch {
	case string(raw) == "null":
		return nil, nil
	case t == session.TypeString:
		text, err := jsontext.AppendUnquote(nil, raw)
		return string(text), err
	case t == session.TypeNumber:
		return strconv.ParseFloat(string(raw), 64)
	default:
		return strconv.ParseInt(string(raw), 10, 64)
	}
}

// positionOf converts the sort values of a row, as SQLite returned them, into a
// position.
func positionOf(values []any) (search.Position, error) {
	p := search.Position{Values: make([]json.RawMessage, len(values))}
	for i, value := range values {
		var raw []byte
		var err error
		switch v := value.(type) {
		case nil:
			raw = []byte("null")
		case int64:
			raw = strconv.AppendInt(nil, v, 10)
		case float64:
			raw = jsontext.AppendFloat(nil, v+0, 64) // -0 becomes 0: both are the same position
		case string:
			raw, err = jsontext.AppendQuote(nil, v)
		default:
			err = fmt.Errorf("sort value of type %T", value)
		}
		if err != nil {
			return search.Position{}, fmt.Errorf("sqlite: %w", errors.Join(errBroken, err))
		}
		p.Values[i] = raw
	}
	return p, nil
}
