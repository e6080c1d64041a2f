package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
)

// anchorBytes is what all anchors may take.
const anchorBytes = 16 << 20

// seek moves the plan's start to an anchor on the way to its page. An anchor is
// a guess: how many rows stand before it now, on this point in time, is counted.
// So it may be as old as it likes, and whatever was written meanwhile makes the
// way longer, never the page wrong.
func (s *Store) seek(ctx context.Context, p *plan, at *pit, t *tally) error {
	if p.start != nil {
		return nil
	}
	for most := p.skip; ; {
		anchor, ok := s.anchors.Below(p.key, most)
		if !ok {
			return nil
		}
		rank, err := s.rank(ctx, p, anchor.Position, at, t)
		if err != nil {
			return err
		}
		if rank <= p.skip {
			p.start, p.passed, p.skip = after(p.terms, anchor.Position), rank, p.skip-rank
			return nil
		}
		// So many rows came in before it. One guess more, then the walk is shorter.
		if most != p.skip {
			return nil
		}
		most = anchor.Rows - (rank - p.skip)
	}
}

// rank counts the rows up to a position.
func (s *Store) rank(ctx context.Context, p *plan, place search.Position, at *pit, t *tally) (int, error) {
	query, err := narrowed(p.query, upTo(p.terms, place))
	if err != nil {
		return 0, err
	}
	a, err := s.ask(ctx, query, request{Count: true, PIT: at}, t)
	return int(a.Hits.Total.Value), err
}

// narrowed adds a condition to a query that has its scope.
func narrowed(query json.RawMessage, more clause) (json.RawMessage, error) {
	added, err := json.Marshal(more)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	return slices.Concat([]byte(`{"bool":{"filter":[`), query, []byte{','}, added, []byte(`]}}`)), nil
}

// upTo is the condition that a row stands at a position or before it: that of a
// row, or of the first of its values.
func upTo(terms []sortTerm, p search.Position) clause {
	var ways, equal []clause
	for i, value := range p.Values {
		ways = append(ways, allOf(append(slices.Clone(equal), terms[i].before(value))))
		equal = append(equal, terms[i].equal(value))
	}
	return anyClause(append(ways, allOf(equal))...)
}

func allOf(conditions []clause) clause { return clause{"bool": clause{"filter": conditions}} }

func (t sortTerm) exists() clause { return clause{"exists": clause{"field": t.column}} }

// before: missing values are last, but for counts, which are 0 then.
func (t sortTerm) before(value json.RawMessage) clause {
	if string(value) == "null" {
		return t.exists()
	}
	bound, zeroIsBefore := "lt", value[0] != '-' && string(value) != "0"
	if t.desc {
		bound, zeroIsBefore = "gt", value[0] == '-'
	}
	c := t.within(clause{bound: value})
	if t.missingIsZero() && zeroIsBefore {
		return anyClause(c, not(t.exists()))
	}
	return c
}

func (t sortTerm) equal(value json.RawMessage) clause {
	if string(value) == "null" {
		return not(t.exists())
	}
	c := t.within(clause{"gte": value, "lte": value})
	if t.missingIsZero() && string(value) == "0" {
		return anyClause(c, not(t.exists()))
	}
	return c
}

func (t sortTerm) within(bounds clause) clause {
	if t.field.Type == session.TypeDate {
		bounds["format"] = "epoch_millis"
	}
	return within(t.column, bounds)
}

func (t sortTerm) missingIsZero() bool {
	return !t.field.Nullable && t.field.Type == session.TypeInteger
}

// anchors are some of the hits of a step that passes so many rows before them,
// at least every rows apart and, where keys before the id seldom change, about
// twice as many. Best are rows behind which
// a key before the id changes: to count up to those takes no comparing of ids,
// which is what costs most.
func (p plan) anchors(hits []hit, before, every int) []paging.Anchor {
	var found []paging.Anchor
	last := p.passed
	for i := range hits {
		rows := p.passed + before + i + 1
		ends := len(p.terms) > 1 && i+1 < len(hits) && !p.sameButID(hits[i], hits[i+1])
		if rows-last < every || !ends && rows-last < 2*every && len(p.terms) > 1 {
			continue
		}
		if place, err := positionOf(p.terms, hits[i].Sort); err == nil {
			if ends {
				place.Values = place.Values[:len(p.terms)-1]
			}
			found = append(found, paging.Anchor{Rows: rows, Position: place})
			last = rows
		}
	}
	return found
}

func (p plan) sameButID(a, b hit) bool {
	keys := len(p.terms) - 1
	return slices.EqualFunc(a.Sort[:keys], b.Sort[:keys], func(x, y jsontext.Value) bool { return bytes.Equal(x, y) })
}
