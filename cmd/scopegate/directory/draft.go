package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Draft is a directory that is being changed.
type Draft struct {
	was, is state
}

// state is what a store holds. Of a company that it holds twice, which
// another producer may bring about, the first counts.
type state struct {
	companies map[tenancy.CompanyID]tenancy.Company
	grants    map[tenancy.Grant]bool
}

func newState(r tenancy.Records) state {
	s := state{companies: make(map[tenancy.CompanyID]tenancy.Company, len(r.Companies)), grants: make(map[tenancy.Grant]bool, len(r.Grants))}
	for _, c := range r.Companies {
		if _, double := s.companies[c.ID]; !double {
			s.companies[c.ID] = c
		}
	}
	for _, g := range r.Grants {
		s.grants[g] = true
	}
	return s
}

// NewDraft makes one of what a store holds.
func NewDraft(r tenancy.Records) *Draft { return &Draft{was: newState(r), is: newState(r)} }

// Clear is for what replaces everything.
func (d *Draft) Clear() { d.is = newState(tenancy.Records{}) }

// Apply makes a change of a company or of a grant.
func (d *Draft) Apply(c session.Change) {
	switch {
	case c.Kind == session.KindCompany && c.Delete:
		delete(d.is.companies, c.Company.ID)
	case c.Kind == session.KindCompany:
		d.is.companies[c.Company.ID] = c.Company
	case c.Kind == session.KindGrant && c.Delete:
		delete(d.is.grants, c.Grant)
	case c.Kind == session.KindGrant:
		d.is.grants[c.Grant] = true
	}
}

// Granted reports whether the grant is there.
func (d *Draft) Granted(g tenancy.Grant) bool { return d.is.grants[g] }

// Company is the one with the id, or a refusal.
func (d *Draft) Company(id tenancy.CompanyID) (tenancy.Company, error) {
	c, there := d.is.companies[id]
	if !there {
		return c, Refused("company %d is not in the directory", id)
	}
	return c, nil
}

// Records are those of the draft as it is, sorted.
func (d *Draft) Records() tenancy.Records {
	var r tenancy.Records
	for _, id := range sortedIDs(d.is.companies) {
		r.Companies = append(r.Companies, d.is.companies[id])
	}
	r.Grants = sortedGrants(d.is.grants)
	return r
}

func sortedIDs(companies map[tenancy.CompanyID]tenancy.Company) []tenancy.CompanyID {
	ids := make([]tenancy.CompanyID, 0, len(companies))
	for id := range companies {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func sortedGrants(set map[tenancy.Grant]bool) []tenancy.Grant {
	grants := make([]tenancy.Grant, 0, len(set))
	for g := range set {
		grants = append(grants, g)
	}
	slices.SortFunc(grants, compareGrants)
	return grants
}

func compareGrants(a, b tenancy.Grant) int {
	return cmp.Or(
		cmp.Compare(a.CompanyID, b.CompanyID),
		cmp.Compare(a.Account.Issuer, b.Account.Issuer),
		cmp.Compare(a.Account.Subject, b.Account.Subject))
}

// newProblems are those that the directory did not have before: an operator
// must be able to mend one fault of several.
func newProblems(before, after tenancy.Records) []string {
	known := map[string]int{}
	for _, p := range tenancy.Problems(before) {
		known[p]++
	}
	var found []string
	for _, p := range tenancy.Problems(after) {
		if known[p]--; known[p] < 0 {
			found = append(found, p)
		}
	}
	return found
}

// mostListed is how many problems a message names.
const mostListed = 20

func listed(what string, problems []string) string {
	text := []string{what + ":"}
	for _, p := range problems[:min(len(problems), mostListed)] {
		text = append(text, "  "+p)
	}
	if more := len(problems) - mostListed; more > 0 {
		text = append(text, fmt.Sprintf("  and %d more", more))
	}
	return strings.Join(text, "\n")
}
