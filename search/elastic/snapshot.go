package elastic

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Snapshot reads one point in time, batch by batch, which is kept until the
// snapshot is closed. A gateway that is killed leaves it for a minute. See
// search.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	q.WithoutCount, q.WithoutItems, q.Sort = false, false, search.NormalizeSort(q.Sort)
	ctx, span := startSpan(ctx, scope, "snapshot")
	var t tally
	snapshot, err := s.snapshot(ctx, scope, q, &t)
	count := int64(0)
	if err == nil {
		count = snapshot.Count()
	}
	endSpan(span, count, 0, t, err)
	return snapshot, err
}

func (s *Store) snapshot(ctx context.Context, scope tenancy.Scope, q search.Query, t *tally) (search.Snapshot, error) {
	p, err := s.plan(q)
	if err != nil {
		return nil, err
	}
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	if scope.IsEmpty() {
		return search.EmptySnapshot(), nil
	}
	if p.query, err = scoped(scope, conditions(q.Filter)); err != nil {
		return nil, err
	}
	if err := s.checked(ctx); err != nil {
		return nil, err
	}
	p.key = anchorKey(scope, q)
	at, err := s.openPointInTime(ctx, s.names(session.KindSession).read)
	if err != nil {
		return nil, err
	}
	b, err := s.batches(ctx, p, at, t)
	if err != nil {
		s.closePointInTime(context.WithoutCancel(ctx), at)
		return nil, err
	}
	return paging.Prefetch(b.count, b), nil
}

// batches counts, goes to the first row and looks how to go on from there.
func (s *Store) batches(ctx context.Context, p plan, at *pit, t *tally) (*batches, error) {
	a, err := s.ask(ctx, p.query, request{Count: true, PIT: at}, t)
	if err != nil {
		return nil, err
	}
	b := &batches{
		store: s, at: at, count: a.Hits.Total.Value, left: a.Hits.Total.Value, rows: s.limits.firstRows,
		keepEvery: keepEvery,
		due:       -1, // how many rows are behind a position is not counted
	}
	if p.limit > 0 {
		b.left = min(b.left, int64(p.limit))
	}
	if p.start == nil {
		b.due = min(b.left, max(0, b.count-int64(p.skip)))
	}
	if b.left > 0 {
		p.count = false
		_, ended, err := s.pass(ctx, &p, at, 0, t)
		if err != nil {
			return nil, err
		}
		if ended {
			b.left = 0
		}
	}
	b.plan, b.after = p, p.start
	if p.terms[0].isID() && b.left >= int64(s.limits.sampleRows) {
		sample, err := s.bounds(ctx, p, b.count, at, t)
		if err != nil {
			return nil, err
		}
		b.bound(sample)
	}
	return b, nil
}

var _ paging.Keeper = (*batches)(nil)

// Keep implements paging.Keeper by a search on the point in time that asks for
// nothing.
func (b *batches) Keep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	a, err := b.store.ask(ctx, b.plan.query, request{PIT: b.at}, &tally{}, "took", "timed_out", "pit_id", "_shards.failed")
	if err == nil && a.PIT != "" {
		b.at = &pit{ID: a.PIT, KeepAlive: b.at.KeepAlive}
	}
}

// KeepEvery implements paging.Keeper.
func (b *batches) KeepEvery() time.Duration { return b.keepEvery }

// Close implements paging.Source.
func (b *batches) Close() error {
	for _, s := range b.under {
		if s.reading != nil {
			_, _ = s.reading.Wait() // nobody wants it now
		}
	}
	b.store.closePointInTime(context.Background(), b.at)
	return nil
}
