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

// coveredFactor is how many times cheaper an entry is when the index alone decides
// whether it matches.
const coveredFactor = 8

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
