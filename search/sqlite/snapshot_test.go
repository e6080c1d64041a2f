package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Exports take no connection from searches.
func TestSnapshotsLeaveTheReadersToSearches(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	write(t, s, newSession(t, "a", 1, nil), newSession(t, "b", 1, nil))
	scope := tenancytest.Scope(t, 1)
	for range 5 {
		snapshot, err := s.Snapshot(t.Context(), scope, search.Query{Fields: session.AllFields()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := snapshot.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	got, err := s.Search(t.Context(), scope, search.Query{Fields: session.AllFields(), Limit: 10})
	if err != nil || len(got.Page.Rows) != 2 {
		t.Errorf("%d rows, %v", len(got.Page.Rows), err)
	}
}

// Close ends the transaction, however much was read: only then can the write-ahead
// log be moved into the file and restarted.
func TestClosingASnapshotEndsItsTransaction(t *testing.T) {
	s := openStore(t)
	for n := range 40 {
		write(t, s, newSession(t, numbered(n), 1, values{"lastOperatorMessage": strings.Repeat("x", 200_000)}))
	}
	checkpoint := func() (blocked int) {
		t.Helper()
		err := s.writer.use(t.Context(), func() error {
			var log, moved int
			if err := execute(t.Context(), s.writer.conn, "PRAGMA busy_timeout = 0"); err != nil {
				return err
			}
			return s.writer.conn.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &log, &moved)
		})
		if err != nil {
			t.Fatal(err)
		}
		return blocked
	}
	for name, leave := range map[string]func(search.Snapshot) error{
		"unread": func(search.Snapshot) error { return nil },
		"midway": func(s search.Snapshot) error { _, err := s.Next(t.Context()); return err },
		"cancelled": func(s search.Snapshot) error {
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Next(gone); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("error %w", err)
			}
			return nil
		},
		"at the end": func(s search.Snapshot) error {
			for {
				if _, err := s.Next(t.Context()); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		},
	} {
		write(t, s, newSession(t, "before", 1, values{"name": name}))
		snapshot, err := s.Snapshot(t.Context(), tenancytest.Scope(t, 1), search.Query{Fields: session.AllFields()})
		if err != nil {
			t.Fatal(err)
		}
		if err := leave(snapshot); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		write(t, s, newSession(t, "later", 1, values{"name": name}))
		if checkpoint() == 0 {
			t.Errorf("%s: the open snapshot holds nothing: the test is of no use", name)
		}
		if err := snapshot.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if blocked := checkpoint(); blocked != 0 {
			t.Errorf("%s: the closed snapshot still holds its transaction", name)
		}
	}
}

// Rows of any size are returned whole, in batches of about the given number of
// bytes.
func TestBatchesAreSizedByBytes(t *testing.T) {
	s := openStore(t)
	want := map[string]int{}
	for n := range 30 {
		size := 1 + 900_000*(n%3)/2
		want[numbered(n)] = size
		write(t, s, newSession(t, numbered(n), 1, values{"lastOperatorMessage": strings.Repeat("x", size)}))
	}
	snapshot, err := s.Snapshot(t.Context(), tenancytest.Scope(t, 1), search.Query{Fields: session.AllFields()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snapshot.Close() }()
	for batches := 0; ; batches++ {
		rows, err := snapshot.Next(t.Context())
		if errors.Is(err, io.EOF) {
			if batches < 3 || len(want) > 0 {
				t.Errorf("%d batches, %d sessions missing", batches, len(want))
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, row := range rows {
			total += len(row.JSON)
			var item struct{ ID, LastOperatorMessage string }
			if err := json.Unmarshal(row.JSON, &item); err != nil || len(item.LastOperatorMessage) != want[item.ID] {
				t.Errorf("%s: %d characters, want %d; %v", item.ID, len(item.LastOperatorMessage), want[item.ID], err)
			}
			delete(want, item.ID)
		}
		if total > 5<<20 {
			t.Errorf("a batch of %d bytes", total)
		}
	}
}

// The first batch is small: on a cold disk each row takes a millisecond, and the
// caller waits for the first byte.
func TestTheFirstRowsDoNotWaitForMany(t *testing.T) {
	s := openStore(t)
	docs := make([]session.Document, 4*s.limits.firstWindow)
	for n := range docs {
		docs[n] = newSession(t, numbered(n), 1, nil)
	}
	write(t, s, docs...)
	snapshot, err := s.Snapshot(t.Context(), tenancytest.Scope(t, 1), search.Query{Fields: session.AllFields()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snapshot.Close() }()
	if rows, err := snapshot.Next(t.Context()); err != nil || len(rows) != s.limits.firstWindow {
		t.Errorf("%d rows at first, error %v", len(rows), err)
	}
}

func TestASnapshotOfAClosedStoreIsUnavailable(t *testing.T) {
	s := openStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(t.Context(), tenancytest.Scope(t, 1), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}
