package tenancy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The model says who sees what in the plainest way there is: by walking from
// each company upwards, one company at a time.
type model struct {
	parent map[CompanyID]CompanyID // 0: a root; doubles with two parents are roots
	grants map[Account][]CompanyID
}

func newModel(r Records) model {
	m := model{parent: map[CompanyID]CompanyID{}, grants: map[Account][]CompanyID{}}
	for _, c := range r.Companies {
		if up, double := m.parent[c.ID]; double && up != c.ParentID {
			m.parent[c.ID] = 0
		} else {
			m.parent[c.ID] = c.ParentID
		}
	}
	for _, g := range r.Grants {
		m.grants[g.Account] = append(m.grants[g.Account], g.CompanyID)
	}
	return m
}

// up is the parent that counts: one that is there, with neither on a cycle.
func (m model) up(id CompanyID) (CompanyID, bool) {
	parent := m.parent[id]
	_, known := m.parent[parent]
	return parent, known && !m.cyclic(id) && !m.cyclic(parent)
}

func (m model) cyclic(id CompanyID) bool {
	at := id
	for range len(m.parent) {
		at = m.parent[at]
		if at == id {
			return true
		}
	}
	return false
}

// below reports whether the company is root or below it.
func (m model) below(id, root CompanyID) bool {
	for known := true; known; id, known = m.up(id) {
		if id == root {
			return true
		}
	}
	return false
}

func (m model) belowAny(id CompanyID, roots []CompanyID) bool {
	return slices.ContainsFunc(roots, func(root CompanyID) bool { return m.below(id, root) })
}

// sees is all that the principal may ever see, ascending.
func (m model) sees(p Principal) []CompanyID {
	within := func(id CompanyID) bool { return len(p.bounds) == 0 || m.belowAny(id, p.bounds) }
	if _, known := m.parent[p.company]; !known || !within(p.company) {
		return nil
	}
	roots := append([]CompanyID{p.company}, m.grants[p.account]...)
	return m.every(func(id CompanyID) bool {
		if !p.supervisor {
			return id == p.company
		}
		return within(id) && m.belowAny(id, roots)
	})
}

func (m model) every(keep func(CompanyID) bool) []CompanyID {
	var ids []CompanyID
	for id := range m.parent {
		if keep(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// resolves is what the contract's table says.
func (m model) resolves(p Principal, sel Selection) ([]CompanyID, error) {
	sees := m.sees(p)
	switch {
	case len(sees) == 0:
		return nil, ErrForeignCompany
	case (sel.ShowAllSupervised || len(sel.Branches) > 0) && !p.supervisor:
		return nil, ErrNotSupervisor
	}
	for _, id := range slices.Concat(sel.Companies, sel.Branches, sel.ExceptCompanies, sel.ExceptBranches) {
		if !slices.Contains(sees, id) {
			return nil, ErrForeignCompany
		}
	}
	return m.every(func(id CompanyID) bool {
		return m.isSelected(p, sel, id) && slices.Contains(sees, id) &&
			!slices.Contains(sel.ExceptCompanies, id) && !m.belowAny(id, sel.ExceptBranches)
	}), nil
}

func (m model) isSelected(p Principal, sel Selection, id CompanyID) bool {
	switch {
	case m.belowAny(id, sel.Branches):
		return true
	case len(sel.Companies) > 0 && sel.ShowAllSupervised:
		return m.belowAny(id, sel.Companies)
	case len(sel.Companies) > 0:
		return slices.Contains(sel.Companies, id)
	case sel.ShowAllSupervised:
		return true
	}
	return len(sel.Branches) == 0 && id == p.company
}

// Few ids, so that cycles, orphans, doubles and shared branches are common.
func anyID(t *rapid.T, label string) CompanyID {
	return CompanyID(rapid.Uint32Range(1, 24).Draw(t, label))
}

func anyAccount(t *rapid.T) Account {
	return Account{
		Issuer:  rapid.SampledFrom([]string{"i", "j"}).Draw(t, "issuer"),
		Subject: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "subject"),
	}
}

func anyRecords(t *rapid.T) Records {
	var r Records
	for range rapid.IntRange(0, 30).Draw(t, "companies") {
		c := Company{ID: anyID(t, "id"), Name: rapid.StringN(1, 2, -1).Draw(t, "name")}
		if rapid.IntRange(0, 5).Draw(t, "has parent") > 0 {
			c.ParentID = anyID(t, "parent")
		}
		// A third record of one company could undo what the second did.
		same := func(o Company) bool { return o.ID == c.ID }
		if i := slices.IndexFunc(r.Companies, same); i < 0 || !slices.ContainsFunc(r.Companies[i+1:], same) {
			r.Companies = append(r.Companies, c)
		}
	}
	for range rapid.IntRange(0, 8).Draw(t, "grants") {
		r.Grants = append(r.Grants, Grant{Account: anyAccount(t), CompanyID: anyID(t, "granted")})
	}
	return r
}

func anyPrincipal(t *rapid.T) Principal {
	p := Principal{account: anyAccount(t), company: anyID(t, "own company"), supervisor: rapid.Bool().Draw(t, "supervisor")}
	for range rapid.IntRange(0, 2).Draw(t, "bounds") {
		p.bounds = append(p.bounds, anyID(t, "bound"))
	}
	return p
}

func anySelection(t *rapid.T) Selection {
	sel := Selection{ShowAllSupervised: rapid.Bool().Draw(t, "all")}
	for range rapid.IntRange(0, 3).Draw(t, "asked") {
		sel.Companies = append(sel.Companies, anyID(t, "asked for"))
	}
	// One parameter at a time, mostly: of several, one company is usually foreign.
	for _, list := range []*[]CompanyID{&sel.Branches, &sel.ExceptCompanies, &sel.ExceptBranches} {
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(t, "more") {
			*list = append(*list, anyID(t, "asked for"))
		}
	}
	return sel
}

func collect(s Scope) []CompanyID { return slices.Collect(s.Companies()) }

func TestTheDirectoryAgreesWithANaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := anyRecords(t)
		m := newModel(records)
		d := directoryOf(records)
		for range 8 {
			p, sel := anyPrincipal(t), anySelection(t)
			if rapid.Bool().Draw(t, "own companies alone") {
				sel = sel.among(m.sees(p))
			}
			want, wantErr := m.resolves(p, sel)
			got, err := d.Resolve(p, sel)
			if !errors.Is(err, wantErr) {
				t.Fatalf("%+v of %+v: got error %v, want %v", sel, p, err, wantErr)
			}
			if diff := cmp.Diff(want, collect(got)); diff != "" {
				t.Fatalf("%+v of %+v (-want +got):\n%s", sel, p, diff)
			}
			checkNodes(t, d, m, p)
		}
	})
}

