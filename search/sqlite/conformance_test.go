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

// detours is a store that answers with other planner limits each time. The suite's
// data is small: with the default limits the planner would always take the path for
// few candidates.
type detours struct {
	*Store

	limits []limits
	asked  atomic.Int64
}

func (d *detours) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	return d.detour().Search(ctx, scope, q)
}

func (d *detours) Snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	return d.detour().Snapshot(ctx, scope, q)
}

func (d *detours) Summarize(ctx context.Context, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
	return d.detour().Summarize(ctx, scope, q)
}

func (d *detours) detour() *Store {
	s := *d.Store
	s.limits = d.limits[int(d.asked.Add(1))%len(d.limits)]
	return &s
}

func TestEveryAccessPathConforms(t *testing.T) {
	searchtest.RunGenerated(t, func(tb testing.TB) searchtest.Engine {
		tb.Helper()
		return &detours{Store: openStore(tb), limits: []limits{
			// Walks to the end, walks that give up, scans, the trigram index, and
			// the path for few candidates where there are more than five.
			{inlineScope: 0, narrow: 0, horizon: 1 << 30, patience: 1 << 30, scanFactor: 4, window: 3, firstWindow: 2, deepOffset: 1, anchorEvery: 2, mostClients: 1 << 30, mostOfClients: 1 << 30},
			{inlineScope: 1, narrow: 2, horizon: 3, patience: 1, scanFactor: 1, window: 1, firstWindow: 1, deepOffset: 3, anchorEvery: 1, mostClients: 1 << 30, mostOfClients: 1 << 30},
			{inlineScope: 200, countedScope: 500, narrow: 0, scanFactor: 1 << 40, window: 5, firstWindow: 1, deepOffset: 2, anchorEvery: 1, mostClients: 1 << 30, mostOfClients: 1 << 30},
			{inlineScope: 2, narrow: 0, scanFactor: 1, window: 4, firstWindow: 4, deepOffset: 1, anchorEvery: 1, mostClients: 1 << 30, mostOfClients: 1 << 30},
			{inlineScope: 2, countedScope: 500, narrow: 5, patience: 1, scanFactor: 1, window: 7, firstWindow: 3, deepOffset: 1, anchorEvery: 3, mostClients: 1 << 30, mostOfClients: 1 << 30},
		}}
	})
}
