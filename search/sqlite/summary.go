package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/scopegate/scopegate/search"
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
	sums, began := newSums(q), time.Now()
	if !scope.IsEmpty() {
		err := s.readers.use(ctx, func(r *reader) error {
			set, err := r.bind(ctx, scope, s.limits.inlineScope)
			if err != nil {
				return err
			}
			return r.snapshot(ctx, func() error { return newPlanner(s.limits, r, set, q.Filter).sum(ctx, sums) })
		})
		if err != nil {
			return search.Summary{}, err
		}
	}
	summary, err := sums.summary()
	summary.Provenance.Took = time.Since(began)
	return summary, err
}

// sum reads every match once. A GROUP BY for each axis would evaluate the
// conditions and sort once per axis, which takes far longer. All matches are found
// before the first row is returned, so that a cancelled context stops the
// statement.
func (p *planner) sum(ctx context.Context, into *sums) error {
	if isNever(p.conditions) {
		return nil
	}
	a, err := p.candidates(ctx)
	if err != nil {
		return err
	}
	w := p.where(a)
	query := "WITH matches AS MATERIALIZED (SELECT s.company_id, s." + dateColumn(p.filter) +
		", s.messenger_type, s.operator_type, s.status FROM " + a.from + w.sql.String() + ") SELECT * FROM matches"
	var company int64
	var date, messenger, operator, status any
	return p.r.each(ctx, query, w.args, func(rows *sql.Rows) error {
		if err := rows.Scan(&company, &date, &messenger, &operator, &status); err != nil {
			return err
		}
		into.add(tenancy.CompanyID(company), date, messenger, operator, status)
		return nil
	})
}

// sums are the totals of the matches so far. The key nil stands for sessions
// without a value.
type sums struct {
	query                       search.SummaryQuery
	count                       int64
	first, last                 int64 // dates, in milliseconds since 1970
	hours                       map[int64]int64
	companies                   map[tenancy.CompanyID]int64
	messengers, operators, stat map[any]int64
	withoutDate                 int64
}

func newSums(q search.SummaryQuery) *sums {
	return &sums{
		query: q, hours: map[int64]int64{}, companies: map[tenancy.CompanyID]int64{},
		messengers: map[any]int64{}, operators: map[any]int64{}, stat: map[any]int64{},
	}
}

func (s *sums) add(company tenancy.CompanyID, date, messenger, operator, status any) {
	s.count++
	s.companies[company]++
	s.messengers[messenger]++
	s.operators[operator]++
	s.stat[status]++
	if ms, ok := date.(int64); ok {
		s.addDate(ms)
	} else {
		s.withoutDate++
	}
}

// addDate counts by hours of the time zone, since every interval consists of whole
// hours. The interval itself may depend on dates that are still to come.
func (s *sums) addDate(ms int64) {
	if len(s.hours) == 0 {
		s.first, s.last = ms, ms
	}
	s.first, s.last = min(s.first, ms), max(s.last, ms)
	s.hours[search.StartOfHour(ms, s.query.Timezone)]++
}

func (s *sums) summary() (search.Summary, error) {
	builder := search.NewHistogramBuilder(s.query, s.withoutDate)
	if len(s.hours) > 0 {
		if err := builder.SetRange(s.first, s.last); err != nil {
			return search.Summary{}, err
		}
	}
	for hour, n := range s.hours {
		builder.Add(hour, n)
	}
	companies := search.TopCompanies()
	for id, n := range s.companies {
		companies.Add(id, n)
	}
	return search.Summary{
		Count: s.count, Histogram: builder.Histogram(), Companies: companies.Axis(),
		MessengerTypes: ranked(s.messengers, search.TopLabels()),
		OperatorTypes:  ranked(s.operators, search.TopOperatorTypes()),
		Statuses:       ranked(s.stat, search.TopLabels()),
	}, nil
}

func ranked(sums map[any]int64, top *search.TopTexts) search.Axis[search.Label] {
	for value, n := range sums {
		if text, ok := value.(string); ok {
			top.Add(text, n)
		} else {
			top.AddMissing(n)
		}
	}
	return top.Axis()
}
