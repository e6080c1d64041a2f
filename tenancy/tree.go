package tenancy

import (
	"cmp"
	"slices"
)

// tree is the directory's companies in pre-order: a company is followed by all
// that are below it, so that a subtree is a range of positions. It never
// changes once it is built.
type tree struct {
	companies []Company         // by position; ParentID 0 where the parent does not count
	end       []int32           // by position: one past the last company below it
	depth     []int32           // by position
	position  map[CompanyID]int // of each company
	sorted    []CompanyID       // all ids, ascending
	// sortedPosition is the position of each of sorted.
	sortedPosition []int32
}

// span is a range of positions: a subtree, or one company alone.
type span struct{ from, to int }

func (s span) size() int            { return s.to - s.from }
func (s span) contains(o span) bool { return s.from <= o.from && o.to <= s.to }

// subtree is the company and all below it.
func (t *tree) subtree(position int) span { return span{position, int(t.end[position])} }

// alone is the company without what is below it.
func (t *tree) alone(position int) span { return span{position, position + 1} }

// newTree orders companies, whose ids are distinct and whose parents are all
// there and free of cycles: see contain. It takes ownership of the slice.
func newTree(companies []Company) *tree {
	sortSiblings(companies)
	children := make(map[CompanyID][]int, len(companies))
	for i, c := range companies {
		children[c.ParentID] = append(children[c.ParentID], i)
	}
	t := &tree{
		companies: make([]Company, 0, len(companies)),
		end:       make([]int32, len(companies)),
		depth:     make([]int32, 0, len(companies)),
		position:  make(map[CompanyID]int, len(companies)),
		sorted:    make([]CompanyID, 0, len(companies)),
	}
	t.number(companies, children)
	for _, c := range companies {
		t.sorted = append(t.sorted, c.ID)
	}
	slices.Sort(t.sorted)
	for _, id := range t.sorted {
		t.sortedPosition = append(t.sortedPosition, int32(t.position[id]))
	}
	return t
}

// number walks with a stack of its own: a chain of companies may be as deep as
// the directory is long.
func (t *tree) number(companies []Company, children map[CompanyID][]int) {
	type step struct {
		siblings []int // those yet to visit
		depth    int32
		parent   int // position
	}
	stack := []step{{siblings: children[0], parent: -1}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.siblings) == 0 {
			if top.parent >= 0 {
				t.end[top.parent] = int32(len(t.companies))
			}
			stack = stack[:len(stack)-1]
			continue
		}
		company, depth := companies[top.siblings[0]], top.depth
		top.siblings = top.siblings[1:]
		at := len(t.companies)
		t.companies = append(t.companies, company)
		t.depth = append(t.depth, depth)
		t.position[company.ID] = at
		stack = append(stack, step{siblings: children[company.ID], depth: depth + 1, parent: at})
	}
}

// sortSiblings sorts by name, then id.
func sortSiblings(companies []Company) {
	slices.SortFunc(companies, func(a, b Company) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

// outermost drops the spans that lie within another one. Spans of one tree
// never overlap otherwise.
func outermost(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to))
	})
	remaining := spans[:0]
	for _, s := range spans {
		if len(remaining) == 0 || !remaining[len(remaining)-1].contains(s) {
			remaining = append(remaining, s)
		}
	}
	return remaining
}

// joined makes one of spans that follow each other without a gap, such as those
// of siblings. The spans are as outermost returns them.
func joined(spans []span) []span {
	var whole []span
	for _, s := range spans {
		if n := len(whole); n > 0 && whole[n-1].to == s.from {
			whole[n-1].to = s.to
			continue
		}
		whole = append(whole, s)
	}
	return whole
}

// intersect cuts spans down to bounds, both as outermost returns them.
func intersect(spans, bounds []span) []span {
	var both []span
	for _, s := range spans {
		for _, b := range bounds {
			switch {
			case b.contains(s):
				both = append(both, s)
			case s.contains(b):
				both = append(both, b)
			}
		}
	}
	return outermost(both)
}

// without takes the taken spans out of spans, both as outermost returns them. So is what is
// left, and no span of it need be a subtree.
func without(spans, taken []span) []span {
	if len(taken) == 0 {
		return spans
	}
	var left []span
	for _, s := range spans {
		for len(taken) > 0 && taken[0].to <= s.from {
			taken = taken[1:]
		}
		from := s.from
		for _, t := range taken {
			if t.from >= s.to {
				break
			}
			if from < t.from {
				left = append(left, span{from, t.from})
			}
			from = max(from, t.to)
		}
		if from < s.to {
			left = append(left, span{from, s.to})
		}
	}
	return left
}

// covers reports whether one of the spans, as outermost returns them, contains
// the position.
func covers(spans []span, position int) bool {
	after, found := slices.BinarySearchFunc(spans, position, func(s span, at int) int { return cmp.Compare(s.from, at) })
	return found || after > 0 && position < spans[after-1].to
}
