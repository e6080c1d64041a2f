package tenancy_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// The companies of these tests:
//
//	1 holding
//	├── 2 north
//	│   ├── 4 alpha
//	│   └── 5 beta
//	│       └── 6 beta shop
//	└── 3 south
//	    └── 7 gamma
//	8 other
//	└── 9 other shop
func companies() []tenancy.Company {
	return []tenancy.Company{
		{ID: 9, Name: "other shop", ParentID: 8}, {ID: 8, Name: "other"},
		{ID: 7, Name: "gamma", ParentID: 3}, {ID: 6, Name: "beta shop", ParentID: 5},
		{ID: 5, Name: "beta", ParentID: 2}, {ID: 4, Name: "alpha", ParentID: 2},
		{ID: 3, Name: "south", ParentID: 1}, {ID: 2, Name: "north", ParentID: 1}, {ID: 1, Name: "holding"},
	}
}

// callers makes principals of one issuer; bound, if given, are the subtrees
// that it may speak for.
type callers struct {
	issuer   *tenancytest.Issuer
	verifier *tenancy.Verifier
}

func newCallers(t *testing.T, bound ...tenancy.CompanyID) callers {
	t.Helper()
	issuer := tenancytest.NewIssuer(t)
	options := issuer.Options()
	options.Companies = bound
	return callers{issuer, tenancytest.NewVerifier(t, tenancy.VerifierOptions{
		Issuers: []tenancy.IssuerOptions{options}, HTTPClient: issuer.Client(),
	})}
}

