package elastic

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

var errNotSortable = errors.New("field is not sortable")

// sortTerm is one key of an order.
type sortTerm struct {
	field  session.Field
	column string // the index's field
	desc   bool
}

func newOrder(keys []search.SortKey) ([]sortTerm, error) {
	terms := make([]sortTerm, len(keys))
	for i, key := range keys {
		_, field, ok := session.FieldByName(key.Field)
		if !ok || field.SortName == "" {
			return nil, fmt.Errorf("elasticsearch: sort by %q: %w", key.Field, errNotSortable)
		}
		terms[i] = sortTerm{field: field, column: column(field), desc: key.Desc}
	}
	return terms, nil
}

func (t sortTerm) isID() bool { return t.field.Name == "id" }

// clause is the key in Elasticsearch's form. Missing values come last, except for
// counts, which are 0 in documents that leave them out. A missing date is given as
// an extreme value: with "_last", Elasticsearch skips a shard that has no value at
// all, as if it had no row for the page
// (FieldSortBuilder.isBottomSortShardDisjoint).
func (t sortTerm) clause() clause {
	options := clause{"order": "asc", "missing": "_last"}
	if t.desc {
		options["order"] = "desc"
	}
	if t.field.Type == session.TypeDate {
		options["missing"] = t.missing()
	}
	if !t.field.Nullable {
		delete(options, "missing")
		if t.field.Type == session.TypeInteger {
			options["missing"] = 0
		}
	}
	if t.field.Name == "companyId" {
		options["numeric_type"] = "long" // a position may be outside the 32 bits of the index
	}
	return clause{t.column: options}
}

func sortClauses(terms []sortTerm) []clause {
	clauses := make([]clause, len(terms))
	for i, t := range terms {
		clauses[i] = t.clause()
	}
	return clauses
}

// missing stands for a missing value in the sort values of a hit and in
// search_after: an extreme of the type, so that it comes last.
func (t sortTerm) missing() jsontext.Value {
	switch t.field.Type {
	case session.TypeString:
		return jsontext.Value("null")
	case session.TypeNumber:
		if t.desc {
			return jsontext.Value(`"-Infinity"`)
		}
		return jsontext.Value(`"Infinity"`)
	}
	return t.extreme()
}

// extreme is the last integer in the key's direction.
func (t sortTerm) extreme() jsontext.Value {
	if t.desc {
		return jsontext.Value(strconv.Itoa(math.MinInt64))
	}
	return jsontext.Value(strconv.Itoa(math.MaxInt64))
}

// last is a value that no row comes after.
func (t sortTerm) last() jsontext.Value {
	switch {
	case t.field.Nullable:
		return t.missing()
	case !t.isID():
		return t.extreme()
	case t.desc:
		return jsontext.Value(`""`)
	}
	// At four bytes a character, one character more than the longest id can have.
	return jsontext.Value(`"` + strings.Repeat("\U0010ffff", session.MaxIDSize/4+1) + `"`)
}

// after is the position in the form of search_after, which has a value for every
// key. A position with fewer values is the place after all rows that share them.
func after(terms []sortTerm, p search.Position) []jsontext.Value {
	values := make([]jsontext.Value, len(terms))
	for i, t := range terms {
		switch {
		case i >= len(p.Values):
			values[i] = t.last()
		case string(p.Values[i]) == "null":
			values[i] = t.missing()
		default:
			values[i] = jsontext.Value(p.Values[i])
		}
	}
	return values
}

// toPosition converts the sort values of a hit into canonical form. They are read
// as text: a missing date is ±2⁶³, which no float64 holds.
func toPosition(terms []sortTerm, values []jsontext.Value) (search.Position, error) {
	var p search.Position
	if len(values) < len(terms) { // Elasticsearch may add a value of its own on a point in time
		return p, errAnswer
	}
	for i, t := range terms {
		value := values[i]
		if t.field.Nullable && string(value) == string(t.missing()) {
			value = jsontext.Value("null")
		}
		canonical, err := t.canonical(value)
		if err != nil {
			return p, errAnswer
		}
		p.Values = append(p.Values, []byte(canonical))
	}
	return p, nil
}

func (t sortTerm) canonical(value jsontext.Value) (jsontext.Value, error) {
	switch {
	case string(value) == "null" || t.field.Type == session.TypeDate || t.field.Type == session.TypeInteger:
		return value, nil
	case t.field.Type == session.TypeString:
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return nil, err
		}
		return jsontext.AppendQuote(nil, text)
	}
	canonical, err := search.ParseSortValue(t.field, string(value))
	return jsontext.Value(canonical), err
}
