package sqlite

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Two stores on one file share no connection, like two processes.
func TestEditsFollowOneAnother(t *testing.T) {
	dir := t.TempDir()
	editors := []*Store{openAt(t, dir), openAt(t, dir), openAt(t, dir)}
	if _, err := editors[0].Write(t.Context(), []session.Change{company(1, 0, "0")}); err != nil {
		t.Fatal(err)
	}
	const edits = 20
	var group sync.WaitGroup
	for _, s := range editors {
		group.Go(func() {
			for range edits {
				_, err := s.EditDirectory(t.Context(), func(r tenancy.Records) ([][]session.Change, error) {
					return [][]session.Change{{company(1, 0, r.Companies[0].Name+"+")}}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := editors[0].Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []tenancy.Company{{ID: 1, Name: "0" + strings.Repeat("+", edits*len(editors))}}
	if diff := cmp.Diff(want, got.Companies); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
}

func TestAnEditIsAllOrNothing(t *testing.T) {
	s, refusal := openStore(t), errors.New("no")
	before := version(t, s)
	edit := func(r tenancy.Records) ([][]session.Change, error) {
		if len(r.Companies)+len(r.Grants) > 0 {
			t.Errorf("the directory holds %+v", r)
		}
		return [][]session.Change{{company(1, 0, "Root")}, nil, {grant("a", 1), deleted(grant("b", 1))}}, refusal
	}
	if _, err := s.EditDirectory(t.Context(), edit); !errors.Is(err, refusal) {
		t.Errorf("error %v", err)
	}
	if version(t, s) != before {
		t.Error("a refused edit has changed the directory")
	}
	refusal = nil
	written, err := s.EditDirectory(t.Context(), edit)
	if diff := cmp.Diff(session.Written{Upserted: 2, Missing: 1}, written); diff != "" || err != nil {
		t.Errorf("error %v, written (-want +got):\n%s", err, diff)
	}
	got, err := s.Load(t.Context())
	want := tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "Root"}}, Grants: []tenancy.Grant{grant("a", 1).Grant}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, directory (-want +got):\n%s", err, diff)
	}
}
