package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Search answers the query in one snapshot: count and page agree.
func (s *Store) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	ctx, span := startSpan(ctx, scope, q.Wanted())
	result, err := s.search(ctx, scope, q)
	endSpan(span, len(result.Page.Rows), err)
	return result, err
}

func (s *Store) search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	o, err := orderedPage(q)
	if err != nil || scope.IsEmpty() {
		return search.Result{}, err
	}
	o.fields, o.maxBytes = q.Fields, s.maxPage
	var result search.Result
	err = s.readers.use(ctx, func(r *reader) error {
		set, err := r.bind(ctx, scope, s.limits.inlineScope)
		if err != nil {
			return err
		}
		return r.snapshot(ctx, func() error {
			d, err := s.newDeepPage(ctx, r, set, scope, q, o)
			if err != nil {
				return err
			}
			p := newPlanner(s.limits, r, set, q.Filter)
			if q.NewestOfClient {
				if err := p.keepNewest(ctx); err != nil {
					return err
				}
			}
			result, err = p.answer(ctx, q, o, d)
			return err
		})
	})
	if err != nil {
		return search.Result{}, err
	}
	return result, nil
}

func (p *planner) answer(ctx context.Context, q search.Query, o ordered, d *deepPage) (result search.Result, err error) {
	began := time.Now()
	if !q.WithoutCount {
		if result.Count.Total, err = p.countMatches(ctx); err != nil {
			return search.Result{}, err
		}
		result.Count.Provenance.Took = time.Since(began)
		began = time.Now()
	}
	if !q.WithoutItems {
		if result.Page, err = p.page(ctx, o, d); err != nil {
			return search.Result{}, err
		}
		result.Page.Provenance.Took = time.Since(began)
	}
	return result, nil
}

func (p *planner) countMatches(ctx context.Context) (int64, error) {
	switch {
	case isNever(p.conditions):
		return 0, nil
	case p.matches != nil:
		return *p.matches, nil
	case len(p.conditions) == 0:
		return p.sessionsOfScope(ctx)
	}
	a, err := p.candidates(ctx)
	if err != nil {
		return 0, err
	}
	return p.count(ctx, a)
}

func (p *planner) count(ctx context.Context, a access, more ...condition) (int64, error) {
	w := p.where(a, more...)
	return p.r.number(ctx, "SELECT count(*) FROM "+a.from+w.sql.String(), w.args...)
}

// ordered is the part of an order that a statement reads.
type ordered struct {
	terms      []sortTerm
	start      []any
	conditions []condition // in addition to the filter
	limit      int
	offset     int
	bare       bool // without documents
	fields     session.FieldSet
	maxBytes   int64 // of the page's items
}

// orderedPage requests one row more than the page holds, to see whether there are
// more.
func orderedPage(q search.Query) (ordered, error) {
	if q.WithoutItems {
		return ordered{}, nil
	}
	keys := q.PageSort()
	terms, err := orderOf(keys)
	if err != nil {
		return ordered{}, err
	}
	o := ordered{terms: terms, limit: q.Limit + 1, offset: q.Offset}
	if q.After == nil {
		return o, nil
	}
	if err := search.CheckPosition(keys, *q.After); err != nil {
		return ordered{}, err
	}
	position := search.FoldPosition(keys, *q.After, schema.Steps().Newest().Folding)
	if o.start, err = positionValues(terms, &position); err != nil {
		return ordered{}, err
	}
	return o.with(after(terms, o.start)), nil
}

func (o ordered) with(more ...condition) ordered {
	o.conditions = append(append([]condition(nil), o.conditions...), more...)
	return o
}

// behind returns the rest of the order after a row.
func (o ordered) behind(position []any) ordered {
	o.start, o.offset = position, 0
	o.conditions = []condition{after(o.terms, position)}
	return o
}

// found is one row as it was read.
type found struct {
	key      int64
	company  int64
	position []any
	item     json.RawMessage // the requested fields; nil when bare
}

