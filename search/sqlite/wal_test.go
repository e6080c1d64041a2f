package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

const smallWAL = 2 << 20

// writeMuch writes about 400 KB to the same sessions each time.
func writeMuch(tb testing.TB, s *Store, round int) {
	tb.Helper()
	var docs []session.Document
	for i := range 20 {
		docs = append(docs, newSession(tb, fmt.Sprint("s", i), 1, values{
			"lastOperatorMessage": fmt.Sprint(round, strings.Repeat("x", 20_000)),
		}))
	}
	write(tb, s, docs...)
}

func snapshotOf(tb testing.TB, s *Store) (search.Snapshot, error) {
	tb.Helper()
	return s.Snapshot(tb.Context(), tenancytest.Scope(tb, 1), search.Query{Fields: session.AllFields()})
}

// Exports overlap: each begins before the previous one ends, and none takes long.
func TestTheLogIsBoundedWhileSnapshotsOverlap(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), MaxWAL: smallWAL})
	next := make(chan search.Snapshot, 1)
	var running search.Snapshot
	longest := int64(0)
	for round := range 60 {
		opened := make(chan error, 1)
		go func() {
			snapshot, err := snapshotOf(t, s)
			if err == nil {
				next <- snapshot
			}
			opened <- err
		}()
		var err error
		select {
		case err = <-opened:
		case <-time.After(20 * time.Millisecond): // it waits for the running one
			if running != nil {
				_ = running.Close()
				running = nil
			}
			err = <-opened
		}
		if err != nil {
			t.Fatal(err)
		}
		if running != nil {
			_ = running.Close()
		}
		running = <-next
		writeMuch(t, s, round)
		longest = max(longest, s.log.size())
	}
	_ = running.Close()
	if longest > 2*smallWAL || longest < smallWAL {
		t.Errorf("the log had %d bytes, want about %d", longest, smallWAL)
	}
}

func TestASnapshotAboveTheBoundWaitsForThoseUnderWayWhilePagesAreAnswered(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), MaxWAL: smallWAL})
	writeMuch(t, s, 0)
	first, err := snapshotOf(t, s)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		writeMuch(t, s, round)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Snapshot(short, tenancytest.Scope(t, 1), search.Query{}); !errors.Is(err, search.ErrTimeout) {
		t.Errorf("a snapshot above the bound: error %v", err)
	}
	got, err := s.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{Limit: 10, Fields: session.AllFields()})
	if err != nil || got.Count.Total != 20 || len(got.Page.Rows) != 10 {
		t.Errorf("a page meanwhile: %d of %d, error %v", len(got.Page.Rows), got.Count.Total, err)
	}
	waited := make(chan error, 1)
	go func() { waited <- opened(snapshotOf(t, s)) }()
	if n := drained(t, first); n != 20 {
		t.Errorf("the first snapshot has %d rows", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	if size := s.log.size(); size > 0 {
		t.Errorf("the log has %d bytes when nobody reads from it", size)
	}
}

func drained(tb testing.TB, s search.Snapshot) (rows int) {
	tb.Helper()
	for {
		batch, err := s.Next(tb.Context())
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			tb.Fatal(err)
		}
		rows += len(batch)
	}
}

func TestSnapshotsFarAboveTheBoundAreEnded(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, MaxWAL: smallWAL})
	for n := range 400 {
		write(t, s, newSession(t, numbered(n), 1, values{"lastOperatorMessage": strings.Repeat("x", 40_000)}))
	}
	for name, writer := range map[string]*Store{"this process writes": s, "another one does": openWith(t, Options{Dir: dir, MaxWAL: 1 << 30})} {
		snapshot, err := snapshotOf(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		for round := 0; s.log.size() < (farFactor+1)*smallWAL; round++ {
			if round > 500 {
				break
			}
			writeMuch(t, writer, round)
			if len(s.log.open) == 0 {
				break
			}
		}
		for err == nil {
			_, err = snapshot.Next(t.Context())
		}
		if !errors.Is(err, search.ErrSnapshotEnded) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := snapshot.Close(); err != nil {
			t.Error(err)
		}
		writeMuch(t, s, 1000)
		if err := opened(snapshotOf(t, s)); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
		if size := s.log.size(); size > smallWAL {
			t.Errorf("%s: the log has %d bytes afterwards", name, size)
		}
	}
}

// While searches overlap without a gap, a passive checkpoint never finds the log
// without readers.
func TestTheLogIsBoundedWhileSearchesNeverPause(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), MaxWAL: smallWAL, Readers: 4})
	writeMuch(t, s, 0)
	done := make(chan struct{})
	ended := make(chan error, 4)
	for range 4 {
		go func() {
			for {
				select {
				case <-done:
					ended <- nil
					return
				default:
				}
				if err := s.readers.use(t.Context(), func(r *reader) error {
					return r.snapshot(t.Context(), func() error {
						if _, err := r.sessionsSeen(t.Context()); err != nil {
							return err
						}
						time.Sleep(3 * time.Millisecond)
						return nil
					})
				}); err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	longest := int64(0)
	for round := range 60 {
		writeMuch(t, s, round)
		longest = max(longest, s.log.size())
		if s.log.size() > smallWAL { // the next attempt is due
			s.log.mu.Lock()
			s.log.tried = time.Time{}
			s.log.mu.Unlock()
		}
	}
	close(done)
	for range 4 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if longest > 2*smallWAL {
		t.Errorf("the log had %d bytes, want about %d", longest, smallWAL)
	}
}

// sessionsSeen reads in the reader's current snapshot.
func (r *reader) sessionsSeen(ctx context.Context) (int64, error) {
	return r.number(ctx, "SELECT count(*) FROM sessions")
}

func TestASnapshotThatFailsToOpenIsNotUnderWay(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), MaxWAL: smallWAL})
	writeMuch(t, s, 0)
	for look := 1; look < 40; look++ {
		ctx := newEndsAtLook(t.Context(), look)
		_ = opened(s.Snapshot(ctx, tenancytest.Scope(t, tenancy.CompanyID(1)), search.Query{}))
		ctx.cancel()
	}
	if n := len(s.log.open); n != 0 {
		t.Errorf("%d snapshots are under way", n)
	}
	if s.log.path != filepath.Join(filepath.Dir(s.log.path), FileName+"-wal") {
		t.Errorf("the log is looked for at %s", s.log.path)
	}
}
