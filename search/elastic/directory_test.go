package elastic

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func company(id, parent tenancy.CompanyID, name string) session.Change {
	return session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: id, Name: name, ParentID: parent}}
}

func grant(subject string, id tenancy.CompanyID) session.Change {
	account := tenancy.Account{Issuer: "https://issuer.invalid", Subject: subject}
	return session.Change{Kind: session.KindGrant, Grant: tenancy.Grant{Account: account, CompanyID: id}}
}

func deleted(c session.Change) session.Change {
	c.Delete = true
	return c
}

// loaded returns the content of the directory in a fixed order.
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

func change(t *testing.T, s *Store, changes ...session.Change) {
	t.Helper()
	if _, err := s.Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

func TestTheDirectoryIsWhatWasWritten(t *testing.T) {
	t.Parallel()
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

// interferer changes the directory between the opening of companies and that of
// grants, a given number of times.
type interferer struct {
	http.RoundTripper
	times  int
	opened int
	change func()
}

func (m *interferer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_pit") {
		if m.opened++; m.opened%2 == 0 && m.times > 0 {
			m.times--
			m.change()
		}
	}
	return m.RoundTripper.RoundTrip(r)
}

// through opens a Store on the same indices that uses the transport.
func through(t *testing.T, s *Store, transport http.RoundTripper) *Store {
	t.Helper()
	reader, err := Open(t.Context(), Options{Addresses: s.options.Addresses, Index: s.options.Index, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	return reader
}

func TestCompaniesAndGrantsAreThoseOfOneMoment(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"a change in between": 1, "changes without an end": 100} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, 1)
			lasting := grant("lasting", 2)
			change(t, s, company(1, 0, "Root"), company(2, 1, "Branch"), lasting)
			m := &interferer{RoundTripper: s.client.own, times: times, change: func() {
				change(t, s, company(2, 0, "Branch"), grant(uniqueName(t), 1))
			}}
			records, err := through(t, s, m).Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range records.Companies {
				if c.ParentID != 0 && len(records.Grants) > 1 {
					t.Errorf("the grant of after the move is read beside the tree of before it: %+v", records)
				}
			}
			if !slices.Contains(records.Grants, lasting.Grant) {
				t.Errorf("grants %+v, want also the one that nobody changed", records.Grants)
			}
		})
	}
}

func TestAGrantThatIsWrittenWhileBothAreOpenedIsNotReadBesideOlderCompanies(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"), company(2, 1, "Branch"), grant("taken", 1))
	opened := 0
	m := transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_pit") {
			if opened++; opened == 3 { // the companies are open; the grants are being opened again
				change(t, s, company(2, 0, "Branch"), deleted(grant("taken", 1)), grant("new", 1))
			}
		}
		return s.client.own.RoundTrip(r)
	})
	d, err := through(t, s, m).loadLasting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.records.Companies) != 2 || len(d.records.Grants) > 0 {
		t.Errorf("records %+v, want both companies and no grant that was not there all the time", d.records)
	}
}

func TestAnEditOfADirectoryThatKeepsChangingIsRefused(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"))
	m := &interferer{RoundTripper: s.client.own, times: 100, change: func() {
		change(t, s, company(2, 0, uniqueName(t)), grant(uniqueName(t), 1))
	}}
	_, err := through(t, s, m).EditDirectory(t.Context(), func(tenancy.Records) ([][]session.Change, error) { return nil, nil })
	if !errors.Is(err, errChanging) {
		t.Errorf("error %v, want %v", err, errChanging)
	}
}

