package elastic

import (
	"context"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/scan"
	"github.com/scopegate/scopegate/tenancy"
)

// Snapshot reads one point in time, batch by batch. Each batch keeps it for a
// minute more: a reader that takes longer over one loses it, and
// search.ErrUnavailable is what comes next. See search.Snapshotter.
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
	at, err := s.openPointInTime(ctx, s.names(search.KindSession).read)
	if err != nil {
		return nil, err
	}
	b, err := s.batches(ctx, p, at, t)
	if err != nil {
		s.closePointInTime(context.WithoutCancel(ctx), at)
		return nil, err
	}
	return scan.Ahead(b.count, b, patience), nil
}

// batches counts, goes to the first row and looks how to go on from there.
func (s *Store) batches(ctx context.Context, p plan, at *pit, t *tally) (*batches, error) {
	a, err := s.ask(ctx, p.query, request{Count: true, PIT: at}, t)
	if err != nil {
		return nil, err
	}
	b := &batches{
		store: s, at: at, count: a.Hits.Total.Value, left: a.Hits.Total.Value, rows: s.limits.firstRows,
		whole: p.limit == 0 && p.skip == 0 && p.start == nil,
	}
	if p.limit > 0 {
		b.left = min(b.left, int64(p.limit))
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

// Close implements scan.Source.
func (b *batches) Close() error {
	for _, s := range b.under {
		if s.reading != nil {
			_, _ = s.reading.Wait() // nobody wants it now
		}
	}
	b.store.closePointInTime(context.Background(), b.at)
	return nil
}
