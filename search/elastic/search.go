package elastic

import (
	"bytes"
	"cmp"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Search answers the query with one request. For pages that one request cannot
// reach it uses several on one point in time. See search.Searcher; in addition, it
// fails for a query that Elasticsearch regards as invalid.
func (s *Store) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	ctx, span := startSpan(ctx, scope, q.Wanted())
	v := &view{store: s}
	result, err := v.search(ctx, scope, q)
	endSpan(span, result.Count.Total, len(result.Page.Rows), v.stats, err)
	return result, err
}

// view is one search's view of the index of sessions: either the current state at
// each request, or one point in time for all requests.
type view struct {
	store *Store
	target
	pit   *pit // nil: the current state at each request
	stats searchStats
}

// choose makes the view one of the index that is searched now, also if gateways begin
// to search another one meanwhile. It refuses a filter that the index cannot answer.
func (v *view) choose(ctx context.Context, f search.Filter) error {
	if err := v.store.checked(ctx); err != nil {
		return err
	}
	v.target = v.store.target()
	if lackingIn(v.step, f) {
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, errLacking)
	}
	return nil
}

func (v *view) search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	began := time.Now()
	p, err := newPlan(q)
	if err != nil {
		return search.Result{}, err
	}
	if err := contextError(ctx); err != nil {
		return search.Result{}, err
	}
	if scope.IsEmpty() || q.WithoutCount && q.WithoutItems {
		return search.Result{}, nil
	}
	if err := v.choose(ctx, q.Filter); err != nil {
		return search.Result{}, err
	}
	if err := p.foldBy(v.step.Folding, scope, q); err != nil {
		return search.Result{}, err
	}
	if p.skip > 0 {
		p.key = newAnchorKey(scope, q)
	}
	fetch := v.fetch
	if q.NewestOfClient {
		fetch = v.fetchNewest
	}
	a, err := fetch(ctx, p)
	if err != nil {
		return search.Result{}, err
	}
	return p.result(a, v.store.options.MaxPageBytes, time.Since(began))
}

// fetchNewest is fetch for the newest session of each client.
func (v *view) fetchNewest(ctx context.Context, p plan) (a answer, err error) {
	err = v.onPointInTime(ctx, func() error {
		if !p.items {
			a.Hits.Total.Value, err = v.countClients(ctx, p.query)
			return err
		}
		if p.query, err = v.keepNewest(ctx, p.query); err != nil {
			return err
		}
		a, err = v.fetch(ctx, p)
		return err
	})
	return a, err
}

// plan is what a search requests.
type plan struct {
	query  stdjson.RawMessage
	terms  []sortTerm
	start  []jsontext.Value // sort values to start after; nil: at the start
	passed int              // rows before start, where known
	skip   int              // rows to skip from there
	limit  int
	fields session.FieldSet
	count  bool
	items  bool
	key    paging.Key // key of the anchors on the way; set when rows are skipped
}

func newPlan(q search.Query) (plan, error) {
	p := plan{count: !q.WithoutCount, items: !q.WithoutItems}
	if !p.items {
		return p, nil
	}
	keys := q.PageSort()
	var err error
	if p.terms, err = newOrder(keys); err != nil {
		return plan{}, err
	}
	if q.After != nil {
		if err := search.CheckPosition(keys, *q.After); err != nil {
			return plan{}, err
		}
	}
	p.skip, p.limit, p.fields = q.Offset, q.Limit, q.Fields
	return p, nil
}

// foldBy completes the plan with what depends on the folding of the index.
func (p *plan) foldBy(by keyword.Folding, scope tenancy.Scope, q search.Query) (err error) {
	if p.items && q.After != nil {
		p.start = after(p.terms, search.FoldPosition(q.PageSort(), *q.After, by))
	}
	p.query, err = scoped(scope, conditions(q.Filter, by))
	return err
}

// newAnchorKey leaves out the state of the data: see seek.
func newAnchorKey(scope tenancy.Scope, q search.Query) paging.Key {
	q.Sort = q.PageSort()
	return paging.NewKey(scope, q, "")
}

// request is a search's body without its query, which may be long.
type request struct {
	Query       stdjson.RawMessage `json:"query,omitempty"` // only for a search that is not for sessions
	Size        int                `json:"size"`
	From        int                `json:"from,omitempty"`
	Count       bool               `json:"track_total_hits"`
	Sort        []clause           `json:"sort,omitempty"`
	SearchAfter []jsontext.Value   `json:"search_after,omitempty"`
	Source      bool               `json:"_source"`
	Columns     []string           `json:"docvalue_fields,omitempty"`
	Stored      string             `json:"stored_fields,omitempty"`
	Versions    bool               `json:"seq_no_primary_term,omitempty"`
	PIT         *pit               `json:"pit,omitempty"`
	Aggs        clause             `json:"aggs,omitempty"`

	only      []string // fields of the documents; empty: all
	maxBytes  int      // limit of the answer, in bytes; 0: maxAnswer
	rewritten bool     // see rewritten
}

// rewritten makes Elasticsearch parse the documents of an answer and write them
// again, as it does where it leaves fields out. They are then JSON without comments
// and in UTF-8, whatever form they are stored in. It is slower, and numbers lose
// their text.
func rewritten() []string { return []string{"-"} } // no field has this name

// page requests one row more than the page holds, to see whether there are more.
// The company is read from its column, which is what the scope is compared with.
func (p plan) page() request {
	if !p.items {
		return request{Count: p.count}
	}
	return request{
		Size: p.limit + 1, From: p.skip, Count: p.count,
		Sort: sortClauses(p.terms), SearchAfter: p.start,
		Source: true, Columns: []string{"companyId"},
	}
}

