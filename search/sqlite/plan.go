package sqlite

import (
	"context"
	"strconv"
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
}

func defaultLimits() limits {
	return limits{
		inlineScope: 200, countedScope: 500, narrow: 2000, horizon: 20000, patience: 4, scanFactor: 4,
		firstWindow: 100, window: 30_000, deepOffset: 5000, anchorEvery: 1000,
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

// byValue is for an id, a chat or a complete name, which few sessions have.
func (p *planner) byValue(context.Context) (*access, error) {
	var a access
	switch f := p.filter; {
	case f.SessionID != "":
		a = indexed("sessions_id", true)
	case f.ChatID != "":
		a = indexed("sessions_chat", true)
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
	if p.filter.From.IsZero() && p.filter.To.IsZero() {
		return nil, nil
	}
	n, err := p.sessionsBetween(ctx, p.narrow+1)
	if err != nil || n > p.narrow {
		return nil, err
	}
	a := p.dateAccess()
	return &a, nil
}

func (p *planner) dateAccess() access {
	index := map[string]string{"created_at": "sessions_created", "updated_at": "sessions_updated"}
	return indexed(index[dateColumn(p.filter)], true)
}

// amongKeys returns an access path that looks at the given sessions only.
func amongKeys(keys []int64) *access {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = strconv.FormatInt(key, 10)
	}
	return &access{
		from:  "sessions AS s",
		probe: true,
		also:  []condition{{sql: "s.key IN (" + strings.Join(list, ",") + ")"}},
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
	if p.filter.From.IsZero() && p.filter.To.IsZero() {
		return best, nil
	}
	n, err := p.sessionsBetween(ctx, cost)
	if err == nil && (n < cost || p.onlyDates()) {
		best = p.dateAccess()
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
