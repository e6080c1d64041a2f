package tenancy

// Outline is all companies as a Directory of the records has them: in pre-order,
// siblings and roots by name, then id, with the faults that Problems tells of
// contained. It is for those who keep the directory, not for callers.
func Outline(records Records) []CompanyNode {
	var p problems
	t := newTree(contain(records.Companies, &p))
	nodes := make([]CompanyNode, len(t.companies))
	for at, c := range t.companies {
		nodes[at] = CompanyNode{
			ID: c.ID, Name: c.Name, ParentID: c.ParentID,
			Depth: int(t.depth[at]), Below: t.subtree(at).size() - 1,
		}
	}
	return nodes
}

// Problems tells what is wrong with the records, as Directory.Problems does, but
// all of it: faults of the source, cycles, missing parents, doubles, grants of
// unknown companies. The texts hold ids only, and that of a fault is the same
// whatever else is wrong.
func Problems(records Records) []string {
	p := problems{all: true}
	p.addAll(records.Faults)
	newTree(contain(records.Companies, &p)).granted(records.Grants, &p)
	return p.report()
}
