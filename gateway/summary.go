package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// summaryBody is the answer of GET and POST /api/v1/sessions/summary.
type summaryBody struct {
	Count          int64                  `json:"count"`
	Histogram      histogramBody          `json:"histogram"`
	Companies      axisBody[companyShare] `json:"companies"`
	MessengerTypes axisBody[shareBody]    `json:"messengerTypes"`
	OperatorTypes  axisBody[shareBody]    `json:"operatorTypes"`
	Statuses       axisBody[shareBody]    `json:"statuses"`
}

type histogramBody struct {
	DateField   search.DateField `json:"dateField"`
	Interval    search.Interval  `json:"interval"`
	Timezone    int              `json:"timezone"`
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
	summary, components, err := a.sum(c, scope, req.Query)
	if err != nil {
		return err
	}
	// Names are not cached with the summary: they are the current ones.
	names, err := a.directory.Names(state.principal, companyIDs(summary))
	if err != nil {
		return err
	}
	body, err := json.Marshal(describeSummary(summary, names))
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return a.reply(c, answer{body: newContent(body), components: components})
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
			"gives more than %d buckets from the first match to the last; take a wider one, or narrow from and to", search.MaxBuckets)}}
	}
	if err != nil {
		return search.Summary{}, nil, err
	}
	components := []component{{"summary", summary.Provenance, fresh}}
	a.recordComponents(c, time.Since(start), components)
	return summary, components, summary.Check(scope)
}

func companyIDs(s search.Summary) []tenancy.CompanyID {
	ids := make([]tenancy.CompanyID, len(s.Companies.Top))
	for i, share := range s.Companies.Top {
		ids[i] = share.Value
	}
	return ids
}

func describeSummary(s search.Summary, names map[tenancy.CompanyID]string) summaryBody {
	company := func(of search.Share[tenancy.CompanyID]) companyShare {
		share := companyShare{ID: of.Value, Count: of.Count}
		if name, known := names[of.Value]; known {
			share.Name = &name
		}
		return share
	}
	return summaryBody{
		Count: s.Count, Histogram: describeHistogram(s.Histogram), Companies: describeAxis(s.Companies, company),
		MessengerTypes: describeAxis(s.MessengerTypes, labelShare),
		OperatorTypes:  describeAxis(s.OperatorTypes, labelShare),
		Statuses:       describeAxis(s.Statuses, labelShare),
	}
}

func describeHistogram(h search.Histogram) histogramBody {
	body := histogramBody{
		DateField: h.Field, Interval: h.Interval, Timezone: h.Timezone,
		Buckets: make([]bucketBody, len(h.Buckets)), WithoutDate: h.WithoutDate,
	}
	for i, b := range h.Buckets {
		body.Buckets[i] = bucketBody{From: wireDate(b.From), To: wireDate(b.To), Count: b.Count}
	}
	return body
}

func wireDate(ms int64) string { return time.UnixMilli(ms).UTC().Format(session.DateLayout) }

func describeAxis[V, S any](axis search.Axis[V], describe func(search.Share[V]) S) axisBody[S] {
	body := axisBody[S]{Top: make([]S, len(axis.Top)), Other: restBody{axis.Rest.Values, axis.Rest.Count}}
	for i, share := range axis.Top {
		body.Top[i] = describe(share)
	}
	return body
}

func labelShare(of search.Share[search.Label]) shareBody {
	if of.Value.None {
		return shareBody{Count: of.Count}
	}
	return shareBody{Value: &of.Value.Text, Count: of.Count}
}
