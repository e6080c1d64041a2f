package elastic

import (
	stdjson "encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// answer is the answer to a search.
type answer struct {
	Took     int64  `json:"took"` // milliseconds
	TimedOut bool   `json:"timed_out"`
	PIT      string `json:"pit_id"`
	Shards   struct {
		Total  int `json:"total"`
		Failed int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total hitTotal `json:"total"`
		Hits  []hit    `json:"hits"`
	} `json:"hits"`
	Aggs map[string]aggregation `json:"aggregations"`
}

// hitTotal is the number of sessions, exact when relation is "eq".
type hitTotal struct {
	Value    int64  `json:"value"`
	Relation string `json:"relation"`
}

// hit is one session in an answer.
type hit struct {
	ID     string         `json:"_id"`
	Source jsontext.Value `json:"_source"`
	Fields struct {
		ID []string `json:"id"`
	} `json:"fields"`
	Sort []jsontext.Value `json:"sort"`

	revision // set when requested

	// The fields that readRows fills:
	company    int64
	inWireForm bool // the source is known to be in wire form
}

// check returns an error for an incomplete answer.
func (a answer) check(counted bool) error {
	switch {
	case a.TimedOut:
		return fmt.Errorf("elasticsearch: %w", search.ErrTimeout)
	case a.Shards.Failed > 0:
		return fmt.Errorf("elasticsearch: %w: %d of %d shards failed", search.ErrUnavailable, a.Shards.Failed, a.Shards.Total)
	case counted && a.Hits.Total.Relation != "eq":
		return errAnswer
	}
	return nil
}

// rows converts the hits into a page. There may be one hit more than the page
// holds. Rows of more than maxBytes are errPageTooLarge.
func (p plan) rows(hits []hit, maxBytes int64) (search.Page, error) {
	var page search.Page
	if page.More = len(hits) > p.limit; page.More {
		hits = hits[:p.limit]
	}
	page.Rows = make([]search.Row, len(hits))
	for i, h := range hits {
		row, err := h.row(p.terms, p.fields)
		if err != nil {
			return search.Page{}, err
		}
		if maxBytes -= int64(len(row.JSON)); maxBytes < 0 {
			return search.Page{}, errPageTooLarge
		}
		page.Rows[i] = row
	}
	return page, nil
}

func (h hit) row(terms []sortTerm, fields session.FieldSet) (search.Row, error) {
	row, err := openedHit{company: h.company, source: h.Source, inWireForm: h.inWireForm}.row(fields)
	if err != nil {
		return search.Row{}, err
	}
	row.Position, err = toPosition(terms, h.Sort)
	return row, err
}

// row returns the row without its position.
func (h openedHit) row(fields session.FieldSet) (search.Row, error) {
	if h.company < 1 || h.company > int64(tenancy.MaxCompanyID) {
		return search.Row{}, errAnswer
	}
	wire, err := h.wire()
	if err != nil {
		return search.Row{}, err
	}
	item, err := session.Project(wire, fields)
	if err != nil {
		return search.Row{}, errAnswer
	}
	return search.Row{CompanyID: tenancy.CompanyID(h.company), JSON: item}, nil
}

// wire returns the session in wire form.
func (h openedHit) wire() (stdjson.RawMessage, error) {
	if h.inWireForm {
		return stdjson.RawMessage(h.source), nil
	}
	wire, err := session.Complete(h.source, tenancy.CompanyID(h.company))
	if err != nil {
		return nil, errAnswer
	}
	return wire, nil
}
