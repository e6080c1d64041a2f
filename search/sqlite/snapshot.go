package sqlite

import (
	"context"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/tenancy"
)

// Snapshot reads one read transaction. It has a connection of its own, so that
// exports never take one from searches; the caller limits their number and
// duration. While a snapshot is open, the write-ahead log can't be moved into the
// file completely. A snapshot that is open when the Store is closed can still be
// read to its end. See search.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	q.WithoutCount, q.WithoutItems, q.Sort = false, false, search.NormalizeSort(q.Sort)
	ctx, span := startSpan(ctx, scope, "snapshot")
	snapshot, err := s.openSnapshot(ctx, scope, q)
	endSpan(span, 0, err)
	return snapshot, err
}

func (s *Store) openSnapshot(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	o, err := orderedPage(q)
	if err != nil {
		return nil, err
	}
	if scope.IsEmpty() {
		return search.EmptySnapshot(), nil
	}
	w := &windows{guard: s.log, order: o, fields: q.Fields, size: s.limits.firstWindow}
	w.mu.Lock()
	if err := s.log.enter(ctx, w, s.makeLogShorter); err != nil {
		w.mu.Unlock()
		return nil, err
	}
	err = s.begin(ctx, w, scope, q)
	w.unlock()
	if err != nil {
		_ = w.Close()
		return nil, engineError(ctx, err)
	}
	return paging.Prefetch(w.count, w), nil
}

// begin begins the transaction and counts the rows.
func (s *Store) begin(ctx context.Context, w *windows, scope tenancy.Scope, q search.Query) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.r = &reader{conn: conn}
	// Each session is read once, so the large page cache of a search is of no use.
	if err := execute(ctx, conn, "PRAGMA cache_size = -4000"); err != nil {
		return err
	}
	set, err := w.r.bind(ctx, scope, s.limits.inlineScope)
	if err != nil {
		return err
	}
	if err := execute(ctx, conn, "BEGIN"); err != nil {
		return err
	}
	w.planner = newPlanner(s.limits, w.r, set, q.Filter)
	if q.NewestOfClient {
		if err := w.planner.keepNewest(ctx); err != nil {
			return err
		}
	}
	if w.count, err = w.planner.countMatches(ctx); err != nil {
		return err
	}
	if w.left = w.count; q.Limit > 0 {
		w.left = min(w.left, int64(q.Limit))
	}
	return nil
}
