package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// endsAtLook is a context that is cancelled just after its nth check, and so in the
// middle of what the checking code does next.
type endsAtLook struct {
	context.Context //nolint:containedctx // it is one

	cancel context.CancelFunc
	left   atomic.Int64
}

func newEndsAtLook(parent context.Context, looks int) *endsAtLook {
	ctx, cancel := context.WithCancel(parent)
	c := &endsAtLook{Context: ctx, cancel: cancel}
	c.left.Store(int64(looks))
	return c
}

func (c *endsAtLook) Done() <-chan struct{} {
	if c.left.Add(-1) == 0 {
		const longest = 12 * time.Microsecond // about the duration of a short statement
		wait := rand.N(longest)
		go func() {
			for began := time.Now(); time.Since(began) < wait; { // timers are less exact
			}
			c.cancel()
		}()
	}
	return c.Context.Done()
}

// cancelledEverywhere runs f repeatedly, cancels it at a later step each time, and
// calls whole after each run to check that the state is right.
func cancelledEverywhere(t *testing.T, f func(context.Context) error, whole func() error) {
	t.Helper()
	const steps, times = 20, 30
	for look := 1; look <= steps; look++ {
		for range times {
			ctx := newEndsAtLook(t.Context(), look)
			err := f(ctx)
			ctx.cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled at look %d: error %v", look, err)
			}
			if err := whole(); err != nil {
				t.Fatalf("after one that was cancelled at look %d: %v", look, err)
			}
		}
	}
}

func TestACallerWhoLeavesWhileATransactionBeginsSpoilsNoConnection(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, Readers: 1})
	s.limits.inlineScope = 1 // the temporary table is used too
	write(t, s, newSession(t, "a", 1, nil))
	archive := openArchive(t, dir)
	narrow, wide := tenancytest.Scope(t, 1), tenancytest.Scope(t, 1, 2, 3)
	page := search.Query{Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 10}
	search1 := func(ctx context.Context, scope tenancy.Scope) error {
		got, err := s.Search(ctx, scope, page)
		if err == nil && (got.Count.Total != 1 || len(got.Page.Rows) != 1) {
			err = errors.New("the session is missing")
		}
		return err
	}
	for name, f := range map[string]func(context.Context) error{
		"a search":              func(ctx context.Context) error { return search1(ctx, narrow) },
		"a search by many":      func(ctx context.Context) error { return search1(ctx, wide) },
		"a look for readiness":  s.Ping,
		"reading the directory": func(ctx context.Context) error { _, err := s.Load(ctx); return err },
		"a mark":                func(ctx context.Context) error { _, _, err := s.Meta(ctx, "x"); return err },
		"a summary":             func(ctx context.Context) error { _, err := s.Summarize(ctx, wide, search.SummaryQuery{}); return err },
		"a copy": func(ctx context.Context) error {
			return archive.Changes(ctx, 1, func([]session.Change, []session.Unfit) error { return nil })
		},
		"a snapshot that begins": func(ctx context.Context) error { return opened(s.Snapshot(ctx, wide, search.Query{})) },
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			cancelledEverywhere(t, f, func() error {
				n++
				if n%2 == 0 {
					return search1(t.Context(), wide)
				}
				return search1(t.Context(), narrow)
			})
		})
	}
}

func opened(s search.Snapshot, err error) error {
	if err != nil {
		return err
	}
	return s.Close()
}

func TestAWriterWhoLeavesWhileATransactionBeginsSpoilsNoConnection(t *testing.T) {
	s := openStore(t)
	a := newSession(t, "a", 1, nil)
	for name, f := range map[string]func(context.Context) error{
		"sessions":      func(ctx context.Context) error { _, err := s.Write(ctx, []session.Change{upsert(a)}); return err },
		"invalidations": func(ctx context.Context) error { return s.Invalidate(ctx, []tenancy.CompanyID{1}) },
		"a mark":        func(ctx context.Context) error { return s.SetMeta(ctx, "x", "y") },
		"tidying":       s.Optimize,
	} {
		t.Run(name, func(t *testing.T) {
			cancelledEverywhere(t, f, func() error { return s.SetMeta(t.Context(), "later", "z") })
		})
	}
}

// A connection that is inside a transaction, for whatever reason, fails one use.
// The next use replaces it.
func TestASpoiltConnectionIsMendedByItsNextUse(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	write(t, s, newSession(t, "a", 1, nil))
	r := s.health.pop()
	if r.conn == nil {
		var err error
		if r.conn, err = s.db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := execute(t.Context(), r.conn, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	s.health.give(r)
	if err := s.Ping(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Ping says %v while searches fail", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := execute(t.Context(), s.writer.conn, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMeta(t.Context(), "x", "y"); err == nil {
		t.Error("the writer's connection was not spoilt: the test is of no use")
	}
	write(t, s, newSession(t, "b", 1, nil))
}

// The transaction of a dropped connection ends with it, and nobody gets the
// connection again.
func TestAConnectionThatIsGivenUpIsClosed(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.db.Stats().OpenConnections
	r := s.health.pop()
	if err := execute(t.Context(), r.conn, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	r.drop()
	s.health.give(r)
	if n := s.db.Stats().OpenConnections; n != before-1 {
		t.Errorf("%d connections are open, want %d", n, before-1)
	}
	if err := s.writer.use(t.Context(), func() error { s.writer.drop(); return nil }); err != nil {
		t.Fatal(err)
	}
	write(t, s, newSession(t, "a", 1, nil))
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPanicLeavesNoTransaction(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	panics := func(f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("it did not panic")
			}
		}()
		f()
	}
	panics(func() {
		_ = s.readers.use(t.Context(), func(r *reader) error {
			return r.snapshot(t.Context(), func() error { panic("a fault") })
		})
	})
	panics(func() {
		_ = s.writer.transaction(t.Context(), func(context.Context) error { panic("a fault") })
	})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	write(t, s, newSession(t, "a", 1, nil))
}

// If a search left a transaction open, its snapshot would keep the log from being
// restarted, and every write would make the log longer.
func TestCancelledSearchesDoNotMakeTheLogGrow(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, Readers: 2})
	const pages = 100
	if err := execute(t.Context(), s.writer.conn, "PRAGMA wal_autocheckpoint = 100"); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 200_000)
	scope := tenancytest.Scope(t, 1)
	for i := range 40 {
		for look := 1; look < 10; look++ {
			ctx := newEndsAtLook(t.Context(), look)
			_, _ = s.Search(ctx, scope, search.Query{Limit: 1})
			ctx.cancel()
		}
		write(t, s, newSession(t, "a", 1, values{"lastOperatorMessage": text[i:]}))
	}
	info, err := os.Stat(filepath.Join(dir, FileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(4 * pages * 8192); info.Size() > most {
		t.Errorf("the log has %d bytes, want at most %d", info.Size(), most)
	}
}

// Thousands of callers who cancel cause no error for the others.
func TestThousandsOfCallersWhoLeaveCostNobodyAnAnswer(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 2})
	write(t, s, newSession(t, "a", 1, nil))
	scope := tenancytest.Scope(t, 1)
	q := search.Query{Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 10}
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i*7+caller)%200)*time.Microsecond)
				_, _ = s.Search(ctx, scope, q)
				cancel()
			}
		})
	}
	callers.Go(func() {
		for range 200 {
			if got, err := s.Search(t.Context(), scope, q); err != nil || got.Count.Total != 1 {
				t.Errorf("a caller who stays: %d sessions, error %v", got.Count.Total, err)
			}
		}
	})
	callers.Wait()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
