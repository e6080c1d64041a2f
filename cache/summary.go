package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

var errNoSummaries = fmt.Errorf("%w: nothing behind the cache makes summaries", search.ErrUnavailable)

// Summarize answers as Search does: a summary is kept like a count, under the
// same rules.
func (c *Cache) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	switch {
	case c.summaries == nil:
		return search.Summary{}, errNoSummaries
	case scope.IsEmpty():
		return c.summaries.Summarize(ctx, scope, q) // nothing to keep
	}
	a := newSummaryAnswer(c.data(), scope, q, c.now(), boundOf(ctx))
	if err := c.settle(ctx, a); err != nil {
		return search.Summary{}, err
	}
	summary := *a.summary.found.entry.summary
	summary.Served = a.summary.found.served(c.now(), c.life)
	return summary, nil
}

func newSummaryAnswer(data *dataset, scope tenancy.Scope, q search.SummaryQuery, now time.Time, b bound) *answer {
	return &answer{scope: scope, data: data, now: now, bound: b, summary: &lookup{
		part: partSummary, key: data.keys.bind(partSummary, scope, q.SummaryKey()),
		query: search.Query{Filter: q.Filter}, summary: q,
	}}
}

// summarize is the load of a summary.
func (c *Cache) summarize(ctx context.Context, scope tenancy.Scope, l *lookup) (*entry, error) {
	summary, err := c.summaries.Summarize(ctx, scope, l.summary)
	if err != nil {
		return nil, err
	}
	served := summary.Served
	summary.Served = search.Served{}
	return c.newEntry(l, entry{summary: &summary}, served), nil
}

// What the parts of a summary weigh: at most what they take as JSON, with 20
// digits a number and an escape a character, which is more than in memory.
const (
	summaryOverhead = 1000
	bucketWeight    = 90
	shareWeight     = 110
	characterWeight = 6
)

// summaryWeight is what a summary holds on to, here or on its way to Redis.
func summaryWeight(s *search.Summary) int64 {
	if s == nil {
		return 0
	}
	weight := summaryOverhead + bucketWeight*len(s.Histogram.Buckets) + shareWeight*len(s.Companies.Top)
	for _, axis := range []search.Axis[search.Label]{s.MessengerTypes, s.OperatorTypes, s.Statuses} {
		for _, share := range axis.Top {
			weight += shareWeight + characterWeight*len(share.Value.Text)
		}
	}
	return int64(weight)
}
