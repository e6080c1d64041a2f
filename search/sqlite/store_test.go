package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestDataIsForItsOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fresh", "data")
	write(t, openAt(t, dir), newSession(t, "a", 1, nil))
	for name, want := range map[string]os.FileMode{
		"": 0o700, FileName: 0o600, FileName + "-wal": 0o600, FileName + "-shm": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q: permissions %o, want %o", name, got, want)
		}
	}
}

func TestOpenNeedsAPlaceForTheData(t *testing.T) {
	if _, err := Open(t.Context(), Options{}); err == nil {
		t.Error("opened nothing")
	}
}

func TestPathsMayHoldWhatURLsGiveAMeaning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b#c %41.db")
	for range 2 {
		s, err := Open(t.Context(), Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, newSession(t, "a", 1, nil))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestSessionsOutliveTheStore(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		s, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			write(t, s, newSession(t, "a", 1, nil))
		}
		got, err := s.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{WithoutItems: true})
		if err != nil || got.Count.Total != 1 {
			t.Errorf("count %d, error %v", got.Count.Total, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFileOfAnotherMakerIsRefused(t *testing.T) {
	for name, statement := range map[string]string{
		"of a newer version": "PRAGMA user_version = 99",
		"of another program": "CREATE TABLE recipes (name TEXT)",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "some.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), Options{Path: path}); !errors.Is(err, ErrSchema) {
				t.Errorf("error %v, want ErrSchema", err)
			}
		})
	}
}

func TestGarbageIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.db")
	if err := os.WriteFile(path, []byte("this is a letter to a friend, and no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path}); !errors.Is(err, ErrSchema) {
		t.Errorf("error %v, want ErrSchema", err)
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	s := openStore(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func(context.Context) error{
		"Ping":     s.Ping,
		"Optimize": s.Optimize,
		"Search": func(ctx context.Context) error {
			_, err := s.Search(ctx, tenancytest.Scope(t, 1), search.Query{Limit: 1})
			return err
		},
		"Write":   func(ctx context.Context) error { _, err := s.Write(ctx, nil); return err },
		"Load":    func(ctx context.Context) error { _, err := s.Load(ctx); return err },
		"Version": func(ctx context.Context) error { _, err := s.Version(ctx); return err },
	} {
		if err := call(t.Context()); !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: error %v, want ErrUnavailable", name, err)
		}
	}
}

func TestMetaValuesAreStored(t *testing.T) {
	s := openStore(t)
	if _, ok, err := s.Meta(t.Context(), "seeded"); ok || err != nil {
		t.Errorf("a mark before any was left; error %v", err)
	}
	for _, want := range []string{"v1", "v2"} {
		if err := s.SetMeta(t.Context(), "seeded", want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.Meta(t.Context(), "seeded")
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEmptyUntilSomethingIsWritten(t *testing.T) {
	s := openStore(t)
	if empty, err := s.Empty(t.Context()); !empty || err != nil {
		t.Errorf("fresh: empty %v, error %v", empty, err)
	}
	write(t, s, newSession(t, "a", 1, nil))
	if empty, err := s.Empty(t.Context()); empty || err != nil {
		t.Errorf("written to: empty %v, error %v", empty, err)
	}
}
