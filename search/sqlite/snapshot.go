package sqlite

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/scan"
	"github.com/scopegate/scopegate/tenancy"
)

// patience is how long a snapshot is held that nobody reads: while one is open,
// what others write can't move from the write-ahead log into the file.
const patience = time.Minute

// Snapshot reads one read transaction. It has a connection of its own, so that
// exports never take one from searches: how many there are at a time is for the
// caller to bound. A snapshot that is open when the Store is closed can be read
// to its end. See search.Snapshotter.
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
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, engineError(ctx, err)
	}
	r := &reader{conn: conn}
	w, err := s.windows(ctx, r, scope, q, o)
	if err != nil {
		discard(conn)
		return nil, engineError(ctx, err)
	}
	return scan.Ahead(w.count, w, patience), nil
}

// windows begins the transaction and counts.
func (s *Store) windows(ctx context.Context, r *reader, scope tenancy.Scope, q search.Query, o ordered) (*windows, error) {
	// Sessions are read once: a cache as large as that of searches is of no use.
	if err := execute(ctx, r.conn, "PRAGMA cache_size = -4000"); err != nil {
		return nil, err
	}
	set, err := r.bind(ctx, scope, s.limits.inlineScope)
	if err != nil {
		return nil, err
	}
	if err := execute(ctx, r.conn, "BEGIN"); err != nil {
		return nil, err
	}
	w := &windows{
		r: r, planner: newPlanner(s.limits, r, set, q.Filter), order: o, fields: q.Fields, size: s.limits.firstWindow,
	}
	if w.count, err = w.planner.countMatches(ctx); err != nil {
		return nil, err
	}
	if w.left = w.count; q.Limit > 0 {
		w.left = min(w.left, int64(q.Limit))
	}
	return w, nil
}
