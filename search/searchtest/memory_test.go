package searchtest

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// memory is an engine over the naive scan. It takes the keyword from the query.
// Each of its hooks breaks it in one way.
type memory struct {
	mu      sync.RWMutex
	records map[string]record

	hooks hooks
}

var _ Engine = (*memory)(nil)

// hooks are the deviations of a mutant; where a hook is nil, the mutant is correct.
type hooks struct {
	contains      func(tenancy.Scope, tenancy.CompanyID) bool
	ignoreContext bool
	query         func(search.Query) search.Query
	terms         func(terms) terms
	session       func(record) record // as stored
	newest        func([]record) []record
	match         func(search.Filter, terms, record) bool
	compare       func(a, b any, desc bool) int
	result        func(search.Query, search.Result) search.Result
	written       func([]session.Change) []session.Change
	sums          func(search.SummaryQuery, search.Summary) search.Summary
	summed        func(search.SummaryQuery) search.SummaryQuery
	snapshot      func(search.Query, *memorySnapshot)
}

func newMemory(h hooks) *memory { return &memory{records: map[string]record{}, hooks: h} }

func (m *memory) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	if err := ctx.Err(); err != nil && !m.hooks.ignoreContext {
		return session.Written{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hooks.written != nil {
		changes = m.hooks.written(changes)
	}
	var written session.Written
	for _, c := range changes {
		if err := m.change(c, &written); err != nil {
			return session.Written{}, err
		}
	}
	return written, nil
}

// load stores sessions that are already decoded: there are many mutants.
func (m *memory) load(records map[string]record) {
	for id, r := range records {
		if m.hooks.session != nil {
			r.folded = maps.Clone(r.folded)
			r = m.hooks.session(r)
		}
		m.records[id] = r
	}
}

// change keeps companies and grants in the same map as the sessions, under keys
// that no session has.
func (m *memory) change(c session.Change, written *session.Written) error {
	key, r := c.SessionID, record{}
	switch {
	case c.Kind == session.KindCompany:
		key = "\x00company"
	case c.Kind == session.KindGrant:
		key = "\x00grant"
	case !c.Delete:
		var err error
		if r, err = newRecord(c.Session.JSON()); err != nil {
			return err
		}
		if m.hooks.session != nil {
			r = m.hooks.session(r)
		}
		key = r.id
	}
	if !c.Delete {
		m.records[key] = r
		written.Upserted++
		return nil
	}
	if _, ok := m.records[key]; !ok {
		written.Missing++
		return nil
	}
	delete(m.records, key)
	written.Deleted++
	return nil
}

func (m *memory) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if err := ctx.Err(); err != nil && !m.hooks.ignoreContext {
		return search.Result{}, err
	}
	asked := q
	if m.hooks.query != nil {
		q = m.hooks.query(q)
	}
	if q.After != nil {
		if err := search.CheckPosition(q.Sort, *q.After); err != nil {
			return search.Result{}, err
		}
	}
	found := m.find(scope, q)
	result := search.Result{Count: search.Count{Total: int64(len(found))}}
	rows, err := m.behind(found, q)
	if err != nil {
		return search.Result{}, err
	}
	result.Page = pageOf(rows, q)
	if q.WithoutCount {
		result.Count = search.Count{}
	}
	if q.WithoutItems {
		result.Page = search.Page{}
	}
	if m.hooks.result != nil {
		result = m.hooks.result(asked, result)
	}
	return result, nil
}

func (m *memory) find(scope tenancy.Scope, q search.Query) []record {
	m.mu.RLock()
	defer m.mu.RUnlock()
	keyword := terms{words: q.Filter.Keyword.Words(), phones: q.Filter.Keyword.Phones()}
	if m.hooks.terms != nil {
		keyword = m.hooks.terms(keyword)
	}
	match := m.hooks.match
	if match == nil {
		match = func(f search.Filter, t terms, r record) bool { return r.matches(f) && r.matchesKeyword(t) }
	}
	contains := m.hooks.contains
	if contains == nil {
		contains = tenancy.Scope.Contains
	}
	var found []record
	for r := range maps.Values(m.records) {
		if r.id != "" && contains(scope, r.company) && match(q.Filter, keyword, r) {
			found = append(found, r)
		}
	}
	switch {
	case !q.NewestOfClient:
	case m.hooks.newest != nil:
		found = m.hooks.newest(found)
	default:
		found = newestOfClients(found)
	}
	return found
}