// A writer changes the directory without a pause.
func TestADirectoryThatIsWrittenToSteadilyIsStillRead(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]func(n int) []session.Change{
		"companies": func(n int) []session.Change {
			return []session.Change{company(7, 1, "Name "+strconv.Itoa(n))}
		},
		"grants": func(n int) []session.Change { return []session.Change{grant(strconv.Itoa(n%10), 1)} },
		"both": func(n int) []session.Change {
			return []session.Change{company(7, 1, "Name "+strconv.Itoa(n)), grant(strconv.Itoa(n%10), 1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, 1)
			s.limits.window = 3 // several requests
			lasting := grant("lasting", 2)
			change(t, s, company(1, 0, "Root"), company(2, 1, "Two"), company(3, 1, "Three"), company(7, 1, "Seven"), lasting)
			ctx, cancel := context.WithCancel(t.Context())
			var writers sync.WaitGroup
			var wrote atomic.Int64
			for range 2 {
				writers.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						if _, err := s.write(ctx, changes(n), refreshLater); err == nil {
							wrote.Add(1)
						}
					}
				})
			}
			defer writers.Wait()
			defer cancel()
			for range 5 {
				for before := wrote.Load(); wrote.Load() < before+5; {
					time.Sleep(time.Millisecond)
				}
				records := loaded(t, s)
				if len(records.Companies) != 4 || !slices.Contains(records.Grants, lasting.Grant) {
					t.Errorf("records %+v, want all that nobody writes to", records)
				}
			}
		})
	}
}

func TestEveryChangeOfTheDirectoryIsANewVersion(t *testing.T) {
	t.Parallel()
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
	foreignWrite(t, s, session.KindGrant, "of-another-producer", `{"issuer":"i","subject":"s","companyId":1}`)
	fresh("a grant by another producer")
	write(t, s, newSession(t, "a", 1, nil))
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
	t.Parallel()
	s := openStore(t, 1)
	foreignWrite(t, s, session.KindCompany, "9", `{"id":9,"name":"Nine"}`)
	if diff := gocmp.Diff([]tenancy.Company{{ID: 9, Name: "Nine"}}, loaded(t, s).Companies); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
}

