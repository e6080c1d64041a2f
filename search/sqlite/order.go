package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
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

// walkIndexes are the indexes that hold the order's first key.
var walkIndexes = map[string]string{
	"id":        "sessions_id",
	"startedAt": "sessions_started",
	"createdAt": "sessions_created",
	"updatedAt": "sessions_updated",
	"name":      "sessions_name",
}

// coveredFactor is how many times cheaper an entry is when the index alone decides
// whether it matches.
const coveredFactor = 8

// covered reports whether the index of startedAt has the date too.
func covered(field search.DateField) bool {
	return field == search.CreatedAt || field == search.StartedAt
}

// walk reads an index in the requested order and stops at the end of the page. Rows
// without a value come last, but SQLite's indexes have them at one end: a second
// walk reads them.
type walk struct {
	access access
	term   sortTerm
	start  []any // values of the position after which the walk starts
}

// walkFor returns false when no index has the order.
func (p *planner) walkFor(terms []sortTerm, start []any) (walk, bool) {
	field := terms[0].field.Name
	index, ok := walkIndexes[field]
	if !ok {
		return walk{}, false
	}
	w := walk{access: indexed(index, true), term: terms[0], start: start}
	if field == "startedAt" && p.scope.size == 1 {
		w.access = indexed("sessions_company", false)
	}
	return w, true
}

// present returns the conditions of the rows with a value, from the start on.
func (w walk) present() []condition {
	if len(w.start) == 0 {
		return []condition{{sql: w.term.column + " IS NOT NULL"}}
	}
	return []condition{{w.term.column + w.term.beyond() + "= ?", w.start[:1]}}
}

// missing returns the condition of the rows without a value.
func (w walk) missing() condition {
	return condition{sql: w.term.column + " IS NULL"}
}

// startsMissing reports whether the start is among the rows without a value.
func (w walk) startsMissing() bool { return len(w.start) > 0 && w.start[0] == nil }

// until returns the condition that ends the walk at the horizon, including the
// value itself.
func (w walk) until(value any) condition {
	back := sortTerm{desc: !w.term.desc}
	return condition{w.term.column + back.beyond() + "= ?", []any{value}}
}

// known returns the term for rows that all have a value: then the order of the
// index is the requested order.
func (t sortTerm) known() sortTerm {
	t.nullable = false
	return t
}

// walkPage reads the page along an index. ok is false when matches are so rare that
// another access path is better.
func (p *planner) walkPage(ctx context.Context, w walk, o ordered) (rows []found, ok bool, err error) {
	if !w.startsMissing() {
		rows, ok, err = p.walkPresent(ctx, w, o)
		if err != nil || !ok || len(rows) == o.limit || !w.term.nullable {
			return rows, ok, err
		}
		if o, err = p.behindPresent(ctx, w, o, len(rows)); err != nil {
			return nil, false, err
		}
	}
	missing, err := p.read(ctx, w.access, o.with(w.missing()))
	return append(rows, missing...), true, err
}

func (p *planner) walkPresent(ctx context.Context, w walk, o ordered) (rows []found, ok bool, err error) {
	o.terms = append([]sortTerm{w.term.known()}, o.terms[1:]...)
	o = o.with(w.present()...)
	bounded := false
	if len(p.conditions) > 0 && w.access.probe {
		entries, err := p.entriesToTry(ctx, w, o)
		if err != nil {
			return nil, false, err
		}
		value, far, err := p.horizonOf(ctx, w, entries)
		if err != nil {
			return nil, false, err
		}
		if bounded = far; far {
			o = o.with(w.until(value))
		}
	}
	rows, err = p.read(ctx, w.access, o)
	return rows, !bounded || len(rows) == o.limit, err
}

// entriesToTry returns the number of entries after which a walk gives up. The limit
// keeps a walk from costing more than the alternative would.
func (p *planner) entriesToTry(ctx context.Context, w walk, o ordered) (int, error) {
	total, err := p.sessions(ctx)
	if err != nil {
		return 0, err
	}
	entries := min(int64(p.horizon), total/(4*p.scanFactor))
	if dates, ok := p.dateAccess(); ok {
		n, err := p.sessionsBetween(ctx, dates, 2*entries)
		if err != nil {
			return 0, err
		}
		entries = min(entries, n/2)
	}
	if w.term.field.Name == "startedAt" && p.onlyDates() && covered(p.filter.BoundedField()) {
		entries *= coveredFactor
	}
	return int(entries) + p.patience*(o.offset+o.limit), nil
}

// behindPresent returns the rest of the page after the rows with a value
// contributed n rows.
func (p *planner) behindPresent(ctx context.Context, w walk, o ordered, n int) (ordered, error) {
	rest := o
	rest.limit, rest.offset = o.limit-n, 0
	if n > 0 || o.offset == 0 {
		return rest, nil
	}
	skipped, err := p.count(ctx, w.access, o.with(w.present()...).conditions...)
	rest.offset = o.offset - int(skipped)
	return rest, err
}

