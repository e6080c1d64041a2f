package sqlite

import (
	"context"
	"database/sql"
	"strings"
)

// The statements in this file estimate for the planner how many rows there are.
// They read counts and keys from the indexes, for all companies. Their results only
// choose the next statement, which carries the scope; they never reach an answer.

// match is what the trigram index reports about a keyword.
type match struct {
	expression string
	keys       []int64 // of every candidate, when complete
	complete   bool
	estimate   int64 // number of candidates
	width      int   // number of terms in its widest OR
}

// orTerms is the number of terms of an OR whose stepping takes as long as checking
// one candidate.
const orTerms = 32

// cost is the cost of finding and checking the candidates, in units of one
// candidate.
func (m match) cost() int64 { return m.estimate + m.estimate*int64(m.width)/orTerms }

func (m match) access() access {
	return access{
		from:  "session_terms CROSS JOIN sessions AS s ON s.key = session_terms.rowid",
		probe: true,
		also:  []condition{{"session_terms MATCH ?", []any{m.expression}}},
	}
}

// keywordMatch returns nil when there is no keyword, or when the index does not
// help.
func (p *planner) keywordMatch(ctx context.Context) (*match, error) {
	if p.filter.Keyword.IsZero() {
		return nil, nil
	}
	if p.match == nil {
		m, err := p.askTerms(ctx)
		if err != nil {
			return nil, err
		}
		p.match = m
	}
	if p.match.expression == "" && !p.match.complete {
		return nil, nil
	}
	return p.match, nil
}

func (p *planner) askTerms(ctx context.Context) (*match, error) {
	total, err := p.sessions(ctx)
	if err != nil {
		return nil, err
	}
	e, ok, err := p.r.matchExpression(ctx, p.filter.Keyword, max(p.narrow, total/p.scanFactor))
	switch {
	case err != nil || !ok:
		return &match{}, err
	case e.match == "":
		return &match{complete: true}, nil
	case e.rows > p.narrow: // counting the sessions themselves would take long
		return &match{expression: e.match, estimate: min(e.rows, total), width: e.width}, nil
	}
	keys, err := p.r.keys(ctx, "SELECT rowid FROM session_terms WHERE session_terms MATCH ? ORDER BY rowid LIMIT ?",
		e.match, p.narrow+1)
	if err != nil {
		return nil, err
	}
	if n := int64(len(keys)); n <= p.narrow {
		return &match{expression: e.match, keys: keys, complete: true, estimate: n, width: e.width}, nil
	}
	// Rowids ascend: n matches among the first k of N rowids estimate n·N/k in all.
	return &match{expression: e.match, estimate: p.narrow * total / keys[p.narrow], width: e.width}, nil
}

// sessions estimates the number of all sessions.
func (p *planner) sessions(ctx context.Context) (int64, error) {
	if p.total >= 0 {
		return p.total, nil
	}
	n, err := p.r.number(ctx, "SELECT coalesce(max(key), 0) FROM sessions")
	if err == nil {
		p.total = n
	}
	return n, err
}

// sessionsOfScope returns the exact number of the scope's sessions.
func (p *planner) sessionsOfScope(ctx context.Context) (int64, error) {
	if p.scopeSize >= 0 {
		return p.scopeSize, nil
	}
	w := scoped(p.scope, false)
	n, err := p.r.number(ctx, "SELECT coalesce(sum(s.sessions), 0) FROM company_counts AS s"+w.sql.String(), w.args...)
	if err == nil {
		p.scopeSize = n
	}
	return n, err
}

// sessionsBetween returns the number of sessions between the filter's dates, at
// most most.
func (p *planner) sessionsBetween(ctx context.Context, most int64) (int64, error) {
	var b conditionList
	b.dates(p.filter)
	conditions, args := join(b)
	return p.r.number(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+p.dateAccess().from+" WHERE "+conditions+" LIMIT ?)",
		append(args, most)...)
}

// horizonOf returns the value of the order's first key at the given number of index
// entries after the start of a walk; ok is false when the index has fewer entries.
func (p *planner) horizonOf(ctx context.Context, w walk, entries int) (value any, ok bool, err error) {
	b := conditionList(w.present())
	if w.term.column == "s."+dateColumn(p.filter) {
		b.dates(p.filter)
	}
	conditions, args := join(b)
	query := "SELECT " + w.term.column + " FROM " + w.access.from + " WHERE " + conditions + // #nosec G202 -- our own names
		orderBy([]sortTerm{w.term.known()}) + " LIMIT 1 OFFSET ?"
	err = p.r.each(ctx, query, append(args, entries), func(rows *sql.Rows) error {
		ok = true
		return rows.Scan(&value)
	})
	return value, ok, err
}

func join(conditions []condition) (where string, args []any) {
	parts := make([]string, len(conditions))
	for i, c := range conditions {
		parts[i] = c.sql
		args = append(args, c.args...)
	}
	return strings.Join(parts, " AND "), args
}
