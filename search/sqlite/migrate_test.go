package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// outdated makes a folder of schema 2, whose text was folded with another table: no
// search for a name finds it.
func outdated(t *testing.T, sessions int) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	changes := []session.Change{
		{Kind: session.KindCompany, Company: tenancy.Company{ID: 1, Name: "Root"}},
		{Kind: session.KindCompany, Company: tenancy.Company{ID: 2, Name: "Branch", ParentID: 1}},
		{Kind: session.KindGrant, Grant: tenancy.Grant{Account: tenancy.Account{Issuer: "i", Subject: "s"}, CompanyID: 2}},
	}
	for n := range sessions {
		changes = append(changes, upsert(newSession(t, fmt.Sprintf("s%05d", n), 1+n%2, values{"name": fmt.Sprint("Weiß ", n), "tags": "a,b"})))
	}
	if _, err := s.Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMeta(t.Context(), "mark", "there"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"PRAGMA user_version = 2",
		"UPDATE meta SET value = '" + keyword.FirstFolding.Fingerprint() + "' WHERE name = '" + foldMark + "'",
		"DELETE FROM session_terms",
		"UPDATE sessions SET name_key = 'other'",
	} {
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// content returns all records of a folder, as text.
func content(t *testing.T, dir string) (records []string) {
	t.Helper()
	a, err := OpenArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Changes(t.Context(), 100, func(changes []session.Change, unfit []session.Unfit) error {
		for _, c := range changes {
			records = append(records, fmt.Sprint(c.Kind, c.Company, c.Grant, string(c.Session.JSON())))
		}
		for _, u := range unfit {
			records = append(records, "unfit "+u.ID)
		}
		return nil
	})
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestAnOutdatedFolderIsMigratedAndAnswersAsOneThatIsNew(t *testing.T) {
	const sessions = 2500 // more than two batches
	dir := outdated(t, sessions)
	want := content(t, dir)
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrOutdated) || !strings.Contains(err.Error(), "scopegate store migrate") {
		t.Fatalf("error %v, want one that says what to do", err)
	}
	var seen []int64
	done, err := Migrate(t.Context(), dir, func(done, of int64) {
		seen = append(seen, done)
		if of != sessions {
			t.Errorf("%d of %d are done, want of %d", done, of, sessions)
		}
	})
	if err != nil || done.Sessions != sessions || done.Unfit != 0 || done.UnfitFile != "" {
		t.Fatalf("%+v, error %v", done, err)
	}
	if len(seen) < 3 || seen[len(seen)-1] != sessions {
		t.Errorf("progress was %v", seen)
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.new*")); files != nil {
		t.Errorf("there is still %v", files)
	}
	s := openAt(t, dir)
	q := search.Query{Filter: search.Filter{Keyword: mustKeyword(t, "weiss 24")}, Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 10}
	named := int64(0)
	for n := range sessions {
		if strings.Contains(strconv.Itoa(n), "24") {
			named++
		}
	}
	if got, err := s.Search(t.Context(), tenancytest.Scope(t, 1, 2), q); err != nil || got.Count.Total != named {
		t.Errorf("%d sessions are found by their names, want %d; error %v", got.Count.Total, named, err)
	}
	if value, ok, err := s.Meta(t.Context(), "mark"); value != "there" || !ok || err != nil {
		t.Errorf("the mark is %q, %t, %v", value, ok, err)
	}
	if again, err := Migrate(t.Context(), t.TempDir(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v, error %v", again, err)
	}
}

func TestAFolderThatIsUpToDateIsLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	id, err := s.Identity(t.Context())
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if done, err := Migrate(t.Context(), dir, nil); err != nil || done != (Migration{}) {
		t.Errorf("%v, error %v", done, err)
	}
	if again, err := openAt(t, dir).Identity(t.Context()); again != id || err != nil {
		t.Errorf("its identity is %s, %v; it was %s", again, err, id)
	}
}

// Answers that were cached from the old database were found by the old rules.
func TestAMigratedFolderIsOtherDataToTheCache(t *testing.T) {
	dir := outdated(t, 1)
	before := epochIn(t, dir)
	if _, err := Migrate(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := openAt(t, dir).Identity(t.Context()); after == before || err != nil {
		t.Errorf("it has the identity that it had, %s; error %v", after, err)
	}
}

func epochIn(t *testing.T, dir string) (epoch string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, FileName), time.Second))
	if err != nil {
		t.Fatal(err)
	}
	err = db.QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = ?", epochMark).Scan(&epoch)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return epoch
}

