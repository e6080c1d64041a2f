package tenancy

import (
	"cmp"
	"slices"
)

// Selection is which companies a request asks for: the contract's companyId or
// companyIds, branchIds, showAllSupervised, exceptCompanyIds and exceptBranchIds.
type Selection struct {
	Companies         []CompanyID
	Branches          []CompanyID // each with all below it; for supervisors only
	ShowAllSupervised bool        // Companies with all below each; with none: all supervised
	ExceptCompanies   []CompanyID // taken out of what the others select
	ExceptBranches    []CompanyID // the same, each with all below it
}

// CompanyNode is one company of a caller's scope, seen as a tree of which
// nothing above the caller's roots shows.
type CompanyNode struct {
	ID       CompanyID
	Name     string
	ParentID CompanyID // 0 at a root of the caller's scope
	Depth    int       // 0 at a root of the caller's scope
	Below    int       // companies below it, at any depth
}

// Resolve returns the companies that a search covers, by the contract's table:
//
//	Companies  ShowAllSupervised  scope
//	none       false              the caller's own company
//	none       true               all supervised subtrees
//	X, …       false              X, … alone, each in the caller's scope
//	X, …       true               X, … and all below, each in the caller's scope
//
// Branches are added to that; with Branches alone, the caller's own company is not.
// Then what is excepted is taken out, which must be in the caller's scope too. The
// scope is empty if nothing is left.
//
// SECURITY: a scope is cut from what the principal may ever see; a selection
// can only narrow it. Errors: ErrForeignCompany, ErrNotSupervisor (both match
// ErrForbidden), ErrDirectoryStale.
func (d *Directory) Resolve(p Principal, sel Selection) (Scope, error) {
	s, reach, err := d.reach(p)
	if err != nil {
		return Scope{}, err
	}
	if (sel.ShowAllSupervised || len(sel.Branches) > 0) && !p.supervisor {
		return Scope{}, ErrNotSupervisor
	}
	alone, whole := sel.Companies, sel.Branches
	if sel.ShowAllSupervised {
		alone, whole = nil, slices.Concat(sel.Companies, sel.Branches)
	}
	selected, err := s.within(reach, alone, whole)
	if err != nil {
		return Scope{}, err
	}
	excepted, err := s.within(reach, sel.ExceptCompanies, sel.ExceptBranches)
	if err != nil {
		return Scope{}, err
	}
	switch {
	case sel.ShowAllSupervised && len(sel.Companies) == 0:
		selected = reach
	case len(selected) == 0:
		selected = []span{s.alone(s.position[p.company])}
	}
	return s.scope(without(selected, excepted)), nil
}

// within returns the union of companies alone and of companies with all below each,
// as outermost spans. Each company must be within the reach, which consists of whole
// subtrees for all who may select one.
func (s *snapshot) within(reach []span, alone, whole []CompanyID) ([]span, error) {
	spans := make([]span, 0, len(alone)+len(whole))
	for i, id := range slices.Concat(alone, whole) {
		at, known := s.position[id]
		switch {
		case !known || !covers(reach, at):
			return nil, ErrForeignCompany
		case i < len(alone):
			spans = append(spans, s.alone(at))
		default:
			spans = append(spans, s.subtree(at))
		}
	}
	return outermost(spans), nil
}

// Supervised is all that the caller may ever see: the union of the supervised
// subtrees, or the own company of an account that may not supervise. Errors:
// ErrForbidden when the caller's own company is not in the directory,
// ErrDirectoryStale.
func (d *Directory) Supervised(p Principal) (Scope, error) {
	s, reach, err := d.reach(p)
	if err != nil {
		return Scope{}, err
	}
	return s.scope(reach), nil
}

// Companies is the caller's scope as a tree, in pre-order, siblings and roots
// by name, then id. Errors as Supervised.
func (d *Directory) Companies(p Principal) ([]CompanyNode, error) {
	s, reach, err := d.reach(p)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(reach, func(a, b span) int {
		x, y := s.companies[a.from], s.companies[b.from]
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	nodes := make([]CompanyNode, 0, len(reach))
	for _, root := range reach {
		nodes = s.appendNodes(nodes, root)
	}
	return nodes, nil
}

// appendNodes cuts the subtree off from what is above it.
func (s *snapshot) appendNodes(nodes []CompanyNode, root span) []CompanyNode {
	for at := root.from; at < root.to; at++ {
		node := CompanyNode{
			ID:       s.companies[at].ID,
			Name:     s.companies[at].Name,
			ParentID: s.companies[at].ParentID,
			Depth:    int(s.depth[at] - s.depth[root.from]),
			Below:    min(int(s.end[at]), root.to) - at - 1,
		}
		if at == root.from {
			node.ParentID = 0
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// Company is the caller's own company; its ParentID is 0 when the parent is
// outside the caller's scope. Errors as Supervised.
func (d *Directory) Company(p Principal) (Company, error) {
	s, reach, err := d.reach(p)
	if err != nil {
		return Company{}, err
	}
	own := s.companies[s.position[p.company]]
	if up, known := s.position[own.ParentID]; !known || !covers(reach, up) {
		own.ParentID = 0
	}
	return own, nil
}

// Names are the names of the companies among the ids that the caller may ever
// see; the others are left out. Errors as Supervised.
func (d *Directory) Names(p Principal, ids []CompanyID) (map[CompanyID]string, error) {
	s, reach, err := d.reach(p)
	if err != nil {
		return nil, err
	}
	names := make(map[CompanyID]string, len(ids))
	for _, id := range ids {
		if at, known := s.position[id]; known && covers(reach, at) {
			names[id] = s.companies[at].Name
		}
	}
	return names, nil
}

// reach finds the snapshot to answer from and what the principal may see of
// it.
func (d *Directory) reach(p Principal) (*snapshot, []span, error) {
	s, err := d.fresh()
	if err != nil {
		return nil, nil, err
	}
	reach, err := s.reach(p)
	if err != nil {
		return nil, nil, err
	}
	return s, reach, nil
}
