package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/search"
)

// limits are the points at which the planner changes from one access path to
// another. They affect only the time of an answer, never its content: the tests try
// other values.
type limits struct {
	// inlineScope is the largest scope that is written into the statement;
	// larger ones go through the connection's temporary table.
	inlineScope int
	// countedScope is the largest scope whose sessions are counted before a page is
	// searched; for larger ones the count would cost more than it saves.
	countedScope int
	// narrow is the number of candidates up to which they count as few: reading and
	// sorting all of them takes a few milliseconds, whatever the order and the
	// other conditions.
	narrow int64
	// A walk looks at no more than horizon index entries, plus patience for each
	// wanted row, before it gives up.
	horizon, patience int
	// scanFactor is how many times cheaper a row is in a scan of the whole table
	// than when it is found through an index.
	scanFactor int64
	// firstWindow is the number of rows of a snapshot that are found in the first
	// step, window the largest number in later steps.
	firstWindow, window int
	// deepOffset is the smallest offset at which a page uses anchors, anchorEvery
	// the number of rows before the page where an anchor is made.
	deepOffset, anchorEvery int
	// mostClients and mostOfClients bound a query with NewestOfClient: its clients, and
	// its matches. They are part of the contract.
	mostClients   int
	mostOfClients int64
}

func defaultLimits() limits {
	return limits{
		inlineScope: 200, countedScope: 500, narrow: 2000, horizon: 20000, patience: 4, scanFactor: 4,
		firstWindow: 100, window: 30_000, deepOffset: 5000, anchorEvery: 1000,
		mostClients: search.MaxClients, mostOfClients: search.MaxOfClients,
	}
}

// access is the way in which a statement finds its candidates among the sessions.
type access struct {
	from  string      // FROM clause, with sessions as s
	probe bool        // the scope is checked on each candidate and not used for the index
	also  []condition // conditions of the access path itself, in addition to the filter
}

func indexed(index string, probe bool) access {
	return access{from: "sessions AS s INDEXED BY " + index, probe: probe}
}

// planner chooses access paths for one filter in one snapshot. SQLite's own choice
// can't weigh the scope, the keyword and the order against each other.
type planner struct {
	limits
	r          *reader
	scope      scopeSet
	filter     search.Filter
	conditions []condition

	total     int64   // estimate of all sessions; -1: not read yet
	scopeSize int64   // sessions of the scope; -1: not read yet
	match     *match  // what the trigram index reports; nil: not read yet
	matches   *int64  // sessions that match; nil: not counted yet
	few       *access // result of fewCandidates
	fewKnown  bool
}

func newPlanner(l limits, r *reader, scope scopeSet, f search.Filter) *planner {
	return &planner{limits: l, r: r, scope: scope, filter: f, conditions: conditions(f), total: -1, scopeSize: -1}
}

// where returns the conditions of the scope, the filter and the access path.
func (p *planner) where(a access, more ...condition) *where {
	return scoped(p.scope, a.probe).and(a.also...).and(p.conditions...).and(more...)
}

// candidates returns an access path that finds every match, in no particular order.
func (p *planner) candidates(ctx context.Context) (access, error) {
	few, err := p.fewCandidates(ctx)
	switch {
	case err != nil:
		return access{}, err
	case few != nil:
		return *few, nil
	}
	return p.manyCandidates(ctx)
}

// fewCandidates finds an access path with so few candidates that no other path
// needs to be compared; nil when there is none.
func (p *planner) fewCandidates(ctx context.Context) (*access, error) {
	if p.fewKnown {
		return p.few, nil
	}
	a, err := p.findFew(ctx)
	if err != nil {
		return nil, err
	}
	p.few, p.fewKnown = a, true
	return a, nil
}

func (p *planner) findFew(ctx context.Context) (*access, error) {
	for _, find := range []func(context.Context) (*access, error){
		p.byValue, p.byScope, p.byTags, p.byKeyword, p.byDates,
	} {
		if a, err := find(ctx); a != nil || err != nil {
			return a, err
		}
	}
	return nil, nil
}

