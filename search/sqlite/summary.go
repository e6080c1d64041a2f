package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Summarize computes the summary in one snapshot. See search.Summarizer.
func (s *Store) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	ctx, span := startSpan(ctx, scope, "summary")
	summary, err := s.summarize(ctx, scope, q)
	endSpan(span, 0, err)
	return summary, err
}

func (s *Store) summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	var summary search.Summary
	began := time.Now()
	if scope.IsEmpty() {
		err := newSums(q, q.Parts()[0]).addTo(&summary)
		return summary, err
	}
	err := s.readers.use(ctx, func(r *reader) error {
		set, err := r.bind(ctx, scope, s.limits.inlineScope)
		if err != nil {
			return err
		}
		return r.snapshot(ctx, func() error {
			for _, part := range q.Parts() {
				sums := newSums(q, part)
				if err := newPlanner(s.limits, r, set, part.Filter).sum(ctx, sums); err != nil {
					return err
				}
				if err := sums.addTo(&summary); err != nil {
					return err
				}
				if err := sums.nameOperators(ctx, r, summary.Operators.Top); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return search.Summary{}, err
	}
	summary.Provenance.Took = time.Since(began)
	return summary, nil
}

// facetColumns are the columns of the facets with a text. Operators need three more
// columns to find the newest session of each.
var facetColumns = map[search.Facet]string{
	search.FacetMessengerTypes: "s.messenger_type",
	search.FacetOperatorTypes:  "s.operator_type",
	search.FacetStatuses:       "s.status",
	search.FacetBotStatuses:    "s.bot_status",
	search.FacetOperators:      "s.operator_id",
	search.FacetTags:           "s.tags",
}

// sum reads every match of a part once. A GROUP BY for each facet would evaluate
// the conditions and sort once per facet, which takes far longer. All matches are
// found before the first row is returned, so that a cancelled context stops the
// statement. The first and last date are needed before the first date is counted,
// since they decide where buckets begin.
func (p *planner) sum(ctx context.Context, into *sums) error {
	if isNever(p.conditions) {
		return nil
	}
	a, err := p.candidates(ctx)
	if err != nil {
		return err
	}
	w := p.where(a)
	columns := append([]string{"s.company_id"}, into.columns...)
	from, selected := "matches", "*"
	if into.dated {
		columns = append(columns, "s."+dateColumn(p.filter)+" AS date")
		from, selected = "matches, (SELECT min(date) AS first, max(date) AS last FROM matches)", "matches.*, first, last"
	}
	query := "WITH matches AS MATERIALIZED (SELECT " + strings.Join(columns, ", ") + " FROM " + a.from + w.sql.String() +
		") SELECT " + selected + " FROM " + from
	return p.r.each(ctx, query, w.args, into.add)
}

// sums are the totals of the matches of one part of a summary so far.
type sums struct {
	query search.SummaryQuery
	part  search.SummaryPart
	dated bool // the dates are counted

	columns []string // of the facets, in the order of tallies
	tallies []tally
	newest  map[string]newest // of each operator; nil: not asked for
	row     []any             // what a row is scanned into: pointers to the fields below and to those of tallies

	count     int64
	company   int64
	companies map[int64]int64 // nil: not asked for
	session   newest
	date      any
	first     any
	last      any
	histogram *search.HistogramBuilder
}

// tally counts the values of one facet with a text. The key nil stands for sessions
// without a value.
type tally struct {
	facet  search.Facet
	value  any // of the current row
	counts map[any]int64
}

// newest identifies a session, and says how new it is.
type newest struct {
	startedAt any
	id        string
	key       int64
}

// isBefore orders by startedAt, a session without one first, then by id.
func (n newest) isBefore(other newest) bool {
	a, started := n.startedAt.(int64)
	b, otherStarted := other.startedAt.(int64)
	if started != otherStarted {
		return otherStarted
	}
	if a != b {
		return a < b
	}
	return n.id < other.id
}

func newSums(q search.SummaryQuery, part search.SummaryPart) *sums {
	s := &sums{
		query: q, part: part, dated: part.Whole && !q.WithoutHistogram,
		histogram: search.NewHistogramBuilder(q),
	}
	if slices.Contains(part.Facets, search.FacetCompanies) {
		s.companies = map[int64]int64{}
	}
	s.row = []any{&s.company}
	for _, facet := range part.Facets {
		if column, ok := facetColumns[facet]; ok {
			s.columns = append(s.columns, column)
			s.tallies = append(s.tallies, tally{facet: facet, counts: map[any]int64{}})
		}
	}
	for i := range s.tallies {
		s.row = append(s.row, &s.tallies[i].value)
	}
	if slices.Contains(part.Facets, search.FacetOperators) {
		s.newest = map[string]newest{}
		s.columns = append(s.columns, "s.started_at", "s.id", "s.key")
		s.row = append(s.row, &s.session.startedAt, &s.session.id, &s.session.key)
	}
	if s.dated {
		s.row = append(s.row, &s.date, &s.first, &s.last)
	}
	return s
}

// add counts one match.
func (s *sums) add(rows *sql.Rows) error {
	if err := rows.Scan(s.row...); err != nil {
		return err
	}
	if s.companies != nil {
		s.companies[s.company]++
	}
	for i := range s.tallies {
		s.tallies[i].add(s)
	}
	if s.count++; !s.dated {
		return nil
	}
	first, dated := s.first.(int64)
	last, _ := s.last.(int64)
	if s.count == 1 && dated {
		if err := s.histogram.SetRange(first, last); err != nil {
			return err
		}
	}
	if ms, ok := s.date.(int64); ok {
		s.histogram.Add(ms, 1)
	} else {
		s.histogram.AddMissing(1)
	}
	return nil
}

func (t *tally) add(s *sums) {
	switch t.facet {
	case search.FacetTags:
		t.addTags()
		return
	case search.FacetOperators:
		if id, ok := t.value.(string); ok {
			if n, known := s.newest[id]; !known || n.isBefore(s.session) {
				s.newest[id] = s.session
			}
		}
	}
	t.counts[t.value]++
}

// addTags counts the session for each tag that can be listed, or as one without
// tags.
func (t *tally) addTags() {
	packed, _ := t.value.(string)
	found := false
	for _, tag := range unpackTags(packed) {
		if search.IsSummaryText(tag) {
			t.counts[tag]++
			found = true
		}
	}
	if !found {
		t.counts[nil]++
	}
}

// addTo adds what was counted to the summary.
func (s *sums) addTo(summary *search.Summary) error {
	if s.part.Whole {
		summary.Count = s.count
	}
	if s.dated {
		if len(s.histogram.Edges()) == 0 {
			if err := s.histogram.SetNoDates(); err != nil {
				return err
			}
		}
		summary.Histogram = s.histogram.Histogram()
	}
	if s.companies != nil {
		companies := search.TopCompanies(s.query)
		for id, n := range s.companies {
			companies.Add(tenancy.CompanyID(id), n)
		}
		summary.Companies = companies.Axis()
	}
	for _, t := range s.tallies {
		axis := t.axis(s.query)
		if t.facet != search.FacetOperators {
			*summary.Texts(t.facet) = axis
			continue
		}
		summary.Operators = search.OperatorAxis(axis)
	}
	return nil
}

// nameOperators reads the newest session of each listed operator.
func (s *sums) nameOperators(ctx context.Context, r *reader, top []search.Share[search.Operator]) error {
	if s.newest == nil {
		return nil
	}
	index, _, _ := session.FieldByName("operatorName")
	fields := session.FieldSet{}.With(index)
	for i := range top {
		operator := &top[i].Value
		if operator.ID.None {
			continue
		}
		var document []byte
		query := "SELECT doc FROM documents WHERE key = ?"
		if err := r.conn.QueryRowContext(ctx, query, s.newest[operator.ID.Text].key).Scan(&document); err != nil {
			return engineError(ctx, err)
		}
		item, err := session.Project(document, fields)
		if err != nil {
			return err
		}
		if operator.Name, err = search.OperatorName(item); err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) axis(q search.SummaryQuery) search.Axis[search.Label] {
	top := search.NewTopTexts(q, t.facet)
	for value, n := range t.counts {
		if text, ok := value.(string); ok {
			top.Add(text, n)
		} else {
			top.AddMissing(n)
		}
	}
	return top.Axis()
}
