package search

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scopegate/scopegate/tenancy"
)

// Snapshotter reads all matches, as they were at one moment.
type Snapshotter interface {
	// Snapshot opens one consistent state of the index and counts its matches. It
	// uses q.Filter, q.Fields, q.Sort (empty: by id, which callers must not rely
	// on), q.After, q.Offset and q.Limit (0: all rows; MaxLimit does not apply). An
	// empty scope gives an empty snapshot. The context applies to the opening only.
	//
	// Errors are those of Searcher, and ErrSnapshotBusy. The caller must close the
	// Snapshot.
	Snapshot(ctx context.Context, scope tenancy.Scope, q Query) (Snapshot, error)
}

// Snapshot is read once, from the first row to the last, by one goroutine.
type Snapshot interface {
	// Count is the exact number of matching sessions; Limit, After and Offset do
	// not change it.
	Count() int64
	// Next returns the next rows in order, at least one, and io.EOF after the last.
	// Rows and their bytes are valid only until the next call. Row.Position may be
	// empty.
	//
	// Errors: ErrUnavailable, ErrTimeout, ErrSnapshotEnded, ErrForeignRow, or the
	// context's error. After an error the snapshot ends: only Close may be called.
	Next(ctx context.Context) ([]Row, error)
	// Close releases the snapshot's resources in the engine. It may be called more
	// than once.
	Close() error
}

// GuardSnapshots wraps an engine as Guard does. A row of a foreign company, more
// rows than requested or counted, or anything found under an empty scope ends the
// snapshot with ErrForeignRow, and nothing of the batch is returned.
//
// SECURITY: it is between engine and writer, so that no unchecked row leaves.
func GuardSnapshots(next Snapshotter) Snapshotter { return &snapshotGuard{next} }

type snapshotGuard struct{ next Snapshotter }

var _ Snapshotter = (*snapshotGuard)(nil)

// Snapshot implements Snapshotter.
func (g *snapshotGuard) Snapshot(ctx context.Context, scope tenancy.Scope, q Query) (Snapshot, error) {
	next, err := g.next.Snapshot(ctx, scope, q)
	if err != nil {
		return nil, err
	}
	if n := next.Count(); scope.IsEmpty() && n != 0 {
		err := fmt.Errorf("%w: %d sessions counted in an empty scope", ErrForeignRow, n)
		return nil, errors.Join(err, next.Close())
	}
	left := next.Count()
	if q.Limit > 0 {
		left = min(left, int64(q.Limit))
	}
	return &guardedSnapshot{Snapshot: next, scope: scope, left: left}, nil
}

type guardedSnapshot struct {
	Snapshot

	scope tenancy.Scope
	left  int64 // rows that may still come
	err   error // the error that ended it
}

// Next implements Snapshot.
func (s *guardedSnapshot) Next(ctx context.Context) ([]Row, error) {
	if s.err != nil {
		return nil, s.err
	}
	rows, err := s.Snapshot.Next(ctx)
	if err == nil {
		err = s.check(rows)
	}
	if err != nil {
		s.err = err
		return nil, err
	}
	return rows, nil
}

func (s *guardedSnapshot) check(rows []Row) error {
	if s.left -= int64(len(rows)); s.left < 0 {
		return fmt.Errorf("%w: %d rows more than were asked for or counted", ErrForeignRow, -s.left)
	}
	return CheckRows(s.scope, rows)
}

// EmptySnapshot returns the snapshot of an empty scope, which has no rows.
func EmptySnapshot() Snapshot { return emptySnapshot{} }

type emptySnapshot struct{}

// Count implements Snapshot.
func (emptySnapshot) Count() int64 { return 0 }

// Next implements Snapshot.
func (emptySnapshot) Next(context.Context) ([]Row, error) { return nil, io.EOF }

// Close implements Snapshot.
func (emptySnapshot) Close() error { return nil }
