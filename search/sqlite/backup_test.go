package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// filledFolder makes a folder with records and closes it.
func filledFolder(t *testing.T) string {
	t.Helper()
	dir := outdated(t, 30)
	if _, err := Migrate(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestABackupIsOfOneMomentAndItsRestorationAnswersAsThen(t *testing.T) {
	dir, file, to := filledFolder(t), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	s := openAt(t, dir)
	// Pairs that are written in one transaction must both be in the backup, or
	// neither.
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	writers.Go(func() {
		for n := 0; ctx.Err() == nil && n < 5000; n++ {
			pair := []session.Change{upsert(newSession(t, fmt.Sprintf("a%04d", n), 1, nil)), upsert(newSession(t, fmt.Sprintf("b%04d", n), 2, nil))}
			if _, err := s.Write(t.Context(), pair); err != nil {
				t.Error(err)
			}
		}
	})
	err := Backup(t.Context(), dir, file)
	cancel()
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v, error %v", info.Mode(), err)
	}
	done, err := Restore(t.Context(), file, to, false)
	if err != nil || done.Replaced != "" {
		t.Fatalf("%v, error %v", done, err)
	}
	records := content(t, to)
	ones := 0
	for _, r := range records {
		if _, rest, ok := strings.Cut(r, `{"id":"a`); ok {
			ones++
			if twin := `{"id":"b` + rest[:4]; !slices.ContainsFunc(records, func(r string) bool { return strings.Contains(r, twin) }) {
				t.Errorf("%s is missing", twin)
			}
		}
	}
	if want := 33 + 2*ones; len(records) != want {
		t.Errorf("%d records, want %d", len(records), want)
	}
	if faults, err := Check(t.Context(), to); err != nil || faults != nil {
		t.Errorf("%v, error %v", faults, err)
	}
	first, err1 := s.Identity(t.Context())
	second, err2 := openAt(t, to).Identity(t.Context())
	if err := errors.Join(err1, err2); err != nil || first == second {
		t.Errorf("identities %s and %s, error %v", first, second, err)
	}
}

func TestARestorationReplacesOnlyWithReplace(t *testing.T) {
	dir, file := filledFolder(t), filepath.Join(t.TempDir(), "backup")
	if err := Backup(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), dir, file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second backup to the file: error %v", err)
	}
	want := content(t, dir)
	s := openAt(t, dir)
	if _, err := s.Write(t.Context(), []session.Change{{Kind: session.KindCompany, Company: tenancy.Company{ID: 9, Name: "Later"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, dir, true); !errors.Is(err, ErrInUse) {
		t.Errorf("a folder in use: error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, dir, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder that is full: error %v", err)
	}
	done, err := Restore(t.Context(), file, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("(-backup +restored):\n%s", diff)
	}
	if _, err := os.Stat(done.Replaced); err != nil {
		t.Errorf("what was there is gone: %v", err)
	}
	// A damaged database is replaced too.
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, dir, true); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("after damage (-backup +restored):\n%s", diff)
	}
}

func TestOnlyAWholeBackupIsRestored(t *testing.T) {
	dir, to := filledFolder(t), t.TempDir()
	file := filepath.Join(t.TempDir(), "backup")
	if err := Backup(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(whole)
	for i := len(damaged) / 2; i < len(damaged)/2+9000; i++ {
		damaged[i] ^= 0xff
	}
	for name, text := range map[string][]byte{"cut short": whole[:len(whole)/2], "damaged": damaged, "no database": []byte("text"), "empty": nil} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), bad, to, false); err == nil {
			t.Errorf("%s: it was restored", name)
		}
	}
	if _, err := Restore(t.Context(), filepath.Join(to, "missing"), to, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: error %v", err)
	}
	if there, err := isThere(filepath.Join(to, FileName)); there || err != nil {
		t.Errorf("the folder has a database: %t, %v", there, err)
	}
}

func TestCheckNamesWhatIsNotWhole(t *testing.T) {
	for statement, want := range map[string]string{
		"":                                    "",
		"DELETE FROM documents WHERE key = 3": "have no document",
		"DELETE FROM sessions WHERE key = 3":  "documents have no session",
		"UPDATE sessions SET company_id = 7 WHERE key = 3":                         "column company_id",
		"UPDATE sessions SET words = 'other' WHERE key = 3":                        "column words",
		"UPDATE company_counts SET sessions = sessions + 1":                        "another number of sessions",
		"DELETE FROM session_tags WHERE key = 3":                                   "of its 2 tags",
		"INSERT INTO session_tags (tag, key) VALUES ('zz', 3)":                     "of no session, or of one",
		"DELETE FROM session_terms WHERE rowid = 3":                                "not in the text index",
		"INSERT INTO session_terms (rowid, words, digits) VALUES (999, 'abc', '')": "entries of the text index",
		"DELETE FROM meta WHERE name = 'touches.epoch'":                            "life of the invalidations",
		"DELETE FROM revisions":                                                    "changes of the directory",
		"UPDATE touches SET sequence = 0":                                          "rows of the invalidations",
		"DELETE FROM session_terms_data WHERE id > 10":                             "",
	} {
		dir := filledFolder(t)
		if statement != "" {
			s := openAt(t, dir)
			if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(statement, err)
			}
		}
		faults, err := Check(t.Context(), dir)
		switch {
		case err != nil:
			t.Errorf("%s: error %v", statement, err)
		case statement == "" && faults != nil, statement != "" && faults == nil:
			t.Errorf("%s: %v", statement, faults)
		case !strings.Contains(strings.Join(faults, "; "), want):
			t.Errorf("%s: %v, want %q", statement, faults, want)
		}
	}
}
