package sqlite

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func invalidationsSince(t *testing.T, s *Store, sequence int64) Invalidations {
	t.Helper()
	found, err := s.InvalidationsSince(t.Context(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Two stores on one file share no connection, like two processes.
func TestAWriteInvalidatesTheCompaniesThatItChanges(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := openAt(t, dir), openAt(t, dir)
	upsert := func(id string, company int, given values) session.Change {
		return session.Change{Kind: session.KindSession, Session: newSession(t, id, company, given)}
	}
	gone := func(id string) session.Change {
		return session.Change{Kind: session.KindSession, Delete: true, SessionID: id}
	}
	last := invalidationsSince(t, ours, -1)
	for _, step := range []struct {
		name    string
		by      *Store
		changes []session.Change
		want    []tenancy.CompanyID
	}{
		{"a new session", theirs, []session.Change{upsert("a", 1, nil)}, []tenancy.CompanyID{1}},
		{"the same again", theirs, []session.Change{upsert("a", 1, nil)}, nil},
		{"its other name", ours, []session.Change{upsert("a", 1, values{"name": "Ann"})}, []tenancy.CompanyID{1}},
		{"its other company", theirs, []session.Change{upsert("a", 2, nil)}, []tenancy.CompanyID{1, 2}},
		{"several", ours, []session.Change{upsert("b", 3, nil), upsert("c", 4, nil), upsert("d", 3, nil)}, []tenancy.CompanyID{3, 4}},
		{"a company", theirs, []session.Change{company(1, 0, "Owner")}, []tenancy.CompanyID{1}},
		{"the same company again", ours, []session.Change{company(1, 0, "Owner")}, nil},
		{"a grant", theirs, []session.Change{grant("sub", 1)}, []tenancy.CompanyID{1}},
		{"a grant taken away", ours, []session.Change{deleted(grant("sub", 1))}, []tenancy.CompanyID{1}},
		{"a session deleted", theirs, []session.Change{gone("a")}, []tenancy.CompanyID{2}},
		{"and again", theirs, []session.Change{gone("a")}, nil},
	} {
		if _, err := step.by.Write(t.Context(), step.changes); err != nil {
			t.Fatal(err)
		}
		found := invalidationsSince(t, ours, last.Sequence)
		want := map[tenancy.CompanyID]int64{}
		for _, id := range step.want {
			want[id] = last.Sequence + 1
		}
		if len(step.want) == 0 {
			want = nil
		}
		got := found.Companies
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(want, got); diff != "" || found.Epoch != last.Epoch || found.Epoch == "" {
			t.Errorf("%s: epoch %q\n%s", step.name, found.Epoch, diff)
		}
		last = found
	}
	if err := theirs.InvalidateAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := invalidationsSince(t, ours, last.Sequence); found.All != last.Sequence+1 || len(found.Companies) != 0 {
		t.Errorf("an invalidation of all: %+v", found)
	}
}

func TestAFileWithoutInvalidationsGetsThem(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	write(t, s, newSession(t, "a", 1, nil))
	for _, statement := range []string{
		"DROP TABLE touches", "DELETE FROM meta WHERE name = 'touches.epoch'", "PRAGMA user_version = 1",
	} {
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := Migrate(t.Context(), dir, nil); err != nil || done.Sessions != 1 {
		t.Fatalf("%+v, error %v", done, err)
	}
	again := openAt(t, dir)
	before := invalidationsSince(t, again, 0)
	write(t, again, newSession(t, "b", 2, nil))
	found := invalidationsSince(t, again, before.Sequence)
	if _, changed := found.Companies[2]; !changed || len(found.Companies) != 1 || found.Epoch == "" {
		t.Errorf("epoch %q, companies %v", found.Epoch, found.Companies)
	}
}
