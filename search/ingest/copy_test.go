package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// snapshot is a Snapshot of upserts.
type snapshot []session.Change

func (s snapshot) Changes(_ context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	for some := range slices.Chunk(s, most) {
		if err := f(some, nil); err != nil {
			return err
		}
	}
	return nil
}

func sessions(t *testing.T, n int) (all snapshot, ids []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("s%d", i)
		all, ids = append(all, session.Change{Kind: session.KindSession, Session: documentOf(t, id)}), append(ids, id)
	}
	return all, ids
}

func TestACopyWritesAllBatchesAndTriesAgainWhileTheStoreIsUnavailable(t *testing.T) {
	from, ids := sessions(t, 5)
	to := &store{before: func(_ context.Context, try int) error {
		if try == 2 {
			return search.ErrUnavailable
		}
		return nil
	}}
	var seen []int64
	report, err := Copy(t.Context(), to, from, Options{
		BatchLines: 2, Backoff: time.Millisecond, Progress: func(p Progress) { seen = append(seen, p.Lines) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Lines: 5, Upserted: 5}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ids, to.ids()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{2, 4, 5}, seen); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

func TestACopyEndsBehindTheBatchThatIsBeingWrittenWhenItsContextDoes(t *testing.T) {
	from, _ := sessions(t, 6)
	ctx, cancel := context.WithCancel(t.Context())
	to := &store{before: func(context.Context, int) error { cancel(); return nil }}
	report, err := Copy(ctx, to, from, Options{BatchLines: 2})
	if !errors.Is(err, context.Canceled) || report.Upserted != 2 {
		t.Errorf("report %+v, error %v; want 2 stored, %v", report, err, context.Canceled)
	}
}
