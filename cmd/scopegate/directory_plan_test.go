package main

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// anyDirectory is sound: a company is below one of a rank before its own, and
// grants are of companies that are there.
func anyDirectory(t *rapid.T) tenancy.Records {
	const most = 8
	var r tenancy.Records
	order := rapid.Permutation([]tenancy.CompanyID{1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "order")
	for rank, id := range order[:rapid.IntRange(1, most).Draw(t, "companies")] {
		c := tenancy.Company{ID: id, Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")}
		if up := rapid.IntRange(-1, rank-1).Draw(t, "parent"); up >= 0 {
			c.ParentID = order[up]
		}
		r.Companies = append(r.Companies, c)
		if rapid.Bool().Draw(t, "granted") {
			account := tenancy.Account{Issuer: "i", Subject: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "subject")}
			r.Grants = append(r.Grants, tenancy.Grant{Account: account, CompanyID: id})
		}
	}
	return r
}

// sight is one company that somebody sees: those who supervise a company, or an
// account of grants.
type sight struct {
	own     tenancy.CompanyID
	account tenancy.Account
	company tenancy.CompanyID
}

func sightsOf(r tenancy.Records) map[sight]bool {
	sights := map[sight]bool{}
	nodes := tenancy.Outline(r)
	for at, n := range nodes {
		for _, seen := range nodes[at : at+1+n.Below] {
			sights[sight{own: n.ID, company: seen.ID}] = true
			for _, g := range r.Grants {
				if g.CompanyID == n.ID {
					sights[sight{account: g.Account, company: seen.ID}] = true
				}
			}
		}
	}
	return sights
}

func planBetween(before, after tenancy.Records) plan {
	d := newDraft(before)
	d.is = newState(after)
	return d.plan()
}

func TestStepsLeadFromOneDirectoryToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := anyDirectory(t), anyDirectory(t)
		p, d := planBetween(before, after), newDraft(before)
		for _, step := range p.steps() {
			for _, c := range step {
				d.apply(c)
			}
		}
		if diff := cmp.Diff(newState(after), d.is, cmp.AllowUnexported(directoryState{})); diff != "" {
			t.Fatalf("directory (-want +got):\n%s", diff)
		}
		if n := len(p.events()); n != p.size() {
			t.Fatalf("%d events of %d changes", n, p.size())
		}
		if again := planBetween(after, d.records()); again.size() != 0 {
			t.Fatalf("there is still to change: %v", again.lines())
		}
	})
}

// SECURITY: an engine without transactions may be read, or left, anywhere on the
// way.
func TestNobodySeesMoreOnTheWayThanBeforeOrAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := anyDirectory(t), anyDirectory(t)
		steps, d := planBetween(before, after).steps(), newDraft(before)
		reached := rapid.IntRange(0, len(steps)-1).Draw(t, "step")
		for _, step := range steps[:reached] {
			for _, c := range step {
				d.apply(c)
			}
		}
		for _, c := range steps[reached] { // of one step any may be done
			if rapid.Bool().Draw(t, "done") {
				d.apply(c)
			}
		}
		was, is := sightsOf(before), sightsOf(after)
		for seen := range sightsOf(d.records()) {
			if reached == 0 && !was[seen] && !is[seen] || reached > 0 && !is[seen] {
				t.Fatalf("in step %d somebody sees %+v", reached, seen)
			}
		}
	})
}

// scripted is a search.Writer that remembers its batches.
type scripted struct {
	batches [][]search.Change
	written search.Written
	err     error
}

func (s *scripted) Write(_ context.Context, changes []search.Change) (search.Written, error) {
	s.batches = append(s.batches, changes)
	return s.written, s.err
}

func TestAPlanIsWrittenAtOnceWhereThereAreTransactions(t *testing.T) {
	p := planBetween(
		tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b", ParentID: 1}, {ID: 3, Name: "c"}}},
		tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b"}, {ID: 4, Name: "d", ParentID: 2}}},
	)
	for transactions, want := range map[bool]int{true: 1, false: 2} {
		var to scripted
		if err := p.write(t.Context(), &to, transactions); err != nil || len(to.batches) != want {
			t.Errorf("transactions %t: %d batches, %v; want %d", transactions, len(to.batches), err, want)
		}
	}
	to := scripted{err: search.ErrUnavailable}
	if err := p.write(t.Context(), &to, false); !errors.Is(err, search.ErrUnavailable) || len(to.batches) != 1 {
		t.Errorf("after a failure %d batches, %v", len(to.batches), err)
	}
	to = scripted{written: search.Written{Missing: 1}}
	if err := p.write(t.Context(), &to, false); !errors.Is(err, errNotThere) || len(to.batches) != 2 {
		t.Errorf("what could not be removed: %d batches, %v", len(to.batches), err)
	}
	if err := (plan{}).write(t.Context(), &scripted{err: search.ErrUnavailable}, true); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
}

func TestASingleMoveMakesNoRootOnTheWay(t *testing.T) {
	before := tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b", ParentID: 1}, {ID: 3, Name: "c"}}}
	d := newDraft(before)
	if err := move(d, 2, 3); err != nil {
		t.Fatal(err)
	}
	want := [][]search.Change{nil, {{Kind: search.KindCompany, Company: tenancy.Company{ID: 2, Name: "b", ParentID: 3}}}, nil}
	if diff := cmp.Diff(want, d.plan().steps(), cmp.AllowUnexported(search.Document{})); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
