package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search/schema"
)

// longer is the list with one more step, which only a newer program knows.
func longer(step schema.Step) schema.List {
	steps := schema.Steps()
	step.Schema, step.Folding, step.Searched = steps.Newest().Schema+1, steps.Newest().Folding, true
	return append(steps, step)
}

func TestAStepThatOnlyAddsRunsInPlace(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	write(t, s, newSession(t, "a", 1, nil))
	id, err := s.Identity(t.Context())
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	steps := longer(schema.Step{SQLite: schema.Added, SQL: "ALTER TABLE sessions ADD COLUMN extra TEXT; CREATE INDEX sessions_extra ON sessions (extra)"})
	path := filepath.Join(dir, FileName)
	for range 2 { // the second time there is nothing to do
		s := openWith(t, Options{Path: path, steps: steps})
		var n int64
		err := s.readers.use(t.Context(), func(r *reader) (err error) {
			n, err = r.number(t.Context(), "SELECT count(*) FROM sessions WHERE extra IS NULL AND id = 'a'")
			return err
		})
		if err != nil || n != 1 {
			t.Errorf("%d sessions have the new column, error %v", n, err)
		}
		if again, err := s.Identity(t.Context()); again != id || err != nil {
			t.Errorf("its identity is %s, %v; it was %s", again, err, id)
		}
	}
}

func TestAFailedStepLeavesTheFileAsItWas(t *testing.T) {
	dir := t.TempDir()
	if err := openAt(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	bad := longer(schema.Step{SQLite: schema.Added, SQL: "CREATE TABLE extra (n INTEGER); CREATE TABLE meta (n INTEGER)"})
	if _, err := Open(t.Context(), Options{Path: path, steps: bad}); err == nil {
		t.Fatal("a table was made twice")
	}
	s := openAt(t, dir)
	err := s.readers.use(t.Context(), func(r *reader) error {
		n, err := r.number(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'")
		if n != 0 {
			t.Error("half of the step is there")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAStepThatRewritesIsLeftToMigrate(t *testing.T) {
	dir := t.TempDir()
	if err := openAt(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	steps := longer(schema.Step{SQLite: schema.Rewritten})
	if _, err := Open(t.Context(), Options{Dir: dir, steps: steps}); !errors.Is(err, ErrOutdated) {
		t.Errorf("error %v, want ErrOutdated", err)
	}
}

func TestAFileOfANewerSchemaIsRefusedWithTheVersionThatMadeIt(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, steps: longer(schema.Step{SQLite: schema.Rewritten})})
	if err := s.SetMeta(t.Context(), programMark, "v9.8.7"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, opened := Open(t.Context(), Options{Dir: dir})
	_, read := OpenArchive(t.Context(), dir)
	_, migrated := Migrate(t.Context(), dir, nil)
	_, checked := Check(t.Context(), dir)
	for _, err := range []error{opened, read, migrated, checked} {
		if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "made by scopegate v9.8.7") {
			t.Errorf("error %v, want ErrSchema with the version", err)
		}
	}
}
