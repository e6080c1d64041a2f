package sqlite

import (
	"compress/gzip"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/session"
)

// unpacked makes a folder of a fixture.
func unpacked(t *testing.T, fixture string) (dir string) {
	t.Helper()
	packed, err := os.Open(filepath.Join("..", "schema", "testdata", fixture, FileName+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = packed.Close() })
	file, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	database, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), database, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sessionsOf reads the sessions of a folder.
func sessionsOf(t *testing.T, dir string) (docs []session.Document) {
	t.Helper()
	a, err := OpenArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Changes(t.Context(), 100, func(changes []session.Change, unfit []session.Unfit) error {
		for _, c := range changes {
			if c.Kind == session.KindSession {
				docs = append(docs, c.Session)
			}
		}
		if len(unfit) > 0 {
			t.Errorf("%d sessions are unfit", len(unfit))
		}
		return nil
	})
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
	return docs
}

// layout describes the tables, columns and indexes of a folder.
func layout(t *testing.T, s *Store) []string {
	t.Helper()
	const query = `SELECT s.type || ' ' || s.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c.pk, '')
		FROM sqlite_schema s LEFT JOIN pragma_table_xinfo(s.name) c WHERE s.name NOT LIKE 'sqlite_stat%'`
	var all []string
	err := s.readers.use(t.Context(), func(r *reader) error {
		return r.each(t.Context(), query, nil, func(rows *sql.Rows) error {
			var line string
			err := rows.Scan(&line)
			all = append(all, line)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestFoldersOfEveryOlderSchemaAreMigratedAndAnswer(t *testing.T) {
	asNew := layout(t, openAt(t, t.TempDir()))
	for _, step := range schema.Steps() {
		if step.Fixture == "" {
			continue
		}
		t.Run("schema "+step.Fixture, func(t *testing.T) {
			dir := unpacked(t, step.Fixture)
			before := content(t, dir)
			docs := sessionsOf(t, dir)
			if len(docs) < 300 {
				t.Fatalf("%d sessions", len(docs))
			}
			if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrOutdated) {
				t.Errorf("error %v, want ErrOutdated", err)
			}
			done, err := Migrate(t.Context(), dir, nil)
			if err != nil || done.Sessions != int64(len(docs)) || done.Unfit != 0 {
				t.Fatalf("%+v, error %v", done, err)
			}
			if diff := cmp.Diff(before, content(t, dir)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			if faults, err := Check(t.Context(), dir); err != nil || len(faults) > 0 {
				t.Errorf("faults %v, error %v", faults, err)
			}
			s := openAt(t, dir)
			if diff := cmp.Diff(asNew, layout(t, s)); diff != "" {
				t.Errorf("tables (-new folder +migrated):\n%s", diff)
			}
			searchtest.RunStored(t, s, docs)
		})
	}
}
