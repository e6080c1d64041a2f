package elastic

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Summarize computes the summary on one point in time. See search.Summarizer.
func (s *Store) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	ctx, span := startSpan(ctx, scope, "summary")
	v := &view{store: s}
	summary, err := v.summarize(ctx, scope, q)
	endSpan(span, summary.Count, 0, v.stats, err)
	return summary, err
}

func (v *view) summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (summary search.Summary, err error) {
	began := time.Now()
	if err := contextError(ctx); err != nil {
		return search.Summary{}, err
	}
	if scope.IsEmpty() {
		summary.Histogram, err = emptyHistogram(q)
		return summary, err
	}
	if err := v.choose(ctx, q.Filter); err != nil {
		return search.Summary{}, err
	}
	if err := v.checkFacets(q); err != nil {
		return search.Summary{}, err
	}
	err = v.onPointInTime(ctx, func() error {
		for _, part := range q.Parts() {
			query, err := scoped(scope, conditions(part.Filter, v.step.Folding))
			if err != nil {
				return err
			}
			a := aggregator{view: v, query: query, wanted: q, part: part}
			if err := a.addTo(ctx, &summary); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return search.Summary{}, err
	}
	summary.Provenance.Took = time.Since(began)
	return summary, nil
}

// checkFacets refuses facets that an index of an older schema cannot count by.
func (v *view) checkFacets(q search.SummaryQuery) error {
	const counted = 3 // the schema with columns for all facets
	if v.step.Schema >= counted {
		return nil
	}
	for _, facet := range q.CountedFacets() {
		switch facet {
		case search.FacetBotStatuses, search.FacetOperators, search.FacetTags:
			return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, errUncounted)
		}
	}
	return nil
}

// emptyHistogram is the histogram of no sessions.
func emptyHistogram(q search.SummaryQuery) (search.Histogram, error) {
	if q.WithoutHistogram {
		return search.Histogram{}, nil
	}
	builder := search.NewHistogramBuilder(q)
	err := builder.SetNoDates()
	return builder.Histogram(), err
}

// aggregator aggregates the matches of one part of a summary on one point in time.
type aggregator struct {
	*view

	query  stdjson.RawMessage
	wanted search.SummaryQuery
	part   search.SummaryPart
}

// Names of aggregations.
const (
	firstDate, lastDate, noDate, dates = "first", "last", "dateless", "dates"
	newestHit                          = "newest"
	without                            = "-without" // suffix of an axis' name
)

// addTo adds what the part counts to the summary.
func (a aggregator) addTo(ctx context.Context, summary *search.Summary) error {
	found, err := a.aggregate(ctx, a.overview(), a.part.Whole)
	if err != nil {
		return err
	}
	if a.part.Whole {
		summary.Count = found.Hits.Total.Value
	}
	if a.isDated() {
		if summary.Histogram, err = a.histogram(ctx, found); err != nil {
			return err
		}
	}
	for _, facet := range a.part.Facets {
		switch facet {
		case search.FacetCompanies:
			summary.Companies, err = a.companies(ctx, found)
		case search.FacetOperators:
			summary.Operators, err = a.operators(ctx, found)
		default:
			*summary.Texts(facet), err = a.texts(ctx, found, facet)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a aggregator) isDated() bool { return a.part.Whole && !a.wanted.WithoutHistogram }

// overview requests everything that does not depend on the dates. Terms are exact
// if all of them are returned, which the answer shows: each shard has then sent all
// its terms. An axis with more terms is read page by page afterwards.
func (a aggregator) overview() clause {
	aggs := clause{}
	if a.isDated() {
		field := string(a.wanted.DateField())
		aggs[firstDate] = clause{"min": clause{"field": field}}
		aggs[lastDate] = clause{"max": clause{"field": field}}
		aggs[noDate] = clause{"missing": clause{"field": field}}
	}
	for _, facet := range a.part.Facets {
		field := facet.Field()
		aggs[field] = a.terms(field)
		if facet != search.FacetCompanies {
			aggs[field+without] = clause{"missing": clause{"field": field}}
		}
	}
	return aggs
}

func (a aggregator) terms(field string) clause {
	return clause{"terms": clause{"field": field, "size": a.store.limits.terms, "shard_size": a.store.limits.terms}}
}

// aggregate sends one search for aggregations only.
func (a aggregator) aggregate(ctx context.Context, aggs clause, count bool, only ...string) (answer, error) {
	return a.ask(ctx, a.query, request{Count: count, Aggs: aggs}, only...)
}

// datePaths are the needed parts of an answer with dates.
const datePaths = "took timed_out pit_id _shards.total _shards.failed aggregations." + dates + ".buckets.doc_count"

// histogram requests the dates, now that the first and last date are known. The
// buckets are sent as moments: the calendar of a time zone is the gateway's, not
// that of Elasticsearch.
func (a aggregator) histogram(ctx context.Context, found answer) (search.Histogram, error) {
	builder := search.NewHistogramBuilder(a.wanted)
	builder.AddMissing(found.Aggs[noDate].Count)
	first, last := found.Aggs[firstDate].Value, found.Aggs[lastDate].Value
	if first == nil || last == nil {
		err := builder.SetNoDates()
		return builder.Histogram(), err
	}
	if err := builder.SetRange(int64(*first), int64(*last)); err != nil {
		return search.Histogram{}, err
	}
	edges := builder.Edges()
	ranges := make([]clause, len(edges)-1)
	for i := range ranges {
		ranges[i] = clause{"from": edges[i], "to": edges[i+1]}
	}
	counted, err := a.aggregate(ctx, clause{dates: clause{"date_range": clause{
		"field": string(a.wanted.DateField()), "format": "epoch_millis", "ranges": ranges,
	}}}, false, paths(datePaths)...)
	if err != nil {
		return search.Histogram{}, err
	}
	buckets := counted.Aggs[dates].Buckets
	if len(buckets) != len(ranges) {
		return search.Histogram{}, errAnswer
	}
	for i, b := range buckets {
		builder.AddTo(i, b.Count)
	}
	return builder.Histogram(), nil
}

func (a aggregator) companies(ctx context.Context, found answer) (search.Axis[tenancy.CompanyID], error) {
	top := search.TopCompanies(a.wanted)
	err := a.each(ctx, found, search.FacetCompanies.Field(), func(b bucket) error {
		id, ok := b.integer()
		if !ok || id < 1 || id > int64(tenancy.MaxCompanyID) {
			return errAnswer
		}
		top.Add(tenancy.CompanyID(id), b.Count)
		return nil
	})
	return top.Axis(), err
}

func (a aggregator) texts(ctx context.Context, found answer, facet search.Facet) (search.Axis[search.Label], error) {
	into, field := search.NewTopTexts(a.wanted, facet), facet.Field()
	into.AddMissing(found.Aggs[field+without].Count)
	err := a.each(ctx, found, field, func(b bucket) error {
		text, ok := b.text()
		if !ok {
			return errAnswer
		}
		into.Add(text, b.Count)
		return nil
	})
	return into.Axis(), err
}

// operators ranks the operators, then reads the newest session of each listed one
// for its name.
func (a aggregator) operators(ctx context.Context, found answer) (search.Axis[search.Operator], error) {
	ids, err := a.texts(ctx, found, search.FacetOperators)
	if err != nil {
		return search.Axis[search.Operator]{}, err
	}
	axis := search.OperatorAxis(ids)
	var named []string
	for _, share := range axis.Top {
		if !share.Value.ID.None {
			named = append(named, share.Value.ID.Text)
		}
	}
	if len(named) == 0 {
		return axis, nil
	}
	names, err := a.operatorNames(ctx, named)
	for i := range axis.Top {
		if value := &axis.Top[i].Value; !value.ID.None && err == nil {
			var known bool
			if value.Name, known = names[value.ID.Text]; !known {
				err = errAnswer
			}
		}
	}
	return axis, err
}

func (a aggregator) operatorNames(ctx context.Context, ids []string) (map[string]search.Label, error) {
	index, _, _ := session.FieldByName("operatorName")
	fields := session.FieldSet{}.With(index)
	column := search.FacetOperators.Field()
	found, err := a.aggregate(ctx, clause{column: clause{
		"terms": clause{"field": column, "include": ids, "size": len(ids), "shard_size": len(ids)},
		"aggs": clause{newestHit: clause{"top_hits": clause{
			"size": 1, "_source": fieldNames(fields), "docvalue_fields": []string{"companyId"},
			"sort": []clause{{"startedAt": clause{"order": "desc", "missing": "_last"}}, {"id": "desc"}},
		}}},
	}}, false)
	if err != nil {
		return nil, err
	}
	names := map[string]search.Label{}
	for _, b := range found.Aggs[column].Buckets {
		id, ok := b.text()
		if !ok || len(b.Newest.Hits.Hits) != 1 {
			return nil, errAnswer
		}
		h := b.Newest.Hits.Hits[0]
		if len(h.Fields.CompanyID) != 1 {
			return nil, errAnswer
		}
		row, err := openedHit{company: h.Fields.CompanyID[0], source: h.Source}.row(fields)
		if err != nil {
			return nil, err
		}
		if names[id], err = search.OperatorName(row.JSON); err != nil {
			return nil, errAnswer
		}
	}
	return names, nil
}

// each passes on every value of an axis: the returned terms or, when these are not
// all, those of allTerms.
func (a aggregator) each(ctx context.Context, found answer, axis string, f func(bucket) error) error {
	terms := found.Aggs[axis]
	if terms.Others > 0 || terms.Error != 0 {
		return a.allTerms(ctx, axis, f)
	}
	for _, b := range terms.Buckets {
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

// allTerms reads the values in their order, page by page. That is exact for any
// number of values: each shard sends its next ones.
func (a aggregator) allTerms(ctx context.Context, axis string, f func(bucket) error) error {
	composite := clause{"size": a.store.limits.terms, "sources": []clause{{axis: clause{"terms": clause{"field": axis}}}}}
	for {
		step, err := a.aggregate(ctx, clause{axis: clause{"composite": composite}}, false)
		if err != nil {
			return err
		}
		for _, b := range step.Aggs[axis].Buckets {
			if b.Key, err = b.member(axis); err != nil {
				return err
			}
			if err := f(b); err != nil {
				return err
			}
		}
		if len(step.Aggs[axis].After) == 0 {
			return nil
		}
		composite["after"] = step.Aggs[axis].After
	}
}

// aggregation is the answer to any kind of aggregation.
type aggregation struct {
	Value   *float64       `json:"value"`                       // null: no document
	Count   int64          `json:"doc_count"`                   // of missing
	Buckets []bucket       `json:"buckets"`                     // of terms, date_range and composite
	Error   int64          `json:"doc_count_error_upper_bound"` // of terms
	Others  int64          `json:"sum_other_doc_count"`         // of terms
	After   jsontext.Value `json:"after_key"`                   // of composite; none at the end
}

type bucket struct {
	Key   jsontext.Value `json:"key"`
	Count int64          `json:"doc_count"`
	Last  struct {       // of clients
		Value *float64 `json:"value"`
	} `json:"last"`
	Newest struct {
		Hits struct {
			Hits []struct {
				Source jsontext.Value `json:"_source"`
				Fields struct {
					CompanyID []int64 `json:"companyId"`
				} `json:"fields"`
			} `json:"hits"`
		} `json:"hits"`
	} `json:"newest"` // of operators
}

func (b bucket) integer() (int64, bool) {
	n, err := strconv.ParseInt(string(b.Key), 10, 64)
	return n, err == nil
}

func (b bucket) text() (string, bool) {
	if b.Key.Kind() != jsontext.KindString {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, b.Key)
	return string(text), err == nil
}

// member returns the key of a composite bucket with one source.
func (b bucket) member(source string) (jsontext.Value, error) {
	var key map[string]stdjson.RawMessage
	if err := stdjson.Unmarshal(b.Key, &key); err != nil || key[source] == nil {
		return nil, errAnswer
	}
	return jsontext.Value(key[source]), nil
}