// behind sorts the rows and keeps those after the position.
func (m *memory) behind(found []record, q search.Query) ([]record, error) {
	if m.hooks.compare == nil {
		order(found, q.Sort)
		return behind(found, q.Sort, q.After)
	}
	places := func(a, b []any) int {
		for i := range b {
			if c := m.hooks.compare(a[i], b[i], q.Sort[i].Desc); c != 0 {
				return c
			}
		}
		return 0
	}
	slices.SortFunc(found, func(a, b record) int { return places(a.place(q.Sort), b.place(q.Sort)) })
	if q.After == nil {
		return found, nil
	}
	place, err := readPosition(*q.After, q.Sort)
	return slices.DeleteFunc(found, func(r record) bool { return places(r.place(q.Sort), place) <= 0 }), err
}

func pageOf(rows []record, q search.Query) search.Page {
	cutOut, more := cut(rows, q.Offset, q.Limit)
	page, fields := search.Page{More: more}, names(q.Fields)
	for _, r := range cutOut {
		page.Rows = append(page.Rows, search.Row{
			CompanyID: r.company, JSON: r.project(fields), Position: *writePosition(r.place(q.Sort)...),
		})
	}
	return page
}

func (m *memory) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	if err := ctx.Err(); err != nil && !m.hooks.ignoreContext {
		return search.Summary{}, err
	}
	asked := q
	if m.hooks.summed != nil {
		q = m.hooks.summed(q)
	}
	s, possible := sum(func(f search.Filter) []record { return m.find(scope, search.Query{Filter: f}) }, q)
	if !possible {
		return search.Summary{}, search.ErrTooManyBuckets
	}
	if m.hooks.sums != nil {
		s = m.hooks.sums(asked, s)
	}
	return s, nil
}

// memorySnapshot returns the rows of one large page, a few at a time.
type memorySnapshot struct {
	count int64
	rows  []search.Row
	late  func() []search.Row // reads rows only at the end; nil: none
	deaf  bool                // ignores contexts
}

func (m *memory) Snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	if err := ctx.Err(); err != nil && !m.hooks.ignoreContext {
		return nil, err
	}
	if q.Sort = search.NormalizeSort(q.Sort); q.After != nil {
		if err := search.CheckPosition(q.Sort, *q.After); err != nil {
			return nil, err
		}
	}
	asked := q
	if q.Limit == 0 {
		q.Limit = 1 << 40
	}
	found := m.find(scope, q)
	rows, err := m.behind(found, q)
	if err != nil {
		return nil, err
	}
	s := &memorySnapshot{count: int64(len(found)), rows: pageOf(rows, q).Rows, deaf: m.hooks.ignoreContext}
	if m.hooks.snapshot != nil {
		m.hooks.snapshot(asked, s)
		if s.late != nil {
			s.late = func() []search.Row {
				rows, _ := m.behind(m.find(scope, q), q)
				return pageOf(rows, q).Rows
			}
		}
	}
	return s, nil
}

func (s *memorySnapshot) Count() int64 { return s.count }

func (s *memorySnapshot) Next(ctx context.Context) ([]search.Row, error) {
	if err := ctx.Err(); err != nil && !s.deaf {
		return nil, err
	}
	if s.late != nil {
		s.rows, s.late = s.late(), nil
	}
	if len(s.rows) == 0 {
		return nil, io.EOF
	}
	n := min(7, len(s.rows))
	batch := s.rows[:n]
	s.rows = s.rows[n:]
	return batch, nil
}

func (s *memorySnapshot) Close() error { return nil }
