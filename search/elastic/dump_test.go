package elastic

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// dumped returns the names of all records, and those of unfit documents.
func dumped(t *testing.T, s *Store, most int, meanwhile func()) (records, unfit []string) {
	t.Helper()
	err := s.Changes(t.Context(), most, func(changes []session.Change, others []session.Unfit) error {
		if len(changes)+len(others) > most {
			t.Errorf("%d records at once, at most %d were asked for", len(changes)+len(others), most)
		}
		if meanwhile != nil {
			meanwhile()
			meanwhile = nil
		}
		for _, c := range changes {
			switch c.Kind {
			case session.KindCompany:
				records = append(records, fmt.Sprint("company ", c.Company.ID))
			case session.KindGrant:
				records = append(records, fmt.Sprint("grant ", c.Grant.CompanyID))
			default:
				records = append(records, c.Session.ID())
			}
		}
		for _, u := range others {
			if !errors.Is(u.Err, session.ErrDocument) && !errors.Is(u.Err, tenancy.ErrInvalidRecord) {
				t.Errorf("%s: %v", u.ID, u.Err)
			}
			unfit = append(unfit, u.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(unfit)
	return records, unfit
}

func TestADumpIsOfOneMoment(t *testing.T) {
	s := openStore(t, 3)
	var changes []session.Change
	var want []string
	for id := range tenancy.CompanyID(3) {
		changes = append(changes, session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: id + 1, Name: "C"}})
		want = append(want, fmt.Sprint("company ", id+1))
	}
	changes = append(changes, session.Change{Kind: session.KindGrant, Grant: tenancy.Grant{Account: tenancy.Account{Issuer: "i", Subject: "s"}, CompanyID: 2}})
	want = append(want, "grant 2")
	const sessions = 130 // more than the first batch
	for n := range sessions {
		id := fmt.Sprintf("s%03d", n)
		changes, want = append(changes, upserts(newSession(t, id, 1+n%3, nil))...), append(want, id)
	}
	// Nothing waits for a refresh.
	if _, err := s.Importer().Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	got, unfit := dumped(t, s, 7, func() {
		write(t, s, newSession(t, "later", 1, nil))
		if _, err := s.Write(t.Context(), []session.Change{gone("s000"), {Kind: session.KindCompany, Delete: true, Company: tenancy.Company{ID: 3}}}); err != nil {
			t.Fatal(err)
		}
	})
	slices.Sort(got[4:])
	slices.Sort(got[:3])
	if diff := cmp.Diff(want, got); diff != "" || unfit != nil {
		t.Errorf("unfit: %v (-want +got):\n%s", unfit, diff)
	}
}

func TestADumpHasWhatOtherProducersWroteAlsoWhereItIsNoSession(t *testing.T) {
	s := openStore(t, 2)
	odd, sound := noSessions(), oddSessions()
	var wantUnfit []string
	for _, doc := range odd {
		mustWritePlain(t, s, doc)
		wantUnfit = append(wantUnfit, doc.id)
	}
	mustWritePlain(t, s, sound...)
	records, unfit := dumped(t, s, 4, nil)
	for _, id := range wantUnfit {
		if !slices.Contains(unfit, id) {
			t.Errorf("%s is not in the dump", id)
		}
	}
	for _, doc := range sound {
		if id := strings.TrimSpace(doc.id); !slices.Contains(records, id) && !slices.Contains(unfit, id) {
			t.Errorf("%s is not in the dump", id)
		}
	}
	if n := len(records) + len(unfit); n != len(odd)+len(sound) {
		t.Errorf("%d records, want %d: %v, %v", n, len(odd)+len(sound), records, unfit)
	}
}

func TestADumpReadsOlderSchemasAndRefusesNewerOnes(t *testing.T) {
	for version, want := range map[int]error{1: nil, schema.Steps().Newest().Schema + 1: ErrSchema} {
		s := openStore(t, 1)
		write(t, s, newSession(t, "a", 1, nil))
		for _, k := range kinds() {
			body := fmt.Sprintf(`{"_meta":{"scopegate":{"schema":%d,"folding":"other"}}}`, version)
			if status, answer := ordinary(t, http.MethodPut, "/"+s.names(k.of).read+"/_mapping", body); status != http.StatusOK {
				t.Fatalf("status %d: %s", status, answer)
			}
		}
		n := 0
		err := s.Changes(t.Context(), 10, func(changes []session.Change, _ []session.Unfit) error { n += len(changes); return nil })
		if !errors.Is(err, want) || want == nil && n != 1 {
			t.Errorf("schema %d: %d records, error %v; want error %v", version, n, err, want)
		}
	}
}

func TestADumpEndsWithTheCallersError(t *testing.T) {
	s := openStore(t, 1)
	write(t, s, newSession(t, "a", 1, nil))
	full := errors.New("full")
	if err := s.Changes(t.Context(), 10, func([]session.Change, []session.Unfit) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}