func (p *planner) page(ctx context.Context, o ordered, d *deepPage) (search.Page, error) {
	var rows []found
	var err error
	if d == nil {
		rows, err = p.pageRows(ctx, o)
	} else {
		rows, err = p.deepRows(ctx, d, o)
	}
	if err != nil {
		return search.Page{}, err
	}
	page := search.Page{More: len(rows) == o.limit}
	if page.More {
		rows = rows[:o.limit-1]
	}
	page.Rows = make([]search.Row, len(rows))
	bytes := int64(0) // includes rows that were read in several parts
	for i, row := range rows {
		if bytes += int64(len(row.item)); bytes > o.maxBytes {
			return search.Page{}, errPageTooLarge
		}
		if page.Rows[i], err = row.row(); err != nil {
			return search.Page{}, err
		}
	}
	return page, nil
}

func (p *planner) pageRows(ctx context.Context, o ordered) ([]found, error) {
	if isNever(p.conditions) || isNever(o.conditions) {
		return nil, nil
	}
	w, walkable := p.walkFor(o.terms, o.start)
	short, err := p.isShort(ctx, w, walkable, o)
	if err != nil {
		return nil, err
	}
	if !short {
		few, err := p.fewCandidates(ctx)
		if err != nil {
			return nil, err
		}
		if few != nil {
			return p.read(ctx, *few, o)
		}
	}
	if walkable {
		rows, enough, err := p.walkPage(ctx, w, o)
		if enough || err != nil {
			return rows, err
		}
	}
	many, err := p.manyCandidates(ctx)
	if err != nil {
		return nil, err
	}
	return p.read(ctx, many, o)
}

// statement reads the rows of a part of an order. A subquery sorts the narrow rows
// of sessions completely before it returns the first row, so that a cancelled
// context can stop it. Documents are read for the page alone.
func (p *planner) statement(a access, o ordered) (query string, args []any) {
	w := p.where(a, o.conditions...)
	columns := make([]string, len(o.terms))
	for i, t := range o.terms {
		columns[i] = t.column
	}
	document := "(SELECT d.doc FROM documents AS d WHERE d.key = page.key)"
	if o.bare {
		document = "NULL"
	}
	query = "WITH page AS MATERIALIZED (SELECT s.key, s.company_id, " + strings.Join(columns, ", ") +
		" FROM " + a.from + w.sql.String() + orderBy(o.terms) + " LIMIT ? OFFSET ?)" +
		" SELECT " + document + ", page.* FROM page"
	return query, append(w.args, o.limit, o.offset)
}

// read fails with errPageTooLarge where the rows of the page have more bytes than
// allowed. The extra row, which shows whether there are more, is not counted.
func (p *planner) read(ctx context.Context, a access, o ordered) (page []found, err error) {
	query, args := p.statement(a, o)
	bytes := int64(0)
	err = p.r.each(ctx, query, args, func(rows *sql.Rows) error {
		row := found{position: make([]any, len(o.terms))}
		var document []byte
		into := []any{&document, &row.key, &row.company}
		for i := range row.position {
			into = append(into, &row.position[i])
		}
		err := rows.Scan(into...)
		if err == nil && !o.bare {
			row.item, err = session.Project(document, o.fields)
			if bytes += int64(len(row.item)); bytes > o.maxBytes && len(page) < o.limit-1 {
				return errPageTooLarge
			}
		}
		page = append(page, row)
		return err
	})
	return page, err
}

var errPageTooLarge = fmt.Errorf("sqlite: %w", search.ErrPageTooLarge)

func (f found) row() (search.Row, error) {
	position, err := positionOf(f.position)
	return search.Row{CompanyID: tenancy.CompanyID(f.company), JSON: f.item, Position: position}, err
}

const tracerName = "github.com/scopegate/scopegate/search/sqlite"

// startSpan records sizes only: the search terms are personal data.
func startSpan(ctx context.Context, scope tenancy.Scope, wanted string) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(tracerName)
	return tracer.Start(ctx, "engine", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "sqlite"),
		attribute.String("scopegate.search.kind", wanted),
		attribute.Int("scopegate.scope.size", scope.Len()),
	))
}

func endSpan(span trace.Span, rows int, err error) {
	defer span.End()
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return
	}
	span.SetAttributes(attribute.Int("db.response.returned_rows", rows))
}
