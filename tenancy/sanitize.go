package tenancy

import "fmt"

// maxProblems bounds the report: a broken import may have a fault in each line.
const maxProblems = 100

// problems collects what is wrong with a directory, in words without names or
// subjects.
type problems struct {
	all  bool // not only maxProblems
	list []string
	more int
}

func (p *problems) add(format string, args ...any) {
	if len(p.list) == maxProblems && !p.all {
		p.more++
		return
	}
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

func (p *problems) addAll(texts []string) {
	for _, text := range texts {
		p.add("%s", text)
	}
}

func (p *problems) report() []string {
	if p.more == 0 {
		return p.list
	}
	return append(p.list[:len(p.list):len(p.list)], fmt.Sprintf("and %d more", p.more))
}

// sanitize makes a forest of whatever the source holds. Each fault is repaired so
// that nobody sees more because of it, at most less:
//
//   - an invalid company is left out;
//   - of a company that is there twice the first counts, as a root if the parents
//     differ;
//   - a company whose parent is not there is a root;
//   - a company on a cycle is a root with nothing below it, and each company
//     below it is a root.
func sanitize(records []Company, p *problems) []Company {
	companies, slot := distinct(records, p)
	parent := parents(companies, slot, p)
	cyclic := onCycle(parent)
	for i := range companies {
		switch up := parent[i]; {
		case cyclic[i]:
			p.add("company %d is below itself (its parent is %d): it stands alone until its parent is mended", companies[i].ID, companies[i].ParentID)
		case up >= 0 && cyclic[up]:
			p.add("company %d is below company %d, which is below itself: it is taken as a root", companies[i].ID, companies[up].ID)
		default:
			continue
		}
		parent[i] = -1
	}
	for i := range companies {
		if parent[i] < 0 {
			companies[i].ParentID = 0
		}
	}
	return companies
}

// distinct drops invalid companies and doubles, and returns the slot of each id.
func distinct(records []Company, p *problems) ([]Company, map[CompanyID]int) {
	companies := make([]Company, 0, len(records))
	slot := make(map[CompanyID]int, len(records))
	for _, c := range records {
		if err := c.Validate(); err != nil {
			p.add("company %d is left out: %v", c.ID, err)
			continue
		}
		at, double := slot[c.ID]
		if !double {
			slot[c.ID] = len(companies)
			companies = append(companies, c)
			continue
		}
		if companies[at].ParentID == c.ParentID {
			p.add("company %d is there twice: the first counts", c.ID)
			continue
		}
		p.add("company %d is there twice, with different parents: it is taken as a root", c.ID)
		companies[at].ParentID = 0
	}
	return companies, slot
}

// parents gives the slot of each company's parent, -1 for a root.
func parents(companies []Company, slot map[CompanyID]int, p *problems) []int {
	parent := make([]int, len(companies))
	for i, c := range companies {
		parent[i] = -1
		if c.ParentID == 0 {
			continue
		}
		up, known := slot[c.ParentID]
		if !known {
			p.add("company %d has parent %d, which is not in the directory: it is taken as a root", c.ID, c.ParentID)
			continue
		}
		parent[i] = up
	}
	return parent
}

// onCycle marks the slots that are their own ancestor. Each slot has one
// parent at most, so one walk upwards from each, stopped at what an earlier
// walk has seen, finds all cycles in linear time.
func onCycle(parent []int) []bool {
	cyclic := make([]bool, len(parent))
	walk := make([]int, len(parent)) // the walk that saw the slot; 0: none yet
	for start := range parent {
		at := start
		for at >= 0 && walk[at] == 0 {
			walk[at] = start + 1
			at = parent[at]
		}
		if at < 0 || walk[at] != start+1 {
			continue
		}
		for ; !cyclic[at]; at = parent[at] {
			cyclic[at] = true
		}
	}
	return cyclic
}

// Outline is all companies as a Directory of the records has them: in pre-order,
// siblings and roots by name, then id, with the faults that Problems lists
// repaired. It is for those who maintain the directory, not for callers.
func Outline(records Records) []CompanyNode {
	var p problems
	t := newTree(sanitize(records.Companies, &p))
	nodes := make([]CompanyNode, len(t.companies))
	for at, c := range t.companies {
		nodes[at] = CompanyNode{
			ID: c.ID, Name: c.Name, ParentID: c.ParentID,
			Depth: int(t.depth[at]), Below: t.subtree(at).size() - 1,
		}
	}
	return nodes
}

// Problems lists what is wrong with the records, as Directory.Problems does, but
// all of it: faults of the source, cycles, missing parents, doubles, grants of
// unknown companies. The texts hold ids only, and that of a fault is the same
// whatever else is wrong.
func Problems(records Records) []string {
	p := problems{all: true}
	p.addAll(records.Faults)
	newTree(sanitize(records.Companies, &p)).granted(records.Grants, &p)
	return p.report()
}
