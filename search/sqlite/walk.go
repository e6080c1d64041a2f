package sqlite

import "context"

// walkIndexes are the indexes that hold the order's first key.
var walkIndexes = map[string]string{
	"id":        "sessions_id",
	"startedAt": "sessions_started",
	"createdAt": "sessions_created",
	"updatedAt": "sessions_updated",
	"name":      "sessions_name",
}

// coveredFactor is how much cheaper an entry is when the index alone tells
// whether it matches.
const coveredFactor = 8

// walk reads an index in the order asked for and stops at the end of the page.
// Rows without a value come last, but SQLite's indexes have them at one end:
// they are a second walk.
type walk struct {
	access access
	term   sortTerm
	start  []any // values of the position to start behind
}

// walkFor is false when no index has the order.
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

// present: the rows with a value, from the start on.
func (w walk) present() []condition {
	if len(w.start) == 0 {
		return []condition{{sql: w.term.column + " IS NOT NULL"}}
	}
	return []condition{{w.term.column + w.term.beyond() + "= ?", w.start[:1]}}
}

// missing: the rows without one.
func (w walk) missing() condition {
	return condition{sql: w.term.column + " IS NULL"}
}

// startsMissing reports whether the start is among the rows without a value.
func (w walk) startsMissing() bool { return len(w.start) > 0 && w.start[0] == nil }

// until ends the walk at the horizon, the value itself included.
func (w walk) until(value any) condition {
	back := sortTerm{desc: !w.term.desc}
	return condition{w.term.column + back.beyond() + "= ?", []any{value}}
}

// known is the term where every row has a value, so that the index's order is
// the order asked for.
func (t sortTerm) known() sortTerm {
	t.nullable = false
	return t
}

// walkPage reads the page along an index. ok is false when matches are so rare
// that another access path is better.
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

// entriesToTry is how far a walk goes before it gives up: not so far that what
// would be done instead would long be done.
func (p *planner) entriesToTry(ctx context.Context, w walk, o ordered) (int, error) {
	total, err := p.sessions(ctx)
	if err != nil {
		return 0, err
	}
	entries := min(int64(p.horizon), total/(4*p.scanFactor))
	if !p.filter.From.IsZero() || !p.filter.To.IsZero() {
		n, err := p.sessionsBetween(ctx, 2*entries)
		if err != nil {
			return 0, err
		}
		entries = min(entries, n/2)
	}
	if w.term.field.Name == "startedAt" && p.onlyDates() && dateColumn(p.filter) == "created_at" {
		entries *= coveredFactor
	}
	return int(entries) + p.patience*(o.offset+o.limit), nil
}

// behindPresent is what is left of the page when the rows with a value have
// given n of it.
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

// isShort reports whether the walk to the end of the page looks at fewer entries
// than the scope has: where every session of the scope matches, its share of all
// sessions tells how far apart they are.
func (p *planner) isShort(ctx context.Context, w walk, walkable bool, o ordered) (bool, error) {
	switch {
	case !walkable || len(p.conditions) > 0:
		return false, nil
	case !w.access.probe || p.scope.size > p.countedScope:
		return true, nil // its own company's index, or too wide to be few
	}
	total, err := p.sessions(ctx)
	if err != nil {
		return false, err
	}
	n, err := p.sessionsOfScope(ctx)
	return float64(o.offset+o.limit)*float64(total) < float64(n)*float64(n), err
}
