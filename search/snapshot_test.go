package search_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// reported is a snapshot that returns the given count and batches, whatever the scope.
// GuardSnapshots must catch this.
type reported struct {
	count   int64
	batches [][]search.Row
	openErr error
	err     error // after the last batch; nil: io.EOF

	asked  search.Query
	reads  int
	closed int
}

func (s *reported) Snapshot(_ context.Context, _ tenancy.Scope, q search.Query) (search.Snapshot, error) {
	s.asked = q
	if s.openErr != nil {
		return nil, s.openErr
	}
	return s, nil
}

func (s *reported) Count() int64 { return s.count }

func (s *reported) Next(context.Context) ([]search.Row, error) {
	s.reads++
	if len(s.batches) == 0 {
		if s.err != nil {
			return nil, s.err
		}
		return nil, io.EOF
	}
	batch := s.batches[0]
	s.batches = s.batches[1:]
	return batch, nil
}

func (s *reported) Close() error { s.closed++; return nil }

func batch(companies ...tenancy.CompanyID) []search.Row { return rowsOf(companies...).Page.Rows }

func TestGuardSnapshotsEndsASnapshotAtTheFirstForeignRow(t *testing.T) {
	some := tenancytest.Scope(t, 3, 5, 9)
	var none tenancy.Scope
	tests := []struct {
		name     string
		scope    tenancy.Scope
		limit    int
		reported reported
		rows     int // that are returned
		want     error
	}{
		{"rows of the scope pass", some, 0, reported{count: 3, batches: [][]search.Row{batch(3, 9), batch(5)}}, 3, io.EOF},
		{"no rows pass", some, 0, reported{}, 0, io.EOF},
		{"fewer rows than counted pass", some, 2, reported{count: 9, batches: [][]search.Row{batch(3, 9)}}, 2, io.EOF},
		{"nothing in an empty scope passes", none, 0, reported{}, 0, io.EOF},
		{"a foreign row fails its batch", some, 0, reported{count: 3, batches: [][]search.Row{batch(3), batch(5, 4)}}, 1, search.ErrForeignRow},
		{"a row without a company fails", some, 0, reported{count: 1, batches: [][]search.Row{batch(0)}}, 0, search.ErrForeignRow},
		{"a row in an empty scope fails", none, 0, reported{batches: [][]search.Row{batch(3)}}, 0, search.ErrForeignRow},
		{"more rows than the limit fail", some, 2, reported{count: 9, batches: [][]search.Row{batch(3), batch(3, 3)}}, 1, search.ErrForeignRow},
		{"more rows than counted fail", some, 0, reported{count: 1, batches: [][]search.Row{batch(3), batch(3)}}, 1, search.ErrForeignRow},
		{"an error of the engine comes back", some, 0, reported{count: 2, batches: [][]search.Row{batch(3)}, err: search.ErrTimeout}, 1, search.ErrTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			snapshot, err := search.GuardSnapshots(&tt.reported).Snapshot(t.Context(), tt.scope, search.Query{Limit: tt.limit})
			if err != nil {
				t.Fatal(err)
			}
			if snapshot.Count() != tt.reported.count {
				t.Errorf("count %d, want %d", snapshot.Count(), tt.reported.count)
			}
			rows, err := drain(t, snapshot)
			if len(rows) != tt.rows || !errors.Is(err, tt.want) {
				t.Errorf("%d rows, error %v; want %d, %v", len(rows), err, tt.rows, tt.want)
			}
			reads := tt.reported.reads
			if _, again := snapshot.Next(t.Context()); !errors.Is(again, tt.want) || tt.reported.reads != reads {
				t.Errorf("afterwards: error %v, want %v; %d reads more", again, tt.want, tt.reported.reads-reads)
			}
			if err := snapshot.Close(); err != nil || tt.reported.closed != 1 {
				t.Errorf("close: %v, passed on %d times", err, tt.reported.closed)
			}
		})
	}
}

// drain copies the rows of a snapshot until it ends, with or without an error.
func drain(tb testing.TB, s search.Snapshot) (all []search.Row, err error) {
	tb.Helper()
	for {
		rows, err := s.Next(tb.Context())
		if err != nil {
			if len(rows) > 0 {
				tb.Errorf("%d rows beside an error", len(rows))
			}
			return all, err
		}
		all = append(all, rows...)
	}
}

func TestGuardSnapshotsClosesASnapshotThatItRefuses(t *testing.T) {
	next := &reported{count: 4}
	snapshot, err := search.GuardSnapshots(next).Snapshot(t.Context(), tenancy.Scope{}, search.Query{})
	if !errors.Is(err, search.ErrForeignRow) || snapshot != nil || next.closed != 1 {
		t.Errorf("snapshot %v, error %v, closed %d times", snapshot, err, next.closed)
	}
}

func TestGuardSnapshotsPassesTheQueryOnAndTheErrorBack(t *testing.T) {
	next := &reported{openErr: search.ErrUnavailable}
	q := search.Query{Limit: 7, Offset: 3, Sort: search.DefaultSort()}
	snapshot, err := search.GuardSnapshots(next).Snapshot(t.Context(), tenancytest.Scope(t, 3), q)
	if !errors.Is(err, search.ErrUnavailable) || snapshot != nil {
		t.Errorf("snapshot %v, error %v", snapshot, err)
	}
	if diff := cmp.Diff(q, next.asked, cmp.AllowUnexported(keyword.Keyword{})); diff != "" {
		t.Errorf("the engine was asked (-want +got):\n%s", diff)
	}
}

func TestAnEmptySnapshotHasNothing(t *testing.T) {
	s := search.EmptySnapshot()
	rows, err := drain(t, s)
	if s.Count() != 0 || len(rows) != 0 || !errors.Is(err, io.EOF) || s.Close() != nil {
		t.Errorf("count %d, %d rows, %v", s.Count(), len(rows), err)
	}
}
