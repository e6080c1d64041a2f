package cache

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

var errNoSummaries = fmt.Errorf("%w: nothing behind the cache makes summaries", search.ErrUnavailable)

// Summarize answers as Search does: a summary is stored like a count, under the
// same rules.
func (c *Cache) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	switch {
	case c.summaries == nil:
		return search.Summary{}, errNoSummaries
	case scope.IsEmpty():
		return c.summaries.Summarize(ctx, scope, q) // nothing to store
	}
	r := c.newRequest(ctx, scope)
	l := r.ask((*summaryPart)(&q))
	if err := c.resolve(ctx, r); err != nil {
		return search.Summary{}, err
	}
	answer := search.Summary(*valueOf[*summary](l))
	answer.Provenance = l.found.served(c.now(), c.life)
	return answer, nil
}

// summary is a summary as an entry holds it; its Provenance is zero.
type summary search.Summary

// summaryKind is the kind of summaries.
type summaryKind struct{}

func (summaryKind) letter() byte   { return 's' }
func (summaryKind) String() string { return "summary" }
func (summaryKind) attributes() attributeNames {
	return attributeNames{"scopegate.cache.summary", "scopegate.cache.summary.tier", "scopegate.cache.summary.age_ms",
		"scopegate.cache.summary.shared", "scopegate.cache.summary.stored"}
}
func (summaryKind) decode(m meta, r *reader) item {
	return &entry[*summary]{meta: m, value: r.summary()}
}

// summaryPart asks for a summary.
type summaryPart search.SummaryQuery

func (*summaryPart) kind() kind               { return summaryKind{} }
func (p *summaryPart) canonical() []byte      { return search.SummaryQuery(*p).SummaryKey() }
func (p *summaryPart) filter() *search.Filter { return &p.Filter }

func (p *summaryPart) load(ctx context.Context, c *Cache, scope tenancy.Scope, l *lookup) (item, error) {
	loaded, err := c.summaries.Summarize(ctx, scope, search.SummaryQuery(*p))
	if err != nil {
		return nil, err
	}
	served := loaded.Provenance
	loaded.Provenance = search.Provenance{}
	return newEntry(l, (*summary)(&loaded), served), nil
}

func (*summary) kind() kind    { return summaryKind{} }
func (s *summary) empty() bool { return s.Count == 0 }

// What the parts of a summary weigh: at most what they take as JSON, with 20
// digits a number and an escape a character, which is more than in memory.
const (
	summaryOverhead = 1000
	bucketWeight    = 90
	shareWeight     = 110
	characterWeight = 6
)

// weight is what a summary holds on to, here or on its way to Redis.
func (s *summary) weight() int64 {
	weight := summaryOverhead + bucketWeight*len(s.Histogram.Buckets) + shareWeight*len(s.Companies.Top)
	for _, facet := range search.Facets() {
		if axis := (*search.Summary)(s).Texts(facet); axis != nil {
			for _, share := range axis.Top {
				weight += shareWeight + characterWeight*len(share.Value.Text)
			}
		}
	}
	for _, share := range s.Operators.Top {
		weight += 2*shareWeight + characterWeight*(len(share.Value.ID.Text)+len(share.Value.Name.Text))
	}
	return int64(weight)
}

// appendTo writes the summary as JSON.
func (s *summary) appendTo(out []byte) []byte {
	text, _ := json.Marshal((*search.Summary)(s)) // numbers and texts only
	return appendRaw(out, text)
}

// summary is never nil unless the reader has failed.
func (r *reader) summary() *summary {
	var s *search.Summary
	if json.Unmarshal(r.raw(), &s) != nil || s == nil {
		r.fail()
		return nil
	}
	return (*summary)(s)
}
