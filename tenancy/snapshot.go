package tenancy

import (
	"math/bits"
	"slices"
)

// Records are all companies and grants of a directory, in any order.
type Records struct {
	Companies []Company
	Grants    []Grant
	// Faults are what the source had to repair or leave out, in words without
	// names or subjects. They are reported among the directory's problems.
	Faults []string
}

// snapshot is the directory as it was at one time. Only the remembered scopes
// of it change.
type snapshot struct {
	*tree
	version  string
	grants   map[Account][]span // subtrees of the known companies, as outermost returns them
	problems []string
	faulty   int // problems, also those that are too many for the list
	scopes   scopeMemo
}

// newSnapshot takes over from the previous one, which may be nil, what scopes
// are being asked for.
func newSnapshot(version string, records Records, previous *snapshot) *snapshot {
	var p problems
	p.addAll(records.Faults)
	s := &snapshot{tree: newTree(sanitize(records.Companies, &p)), version: version}
	s.grants = s.granted(records.Grants, &p)
	s.problems, s.faulty = p.report(), len(p.list)+p.more
	s.warm(previous)
	return s
}

// granted are the subtrees that the grants give, those of unknown companies left
// out.
func (t *tree) granted(grants []Grant, p *problems) map[Account][]span {
	granted := make(map[Account][]span)
	for _, g := range grants {
		if err := g.Validate(); err != nil {
			p.add("a grant of company %d is left out: %v", g.CompanyID, err)
			continue
		}
		at, known := t.position[g.CompanyID]
		if !known {
			p.add("a grant names company %d, which is not in the directory: it gives nothing", g.CompanyID)
			continue
		}
		granted[g.Account] = append(granted[g.Account], t.subtree(at))
	}
	for account, spans := range granted {
		granted[account] = outermost(spans)
	}
	return granted
}

// reach is what the principal may ever see, as outermost spans.
//
// SECURITY: this is the one place where a principal becomes companies.
func (s *snapshot) reach(p Principal) ([]span, error) {
	own, known := s.position[p.company]
	if !known {
		return nil, errCompanyUnknown
	}
	bounds := s.subtrees(p.bounds)
	if len(p.bounds) > 0 && !covers(bounds, own) {
		return nil, errCompanyOfAnother
	}
	if !p.supervisor {
		return []span{s.alone(own)}, nil
	}
	spans := outermost(append([]span{s.subtree(own)}, s.grants[p.account]...))
	if len(p.bounds) > 0 {
		spans = intersect(spans, bounds)
	}
	return spans, nil
}

// subtrees are the outermost subtrees of those companies that are known.
func (s *snapshot) subtrees(ids []CompanyID) []span {
	spans := make([]span, 0, len(ids))
	for _, id := range ids {
		if at, known := s.position[id]; known {
			spans = append(spans, s.subtree(at))
		}
	}
	return outermost(spans)
}

// scope is the scope of all companies within the spans.
func (s *snapshot) scope(spans []span) Scope {
	size := 0
	for _, sp := range spans {
		size += sp.size()
	}
	if size < memoWorth {
		return newScope(s.ids(spans, size))
	}
	key := spansKey(spans)
	if known, ok := s.scopes.get(key); ok {
		return known
	}
	made := newScope(s.ids(spans, size))
	s.scopes.put(key, &remembered{scope: made, heads: s.heads(spans), requested: true})
	return made
}

// ids are those within the spans, ascending. It takes the shorter of two ways:
// sorting them, or picking them from all ids in their order. A step of sorting
// is as dear as four of picking (BenchmarkResolveFirst).
func (s *snapshot) ids(spans []span, size int) []CompanyID {
	if 4*size*bits.Len(uint(size)) >= len(s.sorted) {
		if spans = joined(spans); len(spans) == 1 {
			return s.pickOne(spans[0])
		}
		return s.pick(spans, size)
	}
	ids := make([]CompanyID, 0, size)
	for _, sp := range spans {
		for _, c := range s.companies[sp.from:sp.to] {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// pickOne writes every id where the next of the span is to be, and goes on only
// past one that is: no branch, which would be guessed wrongly half the time.
func (s *snapshot) pickOne(one span) []CompanyID {
	ids := make([]CompanyID, one.size()+1)
	n, from, size := 0, uint32(one.from), uint32(one.size())
	for i, at := range s.sortedPosition {
		ids[n] = s.sorted[i]
		within := 0
		if uint32(at)-from < size {
			within = 1
		}
		n += within
	}
	return ids[:n:n]
}

// pick is pickOne for several spans.
func (s *snapshot) pick(spans []span, size int) []CompanyID {
	within := make([]uint8, len(s.companies))
	for _, sp := range spans {
		for i := sp.from; i < sp.to; i++ {
			within[i] = 1
		}
	}
	ids, n := make([]CompanyID, size+1), 0
	for i, at := range s.sortedPosition {
		ids[n] = s.sorted[i]
		n += int(within[at])
	}
	return ids[:n:n]
}

// heads are the companies whose subtrees the spans are; none if one of the spans is
// not a subtree.
func (s *snapshot) heads(spans []span) []CompanyID {
	heads := make([]CompanyID, 0, len(spans))
	for _, sp := range spans {
		if s.subtree(sp.from) != sp {
			return nil
		}
		heads = append(heads, s.companies[sp.from].ID)
	}
	return heads
}

// warm makes scopes in advance, before anybody waits for them: those of whole trees,
// and those that callers requested of the previous snapshot.
func (s *snapshot) warm(previous *snapshot) {
	for at := 0; at < len(s.companies); at = int(s.end[at]) {
		s.scope([]span{s.subtree(at)})
	}
	if previous != nil {
		for _, heads := range previous.scopes.requested() {
			s.scope(s.subtrees(heads))
		}
	}
	s.scopes.clearRequested()
}
