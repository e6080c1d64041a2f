package sqlite

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func company(id, parent tenancy.CompanyID, name string) session.Change {
	return session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: id, ParentID: parent, Name: name}}
}

func grant(subject string, id tenancy.CompanyID) session.Change {
	return session.Change{Kind: session.KindGrant, Grant: tenancy.Grant{
		Account: tenancy.Account{Issuer: "https://issuer.example", Subject: subject}, CompanyID: id,
	}}
}

func deleted(c session.Change) session.Change {
	c.Delete = true
	return c
}

func TestTheDirectoryIsReadAsItWasWritten(t *testing.T) {
	s := openStore(t)
	written, err := s.Write(t.Context(), []session.Change{
		company(2, 1, "Branch"), company(1, 0, "Owner"), company(3, 0, "Gone"),
		grant("b", 2), grant("a", 2), grant("a", 1), grant("z", 9),
		company(2, 1, "Branch, renamed"), deleted(company(3, 0, "")), deleted(grant("z", 9)), deleted(grant("z", 9)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(session.Written{Upserted: 8, Deleted: 2, Missing: 1}, written); diff != "" {
		t.Error(diff)
	}
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := tenancy.Records{
		Companies: []tenancy.Company{{ID: 1, Name: "Owner"}, {ID: 2, Name: "Branch, renamed", ParentID: 1}},
		Grants:    []tenancy.Grant{grant("a", 1).Grant, grant("a", 2).Grant, grant("b", 2).Grant},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Two stores on one file share no connection, like two processes.
func TestTheVersionFollowsWhatOthersWrite(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := openAt(t, dir), openAt(t, dir)
	last := version(t, ours)
	for _, step := range []struct {
		name    string
		by      *Store
		change  session.Change
		changed bool
	}{
		{"a company", theirs, company(1, 0, "Owner"), true},
		{"the same company", theirs, company(1, 0, "Owner"), false},
		{"its other name", theirs, company(1, 0, "Keeper"), true},
		{"its other parent", ours, company(1, 7, "Keeper"), true},
		{"a grant", theirs, grant("a", 1), true},
		{"the same grant", ours, grant("a", 1), false},
		{"a session", theirs, session.Change{Kind: session.KindSession, Session: newSession(t, "a", 1, nil)}, false},
		{"a grant taken away", theirs, deleted(grant("a", 1)), true},
		{"a grant taken away again", theirs, deleted(grant("a", 1)), false},
		{"a company taken away", ours, deleted(company(1, 0, "")), true},
	} {
		if _, err := step.by.Write(t.Context(), []session.Change{step.change}); err != nil {
			t.Fatal(err)
		}
		next := version(t, ours)
		if changed := next != last; changed != step.changed {
			t.Errorf("%s: version changed: %v, want %v", step.name, changed, step.changed)
		}
		if theirs := version(t, theirs); theirs != next {
			t.Errorf("%s: version %s here, %s there", step.name, next, theirs)
		}
		last = next
	}
}

func version(tb testing.TB, s *Store) string {
	tb.Helper()
	v, err := s.Version(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return v
}
