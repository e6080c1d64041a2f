package isolation_test

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// tenants says who sees what in the plainest way there is: by walking upwards
// from each company. It shares nothing with the code that it is held against.
type tenants struct {
	parent   map[tenancy.CompanyID]tenancy.CompanyID // of every company in the directory; 0: none
	grants   map[tenancy.Grant]bool
	sessions []canarySession // what is stored, also of companies that are in no directory
}

// caller is an account with a token.
type caller struct {
	name    string // in the test's words
	issuer  string
	subject string
	company tenancy.CompanyID
	roles   []string
	bounds  []tenancy.CompanyID // the subtrees that its issuer may speak for; none: any
	token   string
	refused string // what a 401 says to the token; "": it is good
}

func (c caller) supervises() bool { return slices.Contains(c.roles, tenancytest.SupervisorRole) }

// selection is the companies that a request asks for.
type selection struct {
	companies []tenancy.CompanyID
	list      bool // by companyIds, also when it is one
	all       bool // showAllSupervised; the gateway refuses it with branches
	branches  []tenancy.CompanyID
	// What is taken out of the others.
	exceptCompanies, exceptBranches []tenancy.CompanyID
}

// key is equal for selections that a cursor may not tell apart.
func (s selection) key() string {
	return fmt.Sprint(s.all, distinct(s.companies), distinct(s.branches), distinct(s.exceptCompanies), distinct(s.exceptBranches))
}

// What the problems say that come of a scope.
const (
	saysForbidden     = "This account may not see that company."
	saysNotSupervisor = "This account may not supervise other companies. Leave out showAllSupervised and branchIds."
	saysNoSession     = "There is no such session."
	saysMissing       = `A token is required. Send it in the header "Authorization: Bearer <token>".`
	saysInvalid       = "Token is invalid."
	saysExpired       = "Token is expired."
)

// up is the company above, 0 at a root. One on a cycle has nothing above it and
// nothing below.
func (m *tenants) up(id tenancy.CompanyID) tenancy.CompanyID {
	parent := m.parent[id]
	if _, known := m.parent[parent]; !known || m.cyclic(id) || m.cyclic(parent) {
		return 0
	}
	return parent
}

func (m *tenants) cyclic(id tenancy.CompanyID) bool {
	at := id
	for range m.parent {
		if at = m.parent[at]; at == id {
			return true
		}
	}
	return false
}

// below reports whether the company is one of the roots or below one.
func (m *tenants) below(id tenancy.CompanyID, roots []tenancy.CompanyID) bool {
	for ; id != 0; id = m.up(id) {
		if slices.Contains(roots, id) {
			return true
		}
	}
	return false
}

// which are the companies of the directory that are kept, ascending.
func (m *tenants) which(keep func(tenancy.CompanyID) bool) []tenancy.CompanyID {
	var ids []tenancy.CompanyID
	for id := range m.parent {
		if keep(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// sees is all that the caller may ever see, none when its company is unknown or
// not its issuer's.
func (m *tenants) sees(c caller) []tenancy.CompanyID {
	within := func(id tenancy.CompanyID) bool { return len(c.bounds) == 0 || m.below(id, c.bounds) }
	if _, known := m.parent[c.company]; !known || !within(c.company) {
		return nil
	}
	if !c.supervises() {
		return []tenancy.CompanyID{c.company}
	}
	roots := []tenancy.CompanyID{c.company}
	for grant := range m.grants {
		if grant.Account == (tenancy.Account{Issuer: c.issuer, Subject: c.subject}) {
			roots = append(roots, grant.CompanyID)
		}
	}
	return m.which(func(id tenancy.CompanyID) bool { return within(id) && m.below(id, roots) })
}

// resolve is the contract's table: the companies, or what the 403 says.
func (m *tenants) resolve(c caller, s selection) (scope []tenancy.CompanyID, refused string) {
	sees := m.sees(c)
	switch {
	case len(sees) == 0:
		return nil, saysForbidden
	case (s.all || len(s.branches) > 0) && !c.supervises():
		return nil, saysNotSupervisor
	}
	for _, id := range slices.Concat(s.companies, s.branches, s.exceptCompanies, s.exceptBranches) {
		if !slices.Contains(sees, id) {
			return nil, saysForbidden
		}
	}
	return m.which(func(id tenancy.CompanyID) bool {
		return slices.Contains(sees, id) && m.selects(c, s, id) && !slices.Contains(s.exceptCompanies, id) && !m.below(id, s.exceptBranches)
	}), ""
}

// selects reports whether the company is selected, whatever is taken out.
func (m *tenants) selects(c caller, s selection, id tenancy.CompanyID) bool {
	switch {
	case m.below(id, s.branches), slices.Contains(s.companies, id), s.all && m.below(id, s.companies):
		return true
	case len(s.companies)+len(s.branches) > 0:
		return false
	}
	return s.all || id == c.company
}

// listedCompany is a company as GET /api/v1/companies shows it.
type listedCompany struct {
	id, parent   tenancy.CompanyID // parent 0: a root of the caller's
	depth, below int
}

// tree is the caller's companies, each followed by those below it.
func (m *tenants) tree(sees []tenancy.CompanyID) []listedCompany {
	var list []listedCompany
	var walk func(parent tenancy.CompanyID, depth int)
	walk = func(parent tenancy.CompanyID, depth int) {
		var siblings []tenancy.CompanyID
		for _, id := range sees {
			if up := m.up(id); up == parent || parent == 0 && !slices.Contains(sees, up) {
				siblings = append(siblings, id)
			}
		}
		slices.SortFunc(siblings, func(a, b tenancy.CompanyID) int { return cmp.Compare(companyName(a), companyName(b)) })
		for _, id := range siblings {
			below := 0
			for _, other := range sees {
				if other != id && m.below(other, []tenancy.CompanyID{id}) {
					below++
				}
			}
			list = append(list, listedCompany{id, parent, depth, below})
			walk(id, depth+1)
		}
	}
	walk(0, 0)
	return list
}