func (c callers) principal(t *testing.T, claims tenancytest.Claims) tenancy.Principal {
	t.Helper()
	p, err := c.verifier.Verify(context.Background(), c.issuer.Token(t, claims))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (c callers) agent(t *testing.T, subject string, company tenancy.CompanyID) tenancy.Principal {
	t.Helper()
	return c.principal(t, tenancytest.Claims{Subject: subject, Company: company})
}

func (c callers) supervisor(t *testing.T, subject string, company tenancy.CompanyID) tenancy.Principal {
	t.Helper()
	return c.principal(t, tenancytest.Claims{Subject: subject, Company: company, Roles: []string{"supervisor"}})
}

// grants gives companies to the subject.
func (c callers) grants(subject string, ids ...tenancy.CompanyID) []tenancy.Grant {
	var made []tenancy.Grant
	for _, id := range ids {
		made = append(made, tenancy.Grant{Account: tenancy.Account{Issuer: c.issuer.URL(), Subject: subject}, CompanyID: id})
	}
	return made
}

func ids(list ...tenancy.CompanyID) []tenancy.CompanyID { return list }

func wantScope(t *testing.T, d *tenancy.Directory, p tenancy.Principal, sel tenancy.Selection, want []tenancy.CompanyID, wantErr error) {
	t.Helper()
	scope, err := d.Resolve(p, sel)
	if !errors.Is(err, wantErr) {
		t.Fatalf("got error %v, want %v", err, wantErr)
	}
	if err != nil && !scope.IsEmpty() {
		t.Error("a refused selection made a scope")
	}
	if diff := cmp.Diff(want, slices.Collect(scope.Companies())); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
}

func TestTheScopeTable(t *testing.T) {
	c := newCallers(t)
	d := tenancytest.NewDirectory(t, tenancy.Records{
		Companies: companies(),
		Grants: slices.Concat(
			c.grants("granted", 9, 77),
			c.grants("nested", 2, 5, 5),
			[]tenancy.Grant{{Account: tenancy.Account{Issuer: "https://another.example", Subject: "plain"}, CompanyID: 8}},
		),
	})
	agent := c.agent(t, "agent", 2)
	grantedAgent := c.agent(t, "granted", 2)
	plain := c.supervisor(t, "plain", 2)
	granted := c.supervisor(t, "granted", 2)
	nested := c.supervisor(t, "nested", 7)
	owner := c.supervisor(t, "owner", 1)
	foreign, mayNot := tenancy.ErrForeignCompany, tenancy.ErrNotSupervisor

	for name, row := range map[string]struct {
		caller  tenancy.Principal
		ask     []tenancy.CompanyID
		all     bool
		want    []tenancy.CompanyID
		wantErr error
	}{
		"agent: own company":                               {agent, nil, false, ids(2), nil},
		"agent: own company by id":                         {agent, ids(2), false, ids(2), nil},
		"agent: all supervised":                            {agent, nil, true, nil, mayNot},
		"agent: own company and below":                     {agent, ids(2), true, nil, mayNot},
		"agent: a company below":                           {agent, ids(4), false, nil, foreign},
		"agent: the company above":                         {agent, ids(1), false, nil, foreign},
		"agent: a granted company does not count":          {grantedAgent, ids(9), false, nil, foreign},
		"supervisor: own company":                          {plain, nil, false, ids(2), nil},
		"supervisor: all supervised":                       {plain, nil, true, ids(2, 4, 5, 6), nil},
		"supervisor: a company deep below":                 {plain, ids(6), false, ids(6), nil},
		"supervisor: a company below alone":                {plain, ids(5), false, ids(5), nil},
		"supervisor: a company below and below it":         {plain, ids(5), true, ids(5, 6), nil},
		"supervisor: the company above":                    {plain, ids(1), false, nil, foreign},
		"supervisor: a sibling":                            {plain, ids(3), true, nil, foreign},
		"supervisor: a company that does not exist":        {plain, ids(1000), false, nil, foreign},
		"supervisor: no company id":                        {plain, ids(0), false, nil, foreign},
		"supervisor: the largest id there is":              {plain, ids(1<<32 - 1), false, nil, foreign},
		"supervisor: a grant of another issuer's account":  {plain, ids(8), false, nil, foreign},
		"supervisor: several":                              {plain, ids(6, 4), false, ids(4, 6), nil},
		"supervisor: one told twice":                       {plain, ids(4, 4), false, ids(4), nil},
		"supervisor: several, one within another, alone":   {plain, ids(5, 6, 2), false, ids(2, 5, 6), nil},
		"supervisor: several and below":                    {plain, ids(4, 5), true, ids(4, 5, 6), nil},
		"supervisor: several, one foreign":                 {plain, ids(4, 3), false, nil, foreign},
		"granted: all supervised":                          {granted, nil, true, ids(2, 4, 5, 6, 9), nil},
		"granted: the granted company":                     {granted, ids(9), true, ids(9), nil},
		"granted: above the granted company":               {granted, ids(8), false, nil, foreign},
		"granted: a company that does not exist":           {granted, ids(77), false, nil, foreign},
		"granted within a granted one, and twice: nothing": {nested, nil, true, ids(2, 4, 5, 6, 7), nil},
		"owner: all supervised":                            {owner, nil, true, ids(1, 2, 3, 4, 5, 6, 7), nil},
		"owner: another tree":                              {owner, ids(8), false, nil, foreign},
		"nobody":                                           {tenancy.Principal{}, nil, false, nil, foreign},
		"nobody: all supervised":                           {tenancy.Principal{}, nil, true, nil, foreign},
		"of a company not in the directory":                {c.supervisor(t, "plain", 1000), nil, true, nil, foreign},
		"of a company not in the directory, granted one":   {c.supervisor(t, "granted", 1000), ids(9), false, nil, foreign},
	} {
		t.Run(name, func(t *testing.T) {
			wantScope(t, d, row.caller, tenancy.Selection{Companies: row.ask, ShowAllSupervised: row.all}, row.want, row.wantErr)
			if row.wantErr != nil {
				wantScope(t, d, row.caller, tenancy.Selection{Companies: row.ask, ShowAllSupervised: row.all}, nil, tenancy.ErrForbidden)
			}
		})
	}
}

func TestBranchesAndExceptions(t *testing.T) {
	c := newCallers(t)
	d := tenancytest.NewDirectory(t, tenancy.Records{Companies: companies(), Grants: c.grants("granted", 9)})
	agent, plain := c.agent(t, "agent", 2), c.supervisor(t, "plain", 2)
	granted, owner := c.supervisor(t, "granted", 2), c.supervisor(t, "owner", 1)
	foreign, mayNot := tenancy.ErrForeignCompany, tenancy.ErrNotSupervisor

	type selection = tenancy.Selection
	for name, row := range map[string]struct {
		caller  tenancy.Principal
		ask     selection
		want    []tenancy.CompanyID
		wantErr error
	}{
		"a branch":                                   {plain, selection{Branches: ids(5)}, ids(5, 6), nil},
		"a branch and a company beside it":           {plain, selection{Branches: ids(5), Companies: ids(4)}, ids(4, 5, 6), nil},
		"a branch and a company within it":           {plain, selection{Branches: ids(5), Companies: ids(6)}, ids(5, 6), nil},
		"a branch within another, and twice":         {plain, selection{Branches: ids(5, 2, 5)}, ids(2, 4, 5, 6), nil},
		"the branch of a granted company":            {granted, selection{Branches: ids(9, 4)}, ids(4, 9), nil},
		"the branch above":                           {plain, selection{Branches: ids(1)}, nil, foreign},
		"a branch of another tree":                   {owner, selection{Branches: ids(2, 8)}, nil, foreign},
		"a branch that does not exist":               {plain, selection{Branches: ids(1000)}, nil, foreign},
		"the own branch of an agent":                 {agent, selection{Branches: ids(2)}, nil, mayNot},
		"all but a company":                          {plain, selection{ShowAllSupervised: true, ExceptCompanies: ids(5)}, ids(2, 4, 6), nil},
		"all but a branch":                           {plain, selection{ShowAllSupervised: true, ExceptBranches: ids(5)}, ids(2, 4), nil},
		"all but several":                            {owner, selection{ShowAllSupervised: true, ExceptCompanies: ids(1, 4, 4), ExceptBranches: ids(5)}, ids(2, 3, 7), nil},
		"below a company but a branch":               {owner, selection{ShowAllSupervised: true, Companies: ids(2), ExceptBranches: ids(5)}, ids(2, 4), nil},
		"several but one of them":                    {plain, selection{Companies: ids(4, 5), ExceptCompanies: ids(4)}, ids(5), nil},
		"a branch but its head":                      {plain, selection{Branches: ids(5), ExceptCompanies: ids(5)}, ids(6), nil},
		"an exception beside what is selected":       {plain, selection{Companies: ids(4), ExceptBranches: ids(5)}, ids(4), nil},
		"the own company but the own company":        {agent, selection{ExceptCompanies: ids(2)}, nil, nil},
		"the own company but the own branch":         {agent, selection{ExceptBranches: ids(2)}, nil, nil},
		"all but all":                                {plain, selection{ShowAllSupervised: true, ExceptBranches: ids(2)}, nil, nil},
		"an exception above":                         {plain, selection{ShowAllSupervised: true, ExceptCompanies: ids(1)}, nil, foreign},
		"a branch above as an exception":             {plain, selection{ShowAllSupervised: true, ExceptBranches: ids(1)}, nil, foreign},
		"an exception that does not exist":           {plain, selection{ExceptCompanies: ids(1000)}, nil, foreign},
		"an exception below the company of an agent": {agent, selection{ExceptCompanies: ids(4)}, nil, foreign},
		"nobody": {tenancy.Principal{}, selection{Branches: ids(2)}, nil, foreign},
	} {
		t.Run(name, func(t *testing.T) { wantScope(t, d, row.caller, row.ask, row.want, row.wantErr) })
	}
}

func TestAnIssuerSpeaksForItsSubtreesOnly(t *testing.T) {
	c := newCallers(t, 2, 8, 1000)
	d := tenancytest.NewDirectory(t, tenancy.Records{
		Companies: companies(),
		Grants:    slices.Concat(c.grants("granted", 1, 3, 9)),
	})
	foreign := tenancy.ErrForeignCompany
	for name, row := range map[string]struct {
		caller  tenancy.Principal
		ask     []tenancy.CompanyID
		all     bool
		want    []tenancy.CompanyID
		wantErr error
	}{
		"own company within":                   {c.supervisor(t, "s", 5), nil, true, ids(5, 6), nil},
		"own company outside":                  {c.supervisor(t, "s", 3), nil, false, nil, foreign},
		"own company above":                    {c.supervisor(t, "s", 1), nil, true, nil, foreign},
		"agent outside":                        {c.agent(t, "s", 7), nil, false, nil, foreign},
		"agent within":                         {c.agent(t, "s", 4), nil, false, ids(4), nil},
		"grants are cut down to its subtrees":  {c.supervisor(t, "granted", 4), nil, true, ids(2, 4, 5, 6, 9), nil},
		"a granted company outside":            {c.supervisor(t, "granted", 4), ids(3), false, nil, foreign},
		"a granted company above, for itself":  {c.supervisor(t, "granted", 4), ids(1), true, nil, foreign},
		"a company of a grant that was cut":    {c.supervisor(t, "granted", 4), ids(5), true, ids(5, 6), nil},
		"a root of it that is not there: none": {c.supervisor(t, "s", 1000), nil, true, nil, foreign},
	} {
		t.Run(name, func(t *testing.T) {
			wantScope(t, d, row.caller, tenancy.Selection{Companies: row.ask, ShowAllSupervised: row.all}, row.want, row.wantErr)
		})
	}
	nowhere := newCallers(t, 1000)
	wantScope(t, d, nowhere.supervisor(t, "s", 4), tenancy.Selection{}, nil, foreign)
}

func TestCompaniesAreATreeOfTheScopeAlone(t *testing.T) {
	c := newCallers(t)
	d := tenancytest.NewDirectory(t, tenancy.Records{
		Companies: append(companies(), tenancy.Company{ID: 10, Name: "beta", ParentID: 2}),
		Grants:    c.grants("granted", 7, 8, 6),
	})
	for name, row := range map[string]struct {
		caller tenancy.Principal
		want   []tenancy.CompanyNode
	}{
		"an agent sees its company with nothing below": {c.agent(t, "a", 2), []tenancy.CompanyNode{{ID: 2, Name: "north"}}},
		"a supervisor's root has no parent": {c.supervisor(t, "s", 2), []tenancy.CompanyNode{
			{ID: 2, Name: "north", Below: 4},
			{ID: 4, Name: "alpha", ParentID: 2, Depth: 1},
			{ID: 5, Name: "beta", ParentID: 2, Depth: 1, Below: 1},
			{ID: 6, Name: "beta shop", ParentID: 5, Depth: 2},
			{ID: 10, Name: "beta", ParentID: 2, Depth: 1},
		}},
		"roots come by name, each a tree of its own": {c.supervisor(t, "granted", 4), []tenancy.CompanyNode{
			{ID: 4, Name: "alpha"},
			{ID: 6, Name: "beta shop"},
			{ID: 7, Name: "gamma"},
			{ID: 8, Name: "other", Below: 1},
			{ID: 9, Name: "other shop", ParentID: 8, Depth: 1},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.Companies(row.caller)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := d.Companies(tenancy.Principal{}); !errors.Is(err, tenancy.ErrForbidden) {
		t.Errorf("nobody: got %v, want ErrForbidden", err)
	}
}

func TestTheOwnCompanyHidesAParentOutsideTheScope(t *testing.T) {
	c := newCallers(t)
	d := tenancytest.NewDirectory(t, tenancy.Records{Companies: companies(), Grants: c.grants("granted", 1)})
	for name, row := range map[string]struct {
		caller tenancy.Principal
		want   tenancy.Company
	}{
		"supervisor":         {c.supervisor(t, "s", 5), tenancy.Company{ID: 5, Name: "beta"}},
		"granted the parent": {c.supervisor(t, "granted", 5), tenancy.Company{ID: 5, Name: "beta", ParentID: 2}},
		"agent":              {c.agent(t, "granted", 5), tenancy.Company{ID: 5, Name: "beta"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.Company(row.caller)
			if err != nil || got != row.want {
				t.Errorf("got %+v, %v, want %+v", got, err, row.want)
			}
		})
	}
	if _, err := d.Company(c.agent(t, "a", 1000)); !errors.Is(err, tenancy.ErrForbidden) {
		t.Errorf("unknown company: got %v, want ErrForbidden", err)
	}
}

func TestNamesAreThoseOfTheCallersCompaniesAlone(t *testing.T) {
	c := newCallers(t)
	d := tenancytest.NewDirectory(t, tenancy.Records{Companies: companies(), Grants: c.grants("granted", 1)})
	ids := []tenancy.CompanyID{5, 2, 5, 1000, 0}
	for name, row := range map[string]struct {
		caller tenancy.Principal
		want   map[tenancy.CompanyID]string
	}{
		"supervisor":         {c.supervisor(t, "s", 5), map[tenancy.CompanyID]string{5: "beta"}},
		"agent":              {c.agent(t, "granted", 5), map[tenancy.CompanyID]string{5: "beta"}},
		"granted the parent": {c.supervisor(t, "granted", 5), map[tenancy.CompanyID]string{5: "beta", 2: nameOf(2)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.Names(row.caller, ids)
			if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	if _, err := d.Names(c.agent(t, "a", 1000), ids); !errors.Is(err, tenancy.ErrForbidden) {
		t.Errorf("unknown company: got %v, want ErrForbidden", err)
	}
}

// nameOf is the name of one of companies.
func nameOf(id tenancy.CompanyID) string {
	all := companies()
	return all[slices.IndexFunc(all, func(c tenancy.Company) bool { return c.ID == id })].Name
}

func TestFaultsInTheTreeNeverWidenAScope(t *testing.T) {
	company := func(id, parent tenancy.CompanyID) tenancy.Company {
		return tenancy.Company{ID: id, Name: "c", ParentID: parent}
	}
	c := newCallers(t)
	for name, row := range map[string]struct {
		companies []tenancy.Company
		want      map[tenancy.CompanyID][]tenancy.CompanyID // all that a supervisor of the key sees
		problem   string
	}{
		"a company that is its own parent stands alone": {
			[]tenancy.Company{company(1, 1), company(2, 1)},
			map[tenancy.CompanyID][]tenancy.CompanyID{1: ids(1), 2: ids(2)},
			"company 1 is below itself",
		},
		"companies on a cycle stand alone, those below them are roots": {
			[]tenancy.Company{company(1, 3), company(2, 1), company(3, 2), company(4, 3), company(5, 4)},
			map[tenancy.CompanyID][]tenancy.CompanyID{1: ids(1), 2: ids(2), 3: ids(3), 4: ids(4, 5), 5: ids(5)},
			"company 4 is below company 3",
		},
		"an orphan is a root": {
			[]tenancy.Company{company(1, 0), company(2, 99), company(3, 2)},
			map[tenancy.CompanyID][]tenancy.CompanyID{1: ids(1), 2: ids(2, 3)},
			"parent 99",
		},
		"a company told twice alike counts once": {
			[]tenancy.Company{company(1, 0), company(2, 1), company(2, 1)},
			map[tenancy.CompanyID][]tenancy.CompanyID{1: ids(1, 2)},
			"company 2 is there twice",
		},
		"a company with two parents is below neither": {
			[]tenancy.Company{company(1, 0), company(2, 0), company(3, 1), company(3, 2), company(4, 3)},
			map[tenancy.CompanyID][]tenancy.CompanyID{1: ids(1), 2: ids(2), 3: ids(3, 4)},
			"different parents",
		},
		"an invalid company is left out": {
			[]tenancy.Company{company(1, 0), {ID: 2, ParentID: 1}, company(3, 2)},
			map[tenancy.CompanyID][]tenancy.CompanyID{1: ids(1), 3: ids(3)},
			"company 2 is left out",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := tenancytest.NewDirectory(t, tenancy.Records{Companies: row.companies})
			for own, want := range row.want {
				wantScope(t, d, c.supervisor(t, "s", own), tenancy.Selection{ShowAllSupervised: true}, want, nil)
			}
			if report := strings.Join(d.Problems(), "\n"); !strings.Contains(report, row.problem) {
				t.Errorf("%q is not in the report:\n%s", row.problem, report)
			}
		})
	}
}

func TestProblemsHoldNoSubjectsAndAreBounded(t *testing.T) {
	c := newCallers(t)
	records := tenancy.Records{Companies: companies()}
	for id := range tenancy.CompanyID(1000) {
		records.Grants = append(records.Grants, c.grants("planted-subject", 1000+id)...)
	}
	problems := tenancytest.NewDirectory(t, records).Problems()
	if n := len(problems); n != 101 || !strings.Contains(problems[n-1], "900 more") {
		t.Errorf("got %d problems, the last of which is %q", n, problems[n-1])
	}
	if strings.Contains(strings.Join(problems, ""), "planted") {
		t.Error("a subject is in the report")
	}
	if got := tenancytest.NewDirectory(t, tenancy.Records{Companies: companies()}).Problems(); len(got) != 0 {
		t.Errorf("a sound directory has problems: %q", got)
	}
}

// directoryBubble is a directory with the defaults on a clock of its own.
type directoryBubble struct {
	*testing.T
	callers

	source    *tenancytest.MemorySource
	directory *tenancy.Directory
}

func inDirectoryBubble(t *testing.T, run func(b *directoryBubble)) {
	t.Helper()
	issuer := tenancytest.NewIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{
			Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: clientOf(issuer),
		})
		source := tenancytest.NewSource(tenancy.Records{Companies: companies()})
		d, err := tenancytest.StartDirectory(t.Context(), tenancy.DirectoryOptions{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		run(&directoryBubble{t, callers{issuer, verifier}, source, d})
	})
}

func TestAGrantTakenAwayIsGoneWithinFifteenSeconds(t *testing.T) {
	inDirectoryBubble(t, func(b *directoryBubble) {
		p := b.supervisor(b.T, "s", 4)
		ask := tenancy.Selection{ShowAllSupervised: true}
		wantScope(b.T, b.directory, p, ask, ids(4), nil)
		b.source.Set(tenancy.Records{Companies: companies(), Grants: b.grants("s", 8)})
		time.Sleep(15 * time.Second)
		wantScope(b.T, b.directory, p, ask, ids(4, 8, 9), nil)
		b.source.Set(tenancy.Records{Companies: companies()})
		time.Sleep(15 * time.Second)
		wantScope(b.T, b.directory, p, ask, ids(4), nil)
		b.source.Set(tenancy.Records{})
		time.Sleep(15 * time.Second)
		wantScope(b.T, b.directory, p, ask, nil, tenancy.ErrForbidden)
	})
}

func TestADirectoryThatCannotBeReadFailsClosedAfterMaxStale(t *testing.T) {
	inDirectoryBubble(t, func(b *directoryBubble) {
		p := b.supervisor(b.T, "s", 4)
		b.source.Fail(errors.New("unreadable"))
		time.Sleep(tenancytest.MaxStale - tenancytest.RefreshEvery)
		wantScope(b.T, b.directory, p, tenancy.Selection{}, ids(4), nil)
		time.Sleep(tenancytest.RefreshEvery + time.Second)
		wantScope(b.T, b.directory, p, tenancy.Selection{}, nil, tenancy.ErrDirectoryStale)
		_, errSupervised := b.directory.Supervised(p)
		_, errCompanies := b.directory.Companies(p)
		_, errCompany := b.directory.Company(p)
		for _, err := range []error{errSupervised, errCompanies, errCompany, b.directory.Ready()} {
			if !errors.Is(err, tenancy.ErrDirectoryStale) {
				b.Errorf("got %v, want ErrDirectoryStale", err)
			}
		}
		b.source.Fail(nil)
		time.Sleep(tenancytest.RefreshEvery)
		wantScope(b.T, b.directory, p, tenancy.Selection{}, ids(4), nil)
		if err := b.directory.Ready(); err != nil {
			b.Errorf("not ready: %v", err)
		}
	})
}

// stuckSource hangs until it is given up.
type stuckSource struct{ tenancytest.MemorySource }

func (*stuckSource) Load(ctx context.Context) (tenancy.Records, error) {
	<-ctx.Done()
	return tenancy.Records{}, ctx.Err()
}

func TestADirectoryThatWasNeverReadRefusesAll(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{
			Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: clientOf(issuer),
		})
		d, err := tenancytest.StartDirectory(t.Context(), tenancy.DirectoryOptions{Source: &stuckSource{}})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		p := callers{issuer, verifier}.supervisor(t, "s", 4)
		wantScope(t, d, p, tenancy.Selection{}, nil, tenancy.ErrDirectoryStale)
		if d.Problems() != nil {
			t.Error("a directory that was never read has problems")
		}
	})
}

func TestDirectoryOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	source := tenancytest.NewSource(tenancy.Records{})
	for name, o := range map[string]tenancy.DirectoryOptions{
		"no source":                        {},
		"a negative interval":              {Source: source, RefreshEvery: -1},
		"stale before it can be refreshed": {Source: source, MaxStale: time.Second, RefreshEvery: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			if d, err := tenancytest.StartDirectory(context.Background(), o); err == nil {
				d.Close()
				t.Error("got no error")
			}
		})
	}
}

