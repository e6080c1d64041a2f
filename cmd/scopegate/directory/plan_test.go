package directory

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
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

func planBetween(before, after tenancy.Records) Plan {
	d := NewDraft(before)
	d.is = newState(after)
	return d.plan()
}

func TestStepsLeadFromOneDirectoryToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := anyDirectory(t), anyDirectory(t)
		p, d := planBetween(before, after), NewDraft(before)
		for _, step := range p.steps() {
			for _, c := range step {
				d.Apply(c)
			}
		}
		if diff := cmp.Diff(newState(after), d.is, cmp.AllowUnexported(state{})); diff != "" {
			t.Fatalf("directory (-want +got):\n%s", diff)
		}
		if n := len(p.events()); n != p.Size() {
			t.Fatalf("%d events of %d changes", n, p.Size())
		}
		if again := planBetween(after, d.Records()); again.Size() != 0 {
			t.Fatalf("there is still to change: %v", again.Lines())
		}
	})
}

// SECURITY: an engine without transactions may be read, or left, anywhere on the
// way.
func TestNobodySeesMoreOnTheWayThanBeforeOrAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := anyDirectory(t), anyDirectory(t)
		steps, d := planBetween(before, after).steps(), NewDraft(before)
		reached := rapid.IntRange(0, len(steps)-1).Draw(t, "step")
		for _, step := range steps[:reached] {
			for _, c := range step {
				d.Apply(c)
			}
		}
		for _, c := range steps[reached] { // of one step any may be done
			if rapid.Bool().Draw(t, "done") {
				d.Apply(c)
			}
		}
		was, is := sightsOf(before), sightsOf(after)
		for seen := range sightsOf(d.Records()) {
			if reached == 0 && !was[seen] && !is[seen] || reached > 0 && !is[seen] {
				t.Fatalf("in step %d somebody sees %+v", reached, seen)
			}
		}
	})
}

// scripted is an engine's directory whose edits end as is said.
type scripted struct {
	tenancy.Records
	written session.Written
	err     error
	again   []tenancy.Records // what edits are begun anew with
	edits   [][][]session.Change
}

func (s *scripted) Load(context.Context) (tenancy.Records, error) { return s.Records, s.err }

func (s *scripted) EditDirectory(_ context.Context, f func(tenancy.Records) ([][]session.Change, error)) (session.Written, error) {
	for _, records := range append([]tenancy.Records{s.Records}, s.again...) {
		steps, err := f(records)
		if err != nil {
			return session.Written{}, err
		}
		s.edits = append(s.edits, steps)
	}
	return s.written, s.err
}

func TestWhatIsOnRecordIsWhatTheEngineHasDone(t *testing.T) {
	small := tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b", ParentID: 1}, {ID: 3, Name: "c", ParentID: 1}}}
	moved := tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b", ParentID: 3}, {ID: 3, Name: "c"}}}
	below := tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b", ParentID: 1}, {ID: 3, Name: "c", ParentID: 2}}}
	edit := Edit{Make: func(d *Draft) error { return Move(d, 2, 3) }}
	for name, tt := range map[string]struct {
		to      scripted
		changes int // on record
		outcome audit.Outcome
	}{
		"written":                                  {scripted{}, 1, audit.Done},
		"failed":                                   {scripted{err: search.ErrUnavailable}, 1, audit.Failed},
		"what was to go was not there":             {scripted{written: session.Written{Missing: 1}}, 1, audit.Failed},
		"others kept at it":                        {scripted{err: search.ErrConflict}, 0, audit.Refused},
		"it was so when it was begun anew":         {scripted{again: []tenancy.Records{moved}}, 0, audit.Done},
		"it could not be when it was begun anew":   {scripted{again: []tenancy.Records{below}}, 0, audit.Refused},
		"it was done when it was begun the second": {scripted{again: []tenancy.Records{small}}, 1, audit.Done},
	} {
		t.Run(name, func(t *testing.T) {
			tt.to.Records = small
			p, err := edit.Run(t.Context(), &tt.to)
			if p.Size() != tt.changes || outcomeOf(err) != tt.outcome {
				t.Errorf("%d changes, %q, %v; want %d, %q", p.Size(), outcomeOf(err), err, tt.changes, tt.outcome)
			}
		})
	}
}

func TestASingleMoveMakesNoRootOnTheWay(t *testing.T) {
	before := tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "a"}, {ID: 2, Name: "b", ParentID: 1}, {ID: 3, Name: "c"}}}
	d := NewDraft(before)
	if err := Move(d, 2, 3); err != nil {
		t.Fatal(err)
	}
	want := [][]session.Change{nil, {{Kind: session.KindCompany, Company: tenancy.Company{ID: 2, Name: "b", ParentID: 3}}}, nil}
	if diff := cmp.Diff(want, d.plan().steps(), cmp.AllowUnexported(session.Document{})); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