// byValue is for an id, a chat, a client or a complete name, which few sessions have.
func (p *planner) byValue(context.Context) (*access, error) {
	var a access
	switch f := p.filter; {
	case f.SessionID != "":
		a = indexed("sessions_id", true)
	case f.ChatID != "":
		a = indexed("sessions_chat", true)
	case f.ClientID != "":
		a = indexed("sessions_client", true)
	case f.Name != "":
		a = indexed("sessions_name", false)
	default:
		return nil, nil
	}
	return &a, nil
}

func (p *planner) byScope(ctx context.Context) (*access, error) {
	if p.scope.size > p.countedScope {
		return nil, nil
	}
	n, err := p.sessionsOfScope(ctx)
	if err != nil || n > p.narrow {
		return nil, err
	}
	a := indexed("sessions_company", false)
	return &a, nil
}

func (p *planner) byTags(ctx context.Context) (*access, error) {
	tags := findableTags(p.filter.Tags)
	if len(tags) == 0 {
		return nil, nil
	}
	list := anyOf(tags)
	keys, err := p.r.keys(ctx, "SELECT DISTINCT key FROM session_tags WHERE tag IN "+list.sql+" LIMIT ?",
		append(list.args, p.narrow+1)...)
	if err != nil || int64(len(keys)) > p.narrow {
		return nil, err
	}
	return amongKeys(keys), nil
}

func (p *planner) byKeyword(ctx context.Context) (*access, error) {
	m, err := p.keywordMatch(ctx)
	if err != nil || m == nil || !m.complete {
		return nil, err
	}
	return amongKeys(m.keys), nil
}

func (p *planner) byDates(ctx context.Context) (*access, error) {
	a, ok := p.dateAccess()
	if !ok {
		return nil, nil
	}
	n, err := p.sessionsBetween(ctx, a, p.narrow+1)
	if err != nil || n > p.narrow {
		return nil, err
	}
	return &a, nil
}

// dateAccess returns the index on the date that the filter bounds. ok is false if it
// bounds none, or one without an index.
func (p *planner) dateAccess() (a access, ok bool) {
	index, ok := dateIndexes[p.filter.BoundedField()]
	return indexed(index, true), ok
}

// dateIndexes are the indexes that begin with a date. Other dates are bounded far
// more seldom than an index on them would be written.
var dateIndexes = map[search.DateField]string{
	search.CreatedAt: "sessions_created",
	search.UpdatedAt: "sessions_updated",
	search.StartedAt: "sessions_started",
}

// amongKeys returns an access path that looks at the given sessions only.
func amongKeys(keys []int64) *access {
	list := joinNumbers(slices.Values(keys), func(key int64) int64 { return key })
	return &access{
		from:  "sessions AS s",
		probe: true,
		also:  []condition{{sql: "s.key IN (" + list + ")"}},
	}
}

// manyCandidates returns the cheapest access path that finds every candidate.
func (p *planner) manyCandidates(ctx context.Context) (access, error) {
	total, err := p.sessions(ctx)
	if err != nil {
		return access{}, err
	}
	best, cost := access{from: "sessions AS s NOT INDEXED", probe: true}, total/p.scanFactor
	if m, err := p.keywordMatch(ctx); err != nil {
		return access{}, err
	} else if m != nil && m.cost() < cost {
		best, cost = m.access(), m.cost()
	}
	if n, err := p.sessionsOfScope(ctx); err != nil {
		return access{}, err
	} else if n < cost {
		best, cost = indexed("sessions_company", false), n
	}
	dates, ok := p.dateAccess()
	if !ok {
		return best, nil
	}
	n, err := p.sessionsBetween(ctx, dates, cost)
	if err == nil && (n < cost || p.onlyDates()) {
		best = dates
	}
	return best, err
}

// onlyDates reports whether the index on the dates alone decides which sessions
// match.
func (p *planner) onlyDates() bool {
	f := p.filter
	return len(p.conditions) == boolCount(!f.From.IsZero(), !f.To.IsZero())
}

func boolCount(values ...bool) (n int) {
	for _, v := range values {
		if v {
			n++
		}
	}
	return n
}

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
// most most. The access path is the index on the date.
func (p *planner) sessionsBetween(ctx context.Context, dates access, most int64) (int64, error) {
	var b conditionList
	b.dates(p.filter)
	conditions, args := join(b)
	return p.r.number(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+dates.from+" WHERE "+conditions+" LIMIT ?)",
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
