package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// summaryBody is the answer of GET and POST /api/v1/sessions/summary. What was not
// asked for is absent.
type summaryBody struct {
	Count          int64                    `json:"count"`
	Histogram      *histogramBody           `json:"histogram,omitempty"`
	Companies      *axisBody[companyShare]  `json:"companies,omitempty"`
	MessengerTypes *axisBody[shareBody]     `json:"messengerTypes,omitempty"`
	OperatorTypes  *axisBody[shareBody]     `json:"operatorTypes,omitempty"`
	Statuses       *axisBody[shareBody]     `json:"statuses,omitempty"`
	BotStatuses    *axisBody[shareBody]     `json:"botStatuses,omitempty"`
	Operators      *axisBody[operatorShare] `json:"operators,omitempty"`
	Tags           *axisBody[shareBody]     `json:"tags,omitempty"`
}

type histogramBody struct {
	DateField   search.DateField `json:"dateField"`
	Interval    search.Interval  `json:"interval"`
	Timezone    search.Zone      `json:"timezone"`
	Buckets     []bucketBody     `json:"buckets"`
	WithoutDate int64            `json:"withoutDate"`
}

type bucketBody struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Count int64  `json:"count"`
}

type axisBody[S any] struct {
	Top   []S      `json:"top"`
	Other restBody `json:"other"`
}

type restBody struct {
	Values int64 `json:"values"`
	Count  int64 `json:"count"`
}

type companyShare struct {
	ID    tenancy.CompanyID `json:"id"`
	Name  *string           `json:"name"` // null: no longer in the directory
	Count int64             `json:"count"`
}

type shareBody struct {
	Value *string `json:"value"` // null: sessions without one
	Count int64   `json:"count"`
}

type operatorShare struct {
	ID    *string `json:"id"`   // null: sessions without one
	Name  *string `json:"name"` // null: the newest session has none
	Count int64   `json:"count"`
}

// summarize answers GET and POST /api/v1/sessions/summary.
func (a *api) summarize(c *gin.Context) error {
	in, err := a.input(c)
	if err != nil {
		return err
	}
	req, err := params.Summary(in)
	if err != nil {
		return err
	}
	state := stateFrom(c)
	scope, err := a.resolve(c.Request.Context(), state, func() (tenancy.Scope, error) {
		return a.directory.Resolve(state.principal, req.Selection)
	})
	if err != nil {
		return err
	}
	summary, components, err := a.sumAll(c, scope, req.Query)
	if err != nil {
		return err
	}
	// Names are not cached with the summary: they are the current ones.
	names, err := a.directory.Names(state.principal, companyIDs(summary))
	if err != nil {
		return err
	}
	body, err := json.Marshal(describeSummary(req.Query, summary, names))
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return a.reply(c, answer{body: newContent(body), components: components})
}

// sumAll summarizes. With exceptOwn the companies are counted without the selection,
// which is their own filter: over all companies that the caller may see. That is
// another scope, and so another summary.
func (a *api) sumAll(c *gin.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, []component, error) {
	if !q.ExceptOwn || !slices.Contains(q.CountedFacets(), search.FacetCompanies) {
		return a.sum(c, scope, q)
	}
	state := stateFrom(c)
	whole, err := a.resolve(c.Request.Context(), state, func() (tenancy.Scope, error) { return a.directory.Supervised(state.principal) })
	if err != nil {
		return search.Summary{}, nil, err
	}
	if whole.Fingerprint() == scope.Fingerprint() {
		return a.sum(c, scope, q)
	}
	selected := q
	selected.AllCompanies = false
	selected.Facets = slices.DeleteFunc(q.CountedFacets(), func(f search.Facet) bool { return f == search.FacetCompanies })
	summary, components, err := a.sum(c, scope, selected)
	if err != nil {
		return search.Summary{}, nil, err
	}
	companies, more, err := a.sum(c, whole, search.SummaryQuery{
		Filter: q.Filter, WithoutHistogram: true, Facets: []search.Facet{search.FacetCompanies}, Top: q.Top, AllCompanies: q.AllCompanies,
	})
	if err != nil {
		return search.Summary{}, nil, err
	}
	summary.Companies = companies.Companies
	more[0].name = "companies"
	return summary, append(components, more...), nil
}

