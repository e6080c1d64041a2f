package sqlite

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/tenancy"
)

func TestConformance(t *testing.T) {
	newEngine := func(tb testing.TB) searchtest.Engine {
		tb.Helper()
		return openStore(tb)
	}
	searchtest.Run(t, newEngine)
	searchtest.RunGenerated(t, newEngine)
}

// detours is a store that answers by other limits each time. The suite's data is
// small: by its own the planner would always take the path for few candidates.
type detours struct {
	*Store

	limits []limits
	asked  atomic.Int64
}

func (d *detours) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	return d.next().Search(ctx, scope, q)
}

func (d *detours) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	return d.next().Summarize(ctx, scope, q)
}

func (d *detours) next() *Store {
	s := *d.Store
	s.limits = d.limits[int(d.asked.Add(1))%len(d.limits)]
	return &s
}

func TestEveryAccessPathConforms(t *testing.T) {
	searchtest.RunGenerated(t, func(tb testing.TB) searchtest.Engine {
		tb.Helper()
		return &detours{Store: openStore(tb), limits: []limits{
			// Walks to the end, walks that give up, scans, the trigram index, and
			// few candidates where there are more than five.
			{inlineScope: 0, narrow: 0, horizon: 1 << 30, patience: 1 << 30, scanFactor: 4},
			{inlineScope: 1, narrow: 2, horizon: 3, patience: 1, scanFactor: 1},
			{inlineScope: 200, countedScope: 500, narrow: 0, scanFactor: 1 << 40},
			{inlineScope: 2, narrow: 0, scanFactor: 1},
			{inlineScope: 2, countedScope: 500, narrow: 5, patience: 1, scanFactor: 1},
		}}
	})
}