func TestFaultsOfTheSourceAreProblemsAndLoggedOnce(t *testing.T) {
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	source := tenancytest.NewSource(tenancy.Records{Companies: companies(), Faults: []string{"fault one"}})
	var log bytes.Buffer
	d, err := tenancytest.StartDirectory(t.Context(), tenancy.DirectoryOptions{
		Source: source, RefreshEvery: 24 * time.Hour, MaxStale: 48 * time.Hour,
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	refresh := func(faults ...string) {
		t.Helper()
		if len(faults) > 0 {
			source.Set(tenancy.Records{Companies: companies(), Faults: faults})
		}
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	logged := func(what string, one, two int) {
		t.Helper()
		if a, b := strings.Count(log.String(), "fault one"), strings.Count(log.String(), "fault two"); a != one || b != two {
			t.Errorf("%s: logged %d and %d times, want %d and %d:\n%s", what, a, b, one, two, log.String())
		}
	}
	logged("at the start", 1, 0)
	refresh("fault one")
	logged("loaded again", 1, 0)
	refresh("fault one", "fault two")
	logged("another one soon after", 1, 0)
	if got := d.Problems(); d.ProblemCount() != 2 || !slices.Equal(got, []string{"fault one", "fault two"}) {
		t.Errorf("%d problems %q, want both", d.ProblemCount(), got)
	}
	now = now.Add(time.Minute)
	refresh()
	logged("a minute later", 1, 1)
	refresh()
	logged("nothing new", 1, 1)
}