// sum summarizes, and checks that every company is in the scope.
//
// SECURITY: as with rows, this is the last check before bytes leave.
func (a *api) sum(c *gin.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, []component, error) {
	ctx, fresh := a.freshness(c)
	start := time.Now()
	summary, err := a.summarizer.Summarize(ctx, scope, q)
	if errors.Is(err, search.ErrTooManyBuckets) {
		return search.Summary{}, nil, params.Faults{{Parameter: "interval", Message: fmt.Sprintf(
			"gives more than %d buckets; take a wider one, or narrow from and to", search.MaxBuckets)}}
	}
	if errors.Is(err, search.ErrTooManyCompanies) {
		return search.Summary{}, nil, params.Faults{{Parameter: "top", Message: fmt.Sprintf(
			"is all, and more than %d companies have matching sessions; give a number, or narrow the search", search.MaxAllCompanies)}}
	}
	if err != nil {
		return search.Summary{}, nil, err
	}
	components := []component{{"summary", summary.Provenance, fresh}}
	a.recordComponents(c, time.Since(start), components)
	return summary, components, summary.Check(scope, q)
}

func companyIDs(s search.Summary) []tenancy.CompanyID {
	ids := make([]tenancy.CompanyID, len(s.Companies.Top))
	for i, share := range s.Companies.Top {
		ids[i] = share.Value
	}
	return ids
}

func describeSummary(q search.SummaryQuery, s search.Summary, names map[tenancy.CompanyID]string) summaryBody {
	body := summaryBody{Count: s.Count}
	if !q.WithoutHistogram {
		body.Histogram = describeHistogram(s.Histogram)
	}
	for _, facet := range q.CountedFacets() {
		switch facet {
		case search.FacetCompanies:
			body.Companies = describeAxis(s.Companies, func(of search.Share[tenancy.CompanyID]) companyShare {
				share := companyShare{ID: of.Value, Count: of.Count}
				if name, known := names[of.Value]; known {
					share.Name = &name
				}
				return share
			})
		case search.FacetOperators:
			body.Operators = describeAxis(s.Operators, func(of search.Share[search.Operator]) operatorShare {
				return operatorShare{ID: textOf(of.Value.ID), Name: textOf(of.Value.Name), Count: of.Count}
			})
		default:
			*body.texts(facet) = describeAxis(*s.Texts(facet), func(of search.Share[search.Label]) shareBody {
				return shareBody{Value: textOf(of.Value), Count: of.Count}
			})
		}
	}
	return body
}

// texts returns where the axis of a facet with labels belongs.
func (b *summaryBody) texts(f search.Facet) **axisBody[shareBody] {
	switch f {
	case search.FacetMessengerTypes:
		return &b.MessengerTypes
	case search.FacetOperatorTypes:
		return &b.OperatorTypes
	case search.FacetStatuses:
		return &b.Statuses
	case search.FacetBotStatuses:
		return &b.BotStatuses
	}
	return &b.Tags
}

func describeHistogram(h search.Histogram) *histogramBody {
	body := histogramBody{
		DateField: h.Field, Interval: h.Interval, Timezone: h.Zone,
		Buckets: make([]bucketBody, len(h.Buckets)), WithoutDate: h.WithoutDate,
	}
	for i, b := range h.Buckets {
		body.Buckets[i] = bucketBody{From: wireDate(b.From), To: wireDate(b.To), Count: b.Count}
	}
	return &body
}

func wireDate(ms int64) string { return time.UnixMilli(ms).UTC().Format(session.DateLayout) }

func describeAxis[V, S any](axis search.Axis[V], describe func(search.Share[V]) S) *axisBody[S] {
	body := axisBody[S]{Top: make([]S, len(axis.Top)), Other: restBody{axis.Rest.Values, axis.Rest.Count}}
	for i, share := range axis.Top {
		body.Top[i] = describe(share)
	}
	return &body
}

// textOf returns nil for a label of sessions without a value.
func textOf(label search.Label) *string {
	if label.None {
		return nil
	}
	return &label.Text
}