// fetch reads the page with as few requests as possible.
func (v *view) fetch(ctx context.Context, p plan) (answer, error) {
	atOnce := p.skip+p.limit < v.store.limits.window
	if p.start != nil {
		atOnce = p.skip == 0 // Elasticsearch skips no rows after a position
	}
	var a answer
	var err error
	if atOnce || !p.items {
		a, err = v.askRows(ctx, p, p.page())
	} else {
		a, err = v.walk(ctx, p)
	}
	if err == nil && p.isShort(a) {
		return answer{}, errShort
	}
	return a, err
}

// isShort reports whether the answer has fewer rows than its own count promises.
// Call it on the plan from before any row was skipped.
func (p plan) isShort(a answer) bool {
	if !p.items || !p.count || p.start != nil { // rows after a position are not counted
		return false
	}
	left := max(0, a.Hits.Total.Value-int64(p.skip))
	return int64(len(a.Hits.Hits)) < min(int64(p.limit)+1, left)
}

// askRows sends the search for the page's rows, and reads only as many bytes of the
// answer as the rows and the text around them may have. It requests whole
// documents, which is fastest; if those are too large, only the fields of the page.
func (v *view) askRows(ctx context.Context, p plan, r request) (answer, error) {
	if !r.Source {
		return v.ask(ctx, p.query, r)
	}
	const beside = 1 << 20 // text around a few rows, and the extra row
	limit := v.store.options.MaxPageBytes
	r.maxBytes = int(min(limit+limit/4+beside, math.MaxInt))
	a, err := v.ask(ctx, p.query, r)
	if errors.Is(err, errTooLarge) && !p.fields.IsAll() {
		r.only = fieldNames(p.fields)
		a, err = v.ask(ctx, p.query, r)
	}
	if errors.Is(err, errTooLarge) {
		err = errPageTooLarge
	}
	return a, err
}

// fieldNames returns the names of the fields, and of those that completing a
// session needs; see session.Complete.
func fieldNames(fields session.FieldSet) []string {
	names := []string{"id", "companyId", "clientMessageCount", "operatorMessageCount", "botMessageCount"}
	for i, f := range session.Fields() {
		if fields.Has(i) && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// ask sends one search. Its answer is complete or an error.
func (v *view) ask(ctx context.Context, query stdjson.RawMessage, r request, only ...string) (answer, error) {
	s := v.store
	r.PIT = v.pit
	body, err := searchBody(query, r)
	if err != nil {
		return answer{}, err
	}
	call := esapi.SearchRequest{
		Body: bytes.NewReader(body), AllowPartialSearchResults: new(false),
		FilterPath: only, SourceIncludes: r.only, Instrument: s.client.instrument,
	}
	if r.rewritten {
		call.SourceExcludes = rewritten()
	}
	if r.PIT == nil { // a point in time knows its indices
		call.Index = []string{v.alias}
	}
	var a answer
	err = s.client.use(ctx, call, cmp.Or(r.maxBytes, maxAnswer), func(body []byte) (err error) {
		if !r.Source {
			return decode(body, &a)
		}
		a, err = readRows(body)
		return err
	})
	if errors.Is(err, errStored) && !r.rewritten {
		r.rewritten = true
		return v.ask(ctx, query, r, only...)
	}
	if err != nil {
		return answer{}, err
	}
	v.stats.add(a)
	if err := a.check(r.Count); err != nil {
		return answer{}, err
	}
	switch {
	case v.pit != nil:
		v.pit.renew(a.PIT)
	case v.alias == s.searched():
		err = s.fitsShards(ctx, a.Shards.Total)
	}
	return a, err
}

// searchBody puts the query before the rest without parsing it: it may be long.
func searchBody(query stdjson.RawMessage, r request) ([]byte, error) {
	rest, err := stdjson.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	body := make([]byte, 0, len(query)+len(rest)+10)
	body = append(append(body, `{"query":`...), query...)
	return append(append(body, ','), rest[1:]...), nil
}

func (p plan) result(a answer, maxBytes int64, took time.Duration) (result search.Result, err error) {
	if p.count {
		result.Count = search.Count{Total: a.Hits.Total.Value, Provenance: search.Provenance{Took: took}}
	}
	if p.items {
		if result.Page, err = p.rows(a.Hits.Hits, maxBytes); err != nil {
			return search.Result{}, err
		}
		result.Page.Provenance.Took = took
	}
	return result, nil
}

const tracerName = "github.com/scopegate/scopegate/search/elastic"

// searchStats adds up the times of the requests of one search.
type searchStats struct {
	requests int
	took     int64 // milliseconds, by Elasticsearch's own clock
	shards   int
}

func (s *searchStats) add(a answer) {
	s.requests++
	s.took += a.Took
	s.shards = max(s.shards, a.Shards.Total)
}

// startSpan records sizes only: the search terms are personal data.
func startSpan(ctx context.Context, scope tenancy.Scope, wanted string) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(tracerName)
	return tracer.Start(ctx, "engine", trace.WithAttributes(
		attribute.String("db.system.name", "elasticsearch"),
		attribute.String("scopegate.search.kind", wanted),
		attribute.Int("scopegate.scope.size", scope.Len()),
	))
}

func endSpan(span trace.Span, hits int64, rows int, stats searchStats, err error) {
	defer span.End()
	span.SetAttributes(
		attribute.Int("scopegate.engine.requests", stats.requests),
		attribute.Int64("scopegate.engine.took_ms", stats.took),
		attribute.Int("scopegate.engine.shards", stats.shards),
	)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return
	}
	span.SetAttributes(
		attribute.Int64("scopegate.engine.hits", hits),
		attribute.Int("db.response.returned_rows", rows),
	)
}