func TestAnOddCompanyOrGrantIsAFaultAndStopsNothing(t *testing.T) {
	t.Parallel()
	sound := tenancy.Records{
		Companies: []tenancy.Company{{ID: 1, Name: "Root"}, {ID: 2, Name: "Two", ParentID: 1}},
		Grants:    []tenancy.Grant{grant("a", 1).Grant},
	}
	asRoot := []tenancy.Company{{ID: 9, Name: "Planted"}}
	named := []tenancy.Company{{ID: 9, Name: "9", ParentID: 1}}
	s := openStore(t, 1)
	s.limits.directoryBytes = 1 << 18
	change(t, s, company(1, 0, "Root"), company(2, 1, "Two"), grant("a", 1))
	for name, c := range map[string]struct {
		kind     session.Kind
		document string
		want     []tenancy.Company // in addition to the valid ones
	}{
		"company: empty":                {session.KindCompany, `{}`, nil},
		"company: no id":                {session.KindCompany, `{"name":"Planted"}`, nil},
		"company: id null":              {session.KindCompany, `{"id":null,"name":"Planted"}`, nil},
		"company: id 0":                 {session.KindCompany, `{"id":0,"name":"Planted"}`, nil},
		"company: id negative":          {session.KindCompany, `{"id":-9,"name":"Planted"}`, nil},
		"company: id a list":            {session.KindCompany, `{"id":[9],"name":"Planted"}`, nil},
		"company: id several":           {session.KindCompany, `{"id":[2,9],"name":"Planted"}`, nil},
		"company: id in another form":   {session.KindCompany, `{"id":9.0,"name":"Planted"}`, nil},
		"company: parent 0":             {session.KindCompany, `{"id":9,"name":"Planted","parentId":0}`, asRoot},
		"company: parent negative":      {session.KindCompany, `{"id":9,"name":"Planted","parentId":-1}`, asRoot},
		"company: parent in other form": {session.KindCompany, `{"id":9,"name":"Planted","parentId":1.0}`, asRoot},
		"company: parent a list":        {session.KindCompany, `{"id":9,"name":"Planted","parentId":[1]}`, asRoot},
		"company: parent an empty list": {session.KindCompany, `{"id":9,"name":"Planted","parentId":[]}`, asRoot},
		"company: no name":              {session.KindCompany, `{"id":9,"parentId":1}`, named},
		"company: name null":            {session.KindCompany, `{"id":9,"name":null,"parentId":1}`, named},
		"company: name empty":           {session.KindCompany, `{"id":9,"name":"","parentId":1}`, named},
		"company: name a number":        {session.KindCompany, `{"id":9,"name":12,"parentId":1}`, named},
		"company: name a list":          {session.KindCompany, `{"id":9,"name":["Planted","x"],"parentId":1}`, named},
		"company: name is half a pair":  {session.KindCompany, `{"id":9,"name":"\ud800","parentId":1}`, named},
		"company: name too long":        {session.KindCompany, `{"id":9,"name":"` + strings.Repeat("x", 1001) + `","parentId":1}`, named},
		"company: a comment":            {session.KindCompany, `{"id":9,/* " */"name":"Planted"}`, nil},
		"company: bytes of no text":     {session.KindCompany, "{\"id\":9,\"name\":\"Planted\xc0\xaf\",\"parentId\":1}", named},
		"company: very large":           {session.KindCompany, `{"id":9,"name":"` + strings.Repeat("x", 1<<20) + `"}`, nil},
		"company: a second one":         {session.KindCompany, `{"id":2,"name":"Planted","parentId":0}`, nil},
		"grant: empty":                  {session.KindGrant, `{}`, nil},
		"grant: no subject":             {session.KindGrant, `{"issuer":"i","companyId":1}`, nil},
		"grant: subject a number":       {session.KindGrant, `{"issuer":"i","subject":5,"companyId":1}`, nil},
		"grant: subject empty":          {session.KindGrant, `{"issuer":"i","subject":"","companyId":1}`, nil},
		"grant: subject a list":         {session.KindGrant, `{"issuer":"i","subject":["planted","b"],"companyId":1}`, nil},
		"grant: no issuer":              {session.KindGrant, `{"subject":"planted","companyId":1}`, nil},
		"grant: issuer true":            {session.KindGrant, `{"issuer":true,"subject":"planted","companyId":1}`, nil},
		"grant: no company":             {session.KindGrant, `{"issuer":"i","subject":"planted"}`, nil},
		"grant: company 0":              {session.KindGrant, `{"issuer":"i","subject":"planted","companyId":0}`, nil},
		"grant: company a list":         {session.KindGrant, `{"issuer":"i","subject":"planted","companyId":[1,2]}`, nil},
		"grant: company in other form":  {session.KindGrant, `{"issuer":"i","subject":"planted","companyId":1.0}`, nil},
		"grant: a comment":              {session.KindGrant, `{"issuer":"i",/* " */"subject":"planted","companyId":1}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			foreignWrite(t, s, c.kind, "odd-one", c.document)
			defer foreignDelete(t, s, c.kind, "odd-one")
			records := loaded(t, s)
			if len(records.Faults) != 1 || !strings.Contains(records.Faults[0], `"odd-one"`) {
				t.Errorf("faults %q, want one with the _id", records.Faults)
			}
			if strings.Contains(strings.ToLower(strings.Join(records.Faults, "")), "planted") {
				t.Errorf("a fault quotes the document: %q", records.Faults)
			}
			records.Faults = nil
			want := sound
			want.Companies = slices.Concat(sound.Companies, c.want)
			if diff := gocmp.Diff(want, records); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheIndexRefusesWhatIsNoCompanyOrGrant(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	for kind, documents := range map[session.Kind][]string{
		session.KindCompany: {
			`{"id":"9","name":"x"}`, `{"id":9.5,"name":"x"}`, `{"id":3000000000,"name":"x"}`, `{"id":9,"name":{"a":"x"}}`,
			`{"id":9,"name":"x","parentId":"1"}`, `{"id":9,"name":"x","parentId":1.5}`, `{"id":9,"name":"x","parentId":true}`,
			`{"id":9,"name":"x","parentId":{}}`, `{"id":9,"name":"x","other":1}`,
		},
		session.KindGrant: {
			`{"issuer":"i","subject":"s","companyId":"1"}`, `{"issuer":"i","subject":{"a":"s"},"companyId":1}`,
			`{"issuer":{},"subject":"s","companyId":1}`, `{"issuer":"i","subject":"s","companyId":1.5}`,
		},
	} {
		for _, document := range documents {
			err := s.client.call(t.Context(), esapi.IndexRequest{
				Index: s.names(kind).write, Body: strings.NewReader(document), Instrument: s.client.instrument,
			}, nil)
			if !errors.Is(err, errRefused) {
				t.Errorf("%s: error %v, want %v", document, err, errRefused)
			}
		}
	}
}

func TestADirectoryCommandMendsAnOddCompany(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"))
	foreignWrite(t, s, session.KindCompany, "9", `{"name":"Nine"}`)
	_, err := s.EditDirectory(t.Context(), func(tenancy.Records) ([][]session.Change, error) {
		return [][]session.Change{{company(9, 1, "Nine")}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if records := loaded(t, s); len(records.Faults) > 0 || len(records.Companies) != 2 {
		t.Errorf("records %+v, want both companies and no fault", records)
	}
}

func TestADirectoryWithoutIndicesCannotBeRead(t *testing.T) {
	t.Parallel()
	s := openBare(t, 1)
	_, loadErr := s.Load(t.Context())
	_, versionErr := s.Version(t.Context())
	for name, err := range map[string]error{"load": loadErr, "version": versionErr} {
		if !errors.Is(err, ErrNoIndex) || !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: error %v, want %v", name, err, ErrNoIndex)
		}
	}
}

// foreignWrite stores a document as it is through the write alias, without a
// refresh.
func foreignWrite(t *testing.T, s *Store, of session.Kind, id, document string) {
	t.Helper()
	err := s.client.call(t.Context(), esapi.IndexRequest{
		Index: s.names(of).write, DocumentID: id, Body: strings.NewReader(document), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryIsNotReadWhileAnAliasLeadsToSeveralIndicesOrElsewhere(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"), grant("a", 1))
	want := loaded(t, s)
	for _, of := range []session.Kind{session.KindCompany, session.KindGrant} {
		own, alias := s.names(of).first(), s.names(of).read
		second := secondIndex(t, s, own, s.definition(of))
		foreign := secondIndex(t, s, own+"-foreign", clause{})
		for name, c := range map[string]struct {
			why  error
			lead []string
			back []string
		}{
			"several":   {ErrSeveral, []string{"add " + second}, []string{"remove " + second}},
			"elsewhere": {ErrSchema, []string{"add " + foreign, "remove " + own}, []string{"add " + own, "remove " + foreign}},
			"nowhere":   {ErrNoIndex, []string{"remove " + own}, []string{"add " + own}},
		} {
			aliases(t, s, alias, c.lead...)
			if _, err := s.Load(t.Context()); !errors.Is(err, c.why) || !errors.Is(err, search.ErrUnavailable) {
				t.Errorf("%s leads to %s: error %v, want %v", alias, name, err, c.why)
			}
			aliases(t, s, alias, c.back...)
			if diff := gocmp.Diff(want, loaded(t, s)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		}
	}
}

func TestADirectoryIsReadInPartsThatItsIndexAllows(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"), company(2, 1, "Two"), company(3, 1, "Three"), grant("a", 1), grant("b", 2))
	want := loaded(t, s)
	for _, of := range []session.Kind{session.KindCompany, session.KindGrant} {
		setting(t, s, s.names(of).first(), values{"index.max_result_window": 1})
	}
	if diff := gocmp.Diff(want, loaded(t, s)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func foreignDelete(t *testing.T, s *Store, of session.Kind, id string) {
	t.Helper()
	err := s.client.call(t.Context(), esapi.DeleteRequest{Index: s.names(of).write, DocumentID: id, Instrument: s.client.instrument}, nil)
	if err != nil {
		t.Fatal(err)
	}
}
