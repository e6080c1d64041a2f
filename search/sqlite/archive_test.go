package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func TestChangesAreAllRecordsOfOneSnapshot(t *testing.T) {
	fromDir, toDir := t.TempDir(), t.TempDir()
	from, to := openAt(t, fromDir), openAt(t, toDir)
	changes := []session.Change{
		{Kind: session.KindCompany, Company: tenancy.Company{ID: 1, Name: "Root"}},
		{Kind: session.KindCompany, Company: tenancy.Company{ID: 2, Name: "Branch", ParentID: 1}},
		{Kind: session.KindGrant, Grant: tenancy.Grant{Account: tenancy.Account{Issuer: "i", Subject: "s"}, CompanyID: 2}},
	}
	for i := range 7 {
		changes = append(changes, sessionChange(t, fmt.Sprintf("s-%d", i)))
	}
	if _, err := from.Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	err := openArchive(t, fromDir).Changes(t.Context(), 3, func(some []session.Change, _ []session.Unfit) error {
		sizes = append(sizes, len(some))
		if len(sizes) == 1 { // written after the snapshot began, so not part of it
			if _, err := from.Write(t.Context(), []session.Change{sessionChange(t, "s-9")}); err != nil {
				return err
			}
		}
		_, err := to.Write(t.Context(), some)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 3, 3, 1}, sizes); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	var copied []session.Change
	if err := openArchive(t, toDir).Changes(t.Context(), 100, func(some []session.Change, _ []session.Unfit) error { copied = append(copied, some...); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(changes, copied, cmp.Transformer("text", func(d session.Document) string { return string(d.JSON()) })); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
}

// An earlier version may have stored sessions that today's rules refuse.
func TestChangesHandOverSessionsThatAreUnfitBesideAllOthers(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	for i := range 6 {
		if _, err := s.Write(t.Context(), []session.Change{sessionChange(t, fmt.Sprintf("s-%d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	// The first session, two that fill a batch, and the last one.
	const deep = `{"unfit":true}`
	spoil(t, s, deep, "s-0", "s-2", "s-3", "s-5")
	var ids, unfit []string
	err := openArchive(t, dir).Changes(t.Context(), 2, func(some []session.Change, others []session.Unfit) error {
		for _, c := range some {
			ids = append(ids, c.Session.ID())
		}
		for _, u := range others {
			unfit = append(unfit, u.ID)
			if string(u.Document) != deep || !errors.Is(u.Err, session.ErrDocument) {
				t.Errorf("%s, %v", u.Document, u.Err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"s-1", "s-4"}, {"s-0", "s-2", "s-3", "s-5"}}, [][]string{ids, unfit}); diff != "" {
		t.Errorf("sessions and unfit ones (-want +got):\n%s", diff)
	}
}

// spoil replaces the documents of the given sessions.
func spoil(t *testing.T, s *Store, document string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.db.ExecContext(t.Context(), "UPDATE documents SET doc = ? WHERE key = (SELECT key FROM sessions WHERE id = ?)", []byte(document), id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChangesEndWithTheCallersError(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	if _, err := s.Write(t.Context(), []session.Change{sessionChange(t, "a")}); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if err := openArchive(t, dir).Changes(t.Context(), 10, func([]session.Change, []session.Unfit) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

func openArchive(t *testing.T, dir string) *Archive {
	t.Helper()
	a, err := OpenArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestAnArchiveIsOfTheSchemasThatThisProgramKnows(t *testing.T) {
	if _, err := OpenArchive(t.Context(), t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	newest := schema.Steps().Newest().Schema
	for version, want := range map[int]error{1: nil, newest: nil, newest + 1: ErrSchema, 0: ErrSchema} {
		dir := t.TempDir()
		s := openAt(t, dir)
		if _, err := s.Write(t.Context(), []session.Change{sessionChange(t, "a")}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
			t.Fatal(err)
		}
		a, err := OpenArchive(t.Context(), dir)
		if !errors.Is(err, want) {
			t.Errorf("schema %d: error %v, want %v", version, err, want)
		}
		if err != nil {
			continue
		}
		n := 0
		err = a.Changes(t.Context(), 10, func(some []session.Change, _ []session.Unfit) error { n += len(some); return nil })
		if err != nil || n != 1 {
			t.Errorf("schema %d: %d records, error %v", version, n, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

func sessionChange(t *testing.T, id string) session.Change {
	t.Helper()
	doc, err := session.Parse(fmt.Appendf(nil, `{"id": %q, "companyId": 2}`, id))
	if err != nil {
		t.Fatal(err)
	}
	return session.Change{Kind: session.KindSession, Session: doc}
}
