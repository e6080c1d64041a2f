package paging_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/tenancy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted is a source of numbered batches with one row each.
type counted struct {
	batches int
	hang    bool // after the last batch, until the context ends
	err     error

	begun  chan int // sent when a read begins
	read   int
	active atomic.Int32
	closed atomic.Int32
	bad    atomic.Bool // two calls at a time, or a close during a read
}

func newCounted(batches int) *counted { return &counted{batches: batches, begun: make(chan int, 100)} }

func (c *counted) Read(ctx context.Context, into *paging.Batch) error {
	if c.active.Add(1) != 1 || c.closed.Load() != 0 {
		c.bad.Store(true)
	}
	defer c.active.Add(-1)
	c.read++
	c.begun <- c.read
	if c.read > c.batches {
		if c.hang {
			<-ctx.Done()
			return ctx.Err()
		}
		if c.err != nil {
			return c.err
		}
		return io.EOF
	}
	into.Rows = append(into.Rows[:0], search.Row{CompanyID: tenancy.CompanyID(c.read)})
	return nil
}

func (c *counted) Close() error {
	if c.active.Load() != 0 {
		c.bad.Store(true)
	}
	c.closed.Add(1)
	return nil
}

func (c *counted) check(t *testing.T) {
	t.Helper()
	if c.bad.Load() || c.closed.Load() != 1 {
		t.Errorf("closed %d times, used by two at a time %t", c.closed.Load(), c.bad.Load())
	}
}

func TestEveryBatchComesOnceAndInOrder(t *testing.T) {
	source := newCounted(5)
	s := paging.Prefetch(17, source)
	if s.Count() != 17 {
		t.Errorf("count %d", s.Count())
	}
	for want := range 5 {
		rows, err := s.Next(t.Context())
		if err != nil || len(rows) != 1 || rows[0].CompanyID != tenancy.CompanyID(want+1) {
			t.Fatalf("batch %d: %v, %v", want+1, rows, err)
		}
	}
	for range 2 {
		if rows, err := s.Next(t.Context()); !errors.Is(err, io.EOF) || rows != nil {
			t.Errorf("behind the last: %v, %v", rows, err)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	source.check(t)
}

func TestOneBatchIsReadAheadAndNoMore(t *testing.T) {
	source := newCounted(50)
	s := paging.Prefetch(50, source)
	for n := 1; n <= 3; n++ {
		if begun := <-source.begun; begun != n {
			t.Fatalf("read %d began, want %d", begun, n)
		}
		if _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-source.begun // the fourth begins while the caller uses the third
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(source.begun) != 0 {
		t.Errorf("%d reads more than one ahead", len(source.begun))
	}
	source.check(t)
}

func TestAnErrorOfTheSourceEndsTheSnapshot(t *testing.T) {
	source := newCounted(1)
	source.err = search.ErrTimeout
	s := paging.Prefetch(9, source)
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Next(t.Context()); !errors.Is(err, search.ErrTimeout) {
			t.Errorf("error %v", err)
		}
	}
	_ = s.Close()
	source.check(t)
	if source.read != 2 {
		t.Errorf("%d reads, want none behind the error", source.read)
	}
}

func TestACallerThatGoesAwayEndsTheSnapshot(t *testing.T) {
	for name, c := range map[string]struct {
		context func() (context.Context, context.CancelFunc)
		want    error
	}{
		"cancelled": {func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }, context.Canceled},
		"too late": {func() (context.Context, context.CancelFunc) {
			return context.WithDeadline(t.Context(), time.Unix(1, 0))
		}, search.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			source := newCounted(0)
			source.hang = true
			s := paging.Prefetch(9, source)
			ctx, cancel := c.context()
			<-source.begun
			go cancel()
			if _, err := s.Next(ctx); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			source.check(t)
		})
	}
}

func TestASnapshotThatIsClosedReadsNoMore(t *testing.T) {
	source := newCounted(9)
	s := paging.Prefetch(9, source)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	source.check(t)
}

func TestAReaderThatTakesItsTimeKeepsTheSnapshot(t *testing.T) {
	source := &remaining{counted: newCounted(3), asked: make(chan struct{}, 1000)}
	s := paging.Prefetch(3, source)
	for batch := 1; batch <= 3; batch++ {
		rows, err := s.Next(t.Context())
		if err != nil || len(rows) != 1 {
			t.Fatalf("batch %d: %v, %v", batch, rows, err)
		}
		for range 5 { // while the caller uses its batch
			<-source.asked
		}
		if rows[0].CompanyID != tenancy.CompanyID(batch) {
			t.Errorf("batch %d has become %d", batch, rows[0].CompanyID)
		}
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	source.check(t)
}

func TestAClosedSnapshotIsNotExtended(t *testing.T) {
	source := &remaining{counted: newCounted(3), asked: make(chan struct{}, 1000)}
	source.hang = true // until the context ends
	source.batches = 0
	s := paging.Prefetch(3, source)
	<-source.begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	source.check(t)
	if len(source.asked) != 0 {
		t.Errorf("asked %d times to keep what was being read", len(source.asked))
	}
}

// remaining is a source that needs keeping.
type remaining struct {
	*counted

	asked chan struct{}
}

func (k *remaining) Keep(context.Context) {
	if k.active.Add(1) != 1 || k.closed.Load() != 0 {
		k.bad.Store(true)
	}
	defer k.active.Add(-1)
	k.asked <- struct{}{}
}

func (*remaining) KeepEvery() time.Duration { return time.Millisecond }

// falling is a source that panics.
type falling struct{}

func (falling) Read(context.Context, *paging.Batch) error { panic("planted") }

func (falling) Close() error { return nil }

func TestAPanicOfTheSourceIsTheReadersToAnswer(t *testing.T) {
	snapshot := paging.Prefetch(1, falling{})
	if rows, err := snapshot.Next(t.Context()); err == nil || len(rows) != 0 {
		t.Errorf("%d rows, error %v", len(rows), err)
	}
	if err := snapshot.Close(); err != nil {
		t.Error(err)
	}
}