// checkNodes holds the tree of a principal against its scope and the model.
func checkNodes(t *rapid.T, d *Directory, m model, p Principal) {
	sees := m.sees(p)
	nodes, err := d.Companies(p)
	if (err == nil) != (len(sees) > 0) {
		t.Fatalf("companies of %+v: got %v", p, err)
	}
	depth := map[CompanyID]int{}
	listed := make([]CompanyID, 0, len(nodes))
	for i, n := range nodes {
		listed = append(listed, n.ID)
		wantParent, wantDepth := CompanyID(0), 0
		if up, known := m.up(n.ID); known && slices.Contains(sees, up) {
			wantParent, wantDepth = up, depth[up]+1
		}
		depth[n.ID] = wantDepth
		below := len(m.every(func(id CompanyID) bool { return id != n.ID && p.supervisor && m.below(id, n.ID) }))
		if n.ParentID != wantParent || n.Depth != wantDepth || n.Below != below {
			t.Fatalf("node %d: got %+v, want parent %d, depth %d, below %d", i, n, wantParent, wantDepth, below)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(sees, listed, cmp.Transformer("len", func(ids []CompanyID) []CompanyID { return append([]CompanyID{}, ids...) })); err == nil && diff != "" {
		t.Fatalf("companies of %+v (-scope +tree):\n%s", p, diff)
	}
}

// directoryOf answers from the records for ever.
func directoryOf(records Records) *Directory {
	d := &Directory{maxStale: time.Hour, now: time.Now}
	d.current.Store(&view{snapshot: newSnapshot("", records, nil), asOf: time.Now()})
	return d
}

func TestRememberedScopesEqualThoseMadeAnew(t *testing.T) {
	records := wideRecords(3000)
	owner := Principal{account: Account{"i", "s"}, company: 1, supervisor: true}
	remaining := directoryOf(records)
	for id := CompanyID(1); id <= 20; id++ {
		sel := Selection{Companies: []CompanyID{id, id + 1}, ShowAllSupervised: true}
		for range 2 {
			remembered, err := remaining.Resolve(owner, sel)
			if err != nil {
				t.Fatal(err)
			}
			anew, err := directoryOf(records).Resolve(owner, sel)
			if err != nil {
				t.Fatal(err)
			}
			if remembered.Fingerprint() != anew.Fingerprint() || !slices.Equal(collect(remembered), collect(anew)) {
				t.Fatalf("company %d: the remembered scope differs", id)
			}
		}
	}
}

func TestRememberedScopesAreBounded(t *testing.T) {
	var memo scopeMemo
	s := newSnapshot("", wideRecords(100_000), nil)
	whole := s.scope([]span{{0, 100_000}})
	for i := range 100 {
		memo.put(spansKey([]span{{i, i + 1}}), &remembered{scope: whole})
		if memo.ids > memoMaxIDs || memo.ids != len(memo.scopes)*whole.Len() {
			t.Fatalf("after %d: %d ids in %d scopes", i+1, memo.ids, len(memo.scopes))
		}
	}
	if _, ok := memo.get(spansKey([]span{{99, 100}})); !ok {
		t.Error("the newest scope was dropped")
	}
}

func TestASnapshotTakesOverWhatWasAskedOfThePreviousOne(t *testing.T) {
	records := wideRecords(3000)
	first := newSnapshot("1", records, nil)
	whole, branch := []span{first.subtree(0)}, []span{first.subtree(first.position[5])}
	if _, ok := first.scopes.get(spansKey(whole)); !ok {
		t.Error("a whole tree was not made in advance")
	}
	if _, ok := first.scopes.get(spansKey(branch)); ok {
		t.Error("a branch that nobody asked for was made in advance")
	}
	want := first.scope(branch).Fingerprint()
	second := newSnapshot("2", records, first)
	got, ok := second.scopes.get(spansKey(branch))
	if !ok || got.Fingerprint() != want {
		t.Error("a branch that was asked for was not made in advance")
	}
	third := newSnapshot("3", records, newSnapshot("2", records, first))
	if _, ok := third.scopes.get(spansKey(branch)); ok {
		t.Error("a branch that nobody asks for any more is taken over for ever")
	}
}

func TestAChainAsDeepAsTheDirectoryIsLong(t *testing.T) {
	const n = 100_000
	var r Records
	for id := CompanyID(1); id <= n; id++ {
		r.Companies = append(r.Companies, Company{ID: id, Name: "c", ParentID: id - 1})
	}
	d := directoryOf(r)
	scope, err := d.Supervised(Principal{account: Account{"i", "s"}, company: 2, supervisor: true})
	if err != nil || scope.Len() != n-1 {
		t.Fatalf("got %d companies, %v", scope.Len(), err)
	}
	r.Companies[0].ParentID = n // the whole chain is one cycle
	d = directoryOf(r)
	scope, err = d.Supervised(Principal{account: Account{"i", "s"}, company: 2, supervisor: true})
	if err != nil || scope.Len() != 1 {
		t.Fatalf("on a cycle: got %d companies, %v", scope.Len(), err)
	}
}

// wideRecords are n companies, ten below each, whose order by name is not that of
// their ids.
func wideRecords(n int) Records {
	var r Records
	for i := 1; i <= n; i++ {
		r.Companies = append(r.Companies, Company{ID: CompanyID(i), Name: string(rune('a' + i*7%26)), ParentID: CompanyID((i + 8) / 10)})
	}
	return r
}

func TestTheContextOfNewDirectoryEndsItsRefresh(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d, err := NewDirectory(ctx, DirectoryOptions{Source: FileSource("does-not-exist"), RefreshEvery: time.Second, MaxStale: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-d.stopped
	d.Close()
}

// among maps every company of the selection to one of ids, so that none is foreign.
func (sel Selection) among(ids []CompanyID) Selection {
	for _, list := range []*[]CompanyID{&sel.Companies, &sel.Branches, &sel.ExceptCompanies, &sel.ExceptBranches} {
		mapped := slices.Clone(*list)
		for i, id := range mapped {
			if len(ids) > 0 {
				mapped[i] = ids[int(id)%len(ids)]
			}
		}
		*list = mapped
	}
	return sel
}

func TestLargeSelectionsWithExceptionsAreResolvedAsSmallOnes(t *testing.T) {
	const size = 20_000
	owner := Principal{account: Account{"i", "s"}, company: 1, supervisor: true}
	d := directoryOf(wideRecords(size))
	all, err := d.Resolve(owner, Selection{ShowAllSupervised: true})
	if err != nil {
		t.Fatal(err)
	}
	var excepted, rest []CompanyID
	for i, id := range collect(all) {
		if i%2 == 1 {
			excepted = append(excepted, id)
		} else {
			rest = append(rest, id)
		}
	}
	for range 2 { // the second one is remembered
		got, err := d.Resolve(owner, Selection{ShowAllSupervised: true, ExceptCompanies: excepted})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(collect(got), rest) || got.Fingerprint() != newScope(rest).Fingerprint() {
			t.Fatalf("%d companies, want %d", got.Len(), len(rest))
		}
	}
	if none, err := d.Resolve(owner, Selection{ShowAllSupervised: true, ExceptBranches: []CompanyID{1}}); err != nil || !none.IsEmpty() || none.Fingerprint() != (Fingerprint{}) {
		t.Errorf("%d companies are left of all but all, error %v", none.Len(), err)
	}
}
