package elastic

import (
	"context"
	stdjson "encoding/json"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
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

func (v *view) summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	began := time.Now()
	if err := contextError(ctx); err != nil {
		return search.Summary{}, err
	}
	if scope.IsEmpty() {
		return search.Summary{Histogram: search.NewHistogramBuilder(q, 0).Histogram()}, nil
	}
	query, err := scoped(scope, conditions(q.Filter))
	if err != nil {
		return search.Summary{}, err
	}
	if err := v.store.checked(ctx); err != nil {
		return search.Summary{}, err
	}
	var summary search.Summary
	err = v.onPointInTime(ctx, func() error {
		summary, err = aggregator{view: v, query: query, wanted: q}.run(ctx)
		return err
	})
	if err != nil {
		return search.Summary{}, err
	}
	summary.Provenance.Took = time.Since(began)
	return summary, nil
}

// aggregator aggregates the matches of one query on one point in time.
type aggregator struct {
	*view

	query  stdjson.RawMessage
	wanted search.SummaryQuery
}

// Names of aggregations.
const (
	firstDate, lastDate, noDate, dates = "first", "last", "dateless", "dates"
	without                            = "-without" // suffix of an axis' name
)

// textAxes are the fields that have an axis in a summary.
func textAxes() []string { return []string{"messengerType", "operatorType", "status"} }

func (a aggregator) run(ctx context.Context) (summary search.Summary, err error) {
	found, err := a.aggregate(ctx, a.overview(), true)
	if err != nil {
		return search.Summary{}, err
	}
	summary.Count = found.Hits.Total.Value
	if summary.Histogram, err = a.histogram(ctx, found); err != nil {
		return search.Summary{}, err
	}
	if summary.Companies, err = a.companies(ctx, found); err != nil {
		return search.Summary{}, err
	}
	summary.MessengerTypes, err = a.texts(ctx, found, "messengerType", search.TopLabels())
	if err != nil {
		return search.Summary{}, err
	}
	summary.OperatorTypes, err = a.texts(ctx, found, "operatorType", search.TopOperatorTypes())
	if err != nil {
		return search.Summary{}, err
	}
	summary.Statuses, err = a.texts(ctx, found, "status", search.TopLabels())
	return summary, err
}

// overview requests everything that does not depend on the dates. Terms are exact
// if all of them are returned, which the answer shows: each shard has then sent all
// its terms. An axis with more terms is read page by page afterwards.
func (a aggregator) overview() clause {
	field := string(a.wanted.DateField())
	aggs := clause{
		firstDate:   clause{"min": clause{"field": field}},
		lastDate:    clause{"max": clause{"field": field}},
		noDate:      clause{"missing": clause{"field": field}},
		"companyId": a.terms("companyId"),
	}
	for _, axis := range textAxes() {
		aggs[axis] = a.terms(axis)
		aggs[axis+without] = clause{"missing": clause{"field": axis}}
	}
	return aggs
}

func (a aggregator) terms(field string) clause {
	return clause{"terms": clause{"field": field, "size": a.store.limits.terms, "shard_size": a.store.limits.terms}}
}

// aggregate sends one search for aggregations only.
func (a aggregator) aggregate(ctx context.Context, aggs clause, count bool) (answer, error) {
	return a.ask(ctx, a.query, request{Count: count, Aggs: aggs})
}

// histogram requests the dates, now that the first and last date are known.
func (a aggregator) histogram(ctx context.Context, found answer) (search.Histogram, error) {
	builder := search.NewHistogramBuilder(a.wanted, found.Aggs[noDate].Count)
	first, last := found.Aggs[firstDate].Value, found.Aggs[lastDate].Value
	if first == nil || last == nil {
		return builder.Histogram(), nil
	}
	if err := builder.SetRange(int64(*first), int64(*last)); err != nil {
		return search.Histogram{}, err
	}
	counted, err := a.aggregate(ctx, clause{dates: clause{"date_histogram": clause{
		"field": string(a.wanted.DateField()), "calendar_interval": string(builder.Interval()),
		"time_zone": zone(a.wanted.Timezone), "min_doc_count": 1,
	}}}, false)
	if err != nil {
		return search.Histogram{}, err
	}
	for _, b := range counted.Aggs[dates].Buckets {
		if ms, ok := b.integer(); !ok || !builder.Add(ms, b.Count) {
			return search.Histogram{}, errAnswer
		}
	}
	return builder.Histogram(), nil
}

// zone writes a time zone, in minutes east of UTC, in the form of java.time.
func zone(minutes int) string {
	sign := "+"
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	return sign + twoDigits(minutes/60) + ":" + twoDigits(minutes%60)
}

func twoDigits(n int) string { return strconv.Itoa(n/10) + strconv.Itoa(n%10) }

func (a aggregator) companies(ctx context.Context, found answer) (search.Axis[tenancy.CompanyID], error) {
	top := search.TopCompanies()
	err := a.each(ctx, found, "companyId", func(b bucket) error {
		id, ok := b.integer()
		if !ok || id < 1 || id > int64(tenancy.MaxCompanyID) {
			return errAnswer
		}
		top.Add(tenancy.CompanyID(id), b.Count)
		return nil
	})
	return top.Axis(), err
}

func (a aggregator) texts(ctx context.Context, found answer, axis string, into *search.TopTexts) (search.Axis[search.Label], error) {
	into.AddMissing(found.Aggs[axis+without].Count)
	err := a.each(ctx, found, axis, func(b bucket) error {
		text, ok := b.text()
		if !ok {
			return errAnswer
		}
		into.Add(text, b.Count)
		return nil
	})
	return into.Axis(), err
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
	Buckets []bucket       `json:"buckets"`                     // of terms, date_histogram and composite
	Error   int64          `json:"doc_count_error_upper_bound"` // of terms
	Others  int64          `json:"sum_other_doc_count"`         // of terms
	After   jsontext.Value `json:"after_key"`                   // of composite; none at the end
}

type bucket struct {
	Key   jsontext.Value `json:"key"`
	Count int64          `json:"doc_count"`
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
