package elastic

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/tenancy"
)

// Snapshot reads one point in time, batch by batch. The point in time is held until
// the snapshot is closed; if the gateway is killed, it expires after a minute. See
// search.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	q.WithoutCount, q.WithoutItems, q.Sort = false, false, search.NormalizeSort(q.Sort)
	ctx, span := startSpan(ctx, scope, "snapshot")
	v := &view{store: s}
	snapshot, err := v.snapshot(ctx, scope, q)
	count := int64(0)
	if err == nil {
		count = snapshot.Count()
	}
	endSpan(span, count, 0, v.stats, err)
	return snapshot, err
}

func (v *view) snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	p, err := newPlan(q)
	if err != nil {
		return nil, err
	}
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	if scope.IsEmpty() {
		return search.EmptySnapshot(), nil
	}
	if err := v.choose(ctx, q.Filter); err != nil {
		return nil, err
	}
	if err := p.foldBy(v.step.Folding, scope, q); err != nil {
		return nil, err
	}
	p.key = newAnchorKey(scope, q)
	v.pit, err = v.store.openPointInTime(ctx, v.alias)
	if err != nil {
		return nil, err
	}
	if q.NewestOfClient {
		p.query, err = v.keepNewest(ctx, p.query)
	}
	var b *batches
	if err == nil {
		b, err = v.batches(ctx, p)
	}
	if err != nil {
		v.store.closePointInTime(context.WithoutCancel(ctx), v.pit)
		return nil, err
	}
	return paging.Prefetch(b.count, b), nil
}

// batches counts the rows, moves to the first one and chooses how to read from
// there.
func (v *view) batches(ctx context.Context, p plan) (*batches, error) {
	a, err := v.ask(ctx, p.query, request{Count: true})
	if err != nil {
		return nil, err
	}
	b := &batches{
		view: v, count: a.Hits.Total.Value, left: a.Hits.Total.Value, rows: v.store.limits.firstRows,
		keepEvery: keepEvery,
		expected:  -1, // rows after a position are not counted
	}
	if p.limit > 0 {
		b.left = min(b.left, int64(p.limit))
	}
	if p.start == nil {
		b.expected = min(b.left, max(0, b.count-int64(p.skip)))
	}
	w := &walk{view: v, plan: p}
	if b.left > 0 {
		w.plan.count = false
		ended, err := w.skipTo(ctx, 0)
		if err != nil {
			return nil, err
		}
		if ended {
			b.left = 0
		}
	}
	b.plan, b.after = w.plan, w.plan.start
	if p.terms[0].isID() && b.left >= int64(v.store.limits.sampleRows) {
		sample, err := v.bounds(ctx, b.plan, b.count)
		if err != nil {
			return nil, err
		}
		b.bound(sample)
	}
	return b, nil
}

var _ paging.Keeper = (*batches)(nil)

// Keep implements paging.Keeper with an empty search on the point in time.
func (b *batches) Keep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	_, _ = b.view.ask(ctx, b.plan.query, request{}, "took", "timed_out", "pit_id", "_shards.failed") // the next read reports an error
}

// KeepEvery implements paging.Keeper.
func (b *batches) KeepEvery() time.Duration { return b.keepEvery }

// Close implements paging.Source.
func (b *batches) Close() error {
	for _, s := range b.inFlight {
		if s.reading != nil {
			_, _ = s.reading.Wait() // the rows are not needed any more
		}
	}
	b.store.closePointInTime(context.Background(), b.pit)
	return nil
}
