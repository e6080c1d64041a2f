package elastic

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

func company(id, parent tenancy.CompanyID, name string) search.Change {
	return search.Change{Kind: search.KindCompany, Company: tenancy.Company{ID: id, Name: name, ParentID: parent}}
}

func grant(subject string, id tenancy.CompanyID) search.Change {
	account := tenancy.Account{Issuer: "https://issuer.invalid", Subject: subject}
	return search.Change{Kind: search.KindGrant, Grant: tenancy.Grant{Account: account, CompanyID: id}}
}

func deleted(c search.Change) search.Change {
	c.Delete = true
	return c
}

// loaded is what the directory holds, in a stated order.
func loaded(t *testing.T, s *Store) tenancy.Records {
	t.Helper()
	records, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(records.Companies, func(a, b tenancy.Company) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(records.Grants, func(a, b tenancy.Grant) int {
		return cmp.Or(cmp.Compare(a.Account.Subject, b.Account.Subject), cmp.Compare(a.CompanyID, b.CompanyID))
	})
	return records
}

func version(t *testing.T, s *Store) string {
	t.Helper()
	v, err := s.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func change(t *testing.T, s *Store, changes ...search.Change) {
	t.Helper()
	if _, err := s.Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

func TestTheDirectoryIsWhatWasWritten(t *testing.T) {
	s := openStore(t, 1)
	s.limits.window = 3 // several requests
	root, child, quoted := company(1, 0, "Root"), company(2, 1, "Châtelet \u2028"), company(2147483647, 2, `"<&>"\`)
	other, last := company(4, 1, "Other"), company(5, 1, "Last")
	one, two, three := grant("a", 1), grant("a", 2), grant("b", 1)
	change(t, s, root, child, quoted, other, last, one, two, three)
	change(t, s, deleted(company(5, 0, "")), deleted(two), company(4, 2, "Moved"))
	want := tenancy.Records{
		Companies: []tenancy.Company{root.Company, child.Company, {ID: 4, Name: "Moved", ParentID: 2}, quoted.Company},
		Grants:    []tenancy.Grant{one.Grant, three.Grant},
	}
	if diff := gocmp.Diff(want, loaded(t, s)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// meddler changes the directory between the read of companies and the read of
// grants, so many times.
type meddler struct {
	http.RoundTripper
	times  int
	opened int
	change func()
}

func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_pit") {
		if m.opened++; m.opened%2 == 0 && m.times > 0 {
			m.times--
			m.change()
		}
	}
	return m.RoundTripper.RoundTrip(r)
}

func TestCompaniesAndGrantsAreThoseOfOneMoment(t *testing.T) {
	for name, test := range map[string]struct {
		times int
		want  error
	}{
		"a change in between":    {1, nil},
		"changes without an end": {loadAttempts, errChanging},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, 1)
			change(t, s, company(1, 0, "Root"), company(2, 1, "Branch"))
			m := &meddler{RoundTripper: s.client.own, times: test.times, change: func() {
				change(t, s, company(2, 0, "Branch"), grant(uniqueName(t), 1))
			}}
			reader, err := Open(t.Context(), Options{Addresses: s.options.Addresses, Index: s.options.Index, Transport: m})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
			records, err := reader.Load(t.Context())
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			for _, c := range records.Companies {
				if c.ParentID != 0 && len(records.Grants) > 0 {
					t.Errorf("the grant of after the move is read beside the tree of before it: %+v", records)
				}
			}
		})
	}
}

func TestEveryChangeOfTheDirectoryIsANewVersion(t *testing.T) {
	s := openStore(t, 1)
	seen := map[string]string{}
	fresh := func(what string) {
		t.Helper()
		v := version(t, s)
		if before, known := seen[v]; known {
			t.Errorf("%s: the version is that of: %s", what, before)
		}
		seen[v] = what
		if again := version(t, s); again != v {
			t.Errorf("%s: the version changes by itself", what)
		}
	}
	fresh("nothing")
	change(t, s, company(1, 0, "One"))
	fresh("a company")
	change(t, s, company(1, 0, "Two"))
	fresh("another name")
	change(t, s, grant("a", 1))
	fresh("a grant")
	change(t, s, deleted(grant("a", 1)))
	fresh("the grant taken away")
	change(t, s, grant("a", 1))
	fresh("the grant given back")
	foreignWrite(t, s, search.KindGrant, "of-another-producer", `{"issuer":"i","subject":"s","companyId":1}`)
	fresh("a grant by another producer")
	write(t, s, session(t, "a", 1, nil))
	if _, known := seen[version(t, s)]; !known {
		t.Error("a session changes the version of the directory")
	}
	dropIndices(t, s)
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh("made anew")
}

func TestAChangeByAnotherProducerIsLoadedBeforeItIsRefreshed(t *testing.T) {
	s := openStore(t, 1)
	foreignWrite(t, s, search.KindCompany, "9", `{"id":9,"name":"Nine"}`)
	if diff := gocmp.Diff([]tenancy.Company{{ID: 9, Name: "Nine"}}, loaded(t, s).Companies); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
}

func TestARecordThatCannotBeFailsTheLoadWithoutItsText(t *testing.T) {
	s := openStore(t, 1)
	foreignWrite(t, s, search.KindCompany, "9", `{"id":9,"name":7}`)
	if _, err := s.Load(t.Context()); !errors.Is(err, tenancy.ErrInvalidRecord) {
		t.Errorf("error %v, want %v", err, tenancy.ErrInvalidRecord)
	}
}

func TestADirectoryWithoutIndicesCannotBeRead(t *testing.T) {
	s := openBare(t, 1)
	_, loadErr := s.Load(t.Context())
	_, versionErr := s.Version(t.Context())
	for name, err := range map[string]error{"load": loadErr, "version": versionErr} {
		if !errors.Is(err, ErrNoIndex) || !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: error %v, want %v", name, err, ErrNoIndex)
		}
	}
}

// foreignWrite stores a document as it is by the write alias, unrefreshed.
func foreignWrite(t *testing.T, s *Store, of search.Kind, id, document string) {
	t.Helper()
	err := s.client.call(t.Context(), esapi.IndexRequest{
		Index: s.names(of).write, DocumentID: id, Body: strings.NewReader(document), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}