func TestAFolderInUseIsNotMigrated(t *testing.T) {
	t.Run("by a program of this version", func(t *testing.T) {
		dir := t.TempDir()
		openAt(t, dir)
		if _, err := Migrate(t.Context(), dir, nil); !errors.Is(err, ErrInUse) {
			t.Errorf("error %v, want %v", err, ErrInUse)
		}
	})
	t.Run("by a program that knows no lock", func(t *testing.T) {
		dir := outdated(t, 3)
		db, err := sql.Open("sqlite", dsn(filepath.Join(dir, FileName), time.Second))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM sessions").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if _, err := Migrate(t.Context(), dir, nil); !errors.Is(err, ErrInUse) {
			t.Errorf("error %v, want %v", err, ErrInUse)
		}
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		if done, err := Migrate(t.Context(), dir, nil); err != nil || done.Sessions != 3 {
			t.Errorf("afterwards: %v, error %v", done, err)
		}
	})
}

func TestWhoOpensAFolderThatIsBeingMigratedLearnsByWhom(t *testing.T) {
	dir := outdated(t, 1500)
	asked := false
	_, err := Migrate(t.Context(), dir, func(int64, int64) {
		if asked {
			return
		}
		asked = true
		_, err := Open(t.Context(), Options{Dir: dir})
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
			t.Errorf("a second one to open it: error %v, want one with the process", err)
		}
		if _, err := Migrate(t.Context(), dir, nil); !errors.Is(err, ErrInUse) {
			t.Errorf("a second one to migrate it: error %v", err)
		}
	})
	if err != nil || !asked {
		t.Fatalf("asked: %t, error %v", asked, err)
	}
	openAt(t, dir)
}

func TestAMigrationThatIsCancelledLeavesTheOldDatabase(t *testing.T) {
	dir := outdated(t, 2500)
	want := content(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Migrate(ctx, dir, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if _, err := Migrate(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("(-before +migrated):\n%s", diff)
	}
}

func TestSessionsThatThisVersionDoesNotTakeAreWrittenToAFile(t *testing.T) {
	dir := outdated(t, 5)
	s, err := sql.Open("sqlite", dsn(filepath.Join(dir, FileName), time.Second))
	if err != nil {
		t.Fatal(err)
	}
	const document = `{"unfit":true}`
	_, err = s.ExecContext(t.Context(), "UPDATE documents SET doc = ? WHERE key = (SELECT key FROM sessions WHERE id = 's00002')", []byte(document))
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	done, err := Migrate(t.Context(), dir, nil)
	if err != nil || done.Sessions != 4 || done.Unfit != 1 {
		t.Fatalf("%+v, error %v", done, err)
	}
	if text, err := os.ReadFile(done.UnfitFile); string(text) != document+"\n" || err != nil {
		t.Errorf("%s holds %q, error %v", done.UnfitFile, text, err)
	}
}

// killMigration names the folder that a child process of the test migrates.
const killMigration = "SCOPEGATE_TEST_MIGRATE"

func TestMigrateInAProcessOfItsOwn(t *testing.T) {
	dir := os.Getenv(killMigration)
	if dir == "" {
		dir = outdated(t, 10)
	}
	if _, err := Migrate(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAMigrationThatIsKilledBeginsAnew(t *testing.T) {
	dir := outdated(t, 3000)
	want := content(t, dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	const times = 10
	for n := range times {
		child := exec.CommandContext(t.Context(), self, "-test.run", "^TestMigrateInAProcessOfItsOwn$")
		child.Env = append(os.Environ(), killMigration+"="+dir)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		select {
		case <-time.After(time.Duration(n+1) * 40 * time.Millisecond):
			_ = child.Process.Kill()
			if err := <-ended; err == nil {
				t.Log("it had ended before it was killed")
			}
			killed++
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, content(t, dir)); diff != "" {
			t.Fatalf("killed %d times (-before +after):\n%s", killed, diff)
		}
	}
	if killed == 0 {
		t.Error("no migration was killed")
	}
	if _, err := Migrate(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	openAt(t, dir)
}