// isShort reports whether the walk to the end of the page reads fewer entries than
// the scope has sessions. It assumes that every session of the scope matches, so
// that the scope's share of all sessions gives the distance between matches.
func (p *planner) isShort(ctx context.Context, w walk, walkable bool, o ordered) (bool, error) {
	switch {
	case !walkable || len(p.conditions) > 0:
		return false, nil
	case !w.access.probe || p.scope.size > p.countedScope:
		return true, nil // the company's own index, or a scope too large to be few
	}
	total, err := p.sessions(ctx)
	if err != nil {
		return false, err
	}
	n, err := p.sessionsOfScope(ctx)
	return float64(o.offset+o.limit)*float64(total) < float64(n)*float64(n), err
}

// anchorBytes is the memory that all anchors together may take.
const anchorBytes = 8 << 20

// deepPage is a page so far down an order that anchors are worthwhile. SQLite
// counts the rows before a page one by one, for every search; with an anchor it
// counts only the rows after the anchor.
//
// An anchor belongs to one state of the sessions of its scope. The state is read in
// the snapshot of the page, and only anchors of the same state are used. So a page
// has the same rows with anchors as without.
type deepPage struct {
	anchors *paging.Anchors
	key     paging.Key
	from    int // the offset in the whole order
}

// newDeepPage returns nil for a page that is not deep.
func (s *Store) newDeepPage(ctx context.Context, r *reader, set scopeSet, scope tenancy.Scope, q search.Query, o ordered) (*deepPage, error) {
	if q.WithoutItems || o.offset < s.limits.deepOffset {
		return nil, nil //nolint:nilnil // most pages are not
	}
	sequence, err := r.lastInvalidation(ctx, set, s.limits.countedScope)
	if err != nil {
		return nil, err
	}
	q.Sort = q.PageSort()
	return &deepPage{anchors: s.anchors, key: paging.NewKey(scope, q, strconv.FormatInt(sequence, 10)), from: o.offset}, nil
}

// lastInvalidation returns the number of the last transaction, as of the snapshot,
// that changed sessions of the scope; see InvalidationsSince.
func (r *reader) lastInvalidation(ctx context.Context, set scopeSet, narrow int) (sequence int64, err error) {
	in := fmt.Sprintf("company_id IN %s OR company_id = %d", set.sql, allCompanies)
	query := "SELECT max(sequence) FROM touches WHERE " + in // #nosec G202 -- numbers of ours
	if set.size > narrow {
		// Among many companies, one usually changed recently: search from the
		// newest. A few companies are looked up one by one.
		query = "SELECT max(sequence) FROM (SELECT sequence FROM touches INDEXED BY touches_sequence WHERE +" + in +
			" ORDER BY sequence DESC LIMIT 1)"
	}
	err = r.each(ctx, query, nil, func(rows *sql.Rows) error {
		var last sql.NullInt64
		err := rows.Scan(&last)
		sequence = last.Int64
		return err
	})
	return sequence, err
}

// seekFromAnchor moves the start of the order to an anchor before the page. Without
// an anchor nearby, it stores one some rows before the page, for the pages before
// this one.
func (p *planner) seekFromAnchor(ctx context.Context, d *deepPage, o ordered) (ordered, error) {
	if anchor, ok := d.anchors.Below(d.key, d.from); ok {
		rest := d.from - anchor.Rows
		values, err := positionValues(o.terms, &anchor.Position)
		if err != nil {
			return o, err
		}
		o = o.behind(values)
		o.offset = rest
	}
	if o.offset < 2*p.anchorEvery {
		return o, nil
	}
	one := o
	one.offset, one.limit, one.bare = o.offset-p.anchorEvery-1, 1, true
	rows, err := p.pageRows(ctx, one)
	if err != nil || len(rows) == 0 { // the order ends before the page
		return o.with(condition{sql: never}), err
	}
	if err := d.add(d.from-p.anchorEvery, rows[0]); err != nil {
		return o, err
	}
	o = o.behind(rows[0].position)
	o.offset = p.anchorEvery
	return o, nil
}

// add stores an anchor: the given row and the number of rows up to it.
func (d *deepPage) add(rows int, last found) error {
	place, err := positionOf(last.position)
	if err == nil {
		d.anchors.Add(d.key, paging.Anchor{Rows: rows, Position: place})
	}
	return err
}

// deepRows reads what pageRows reads, but uses anchors.
func (p *planner) deepRows(ctx context.Context, d *deepPage, o ordered) ([]found, error) {
	o, err := p.seekFromAnchor(ctx, d, o)
	if err != nil {
		return nil, err
	}
	rows, err := p.pageRows(ctx, o)
	n := min(len(rows), o.limit-1) // without the extra row that shows whether there are more
	if err != nil || n == 0 {
		return rows, err
	}
	return rows, d.add(d.from+n, rows[n-1])
}
