package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
)

const (
	// keepAlive is how long a point in time outlives the last request on it, and
	// keepEvery how often one that is held is asked for nothing.
	keepAlive    = "1m"
	keepEvery    = 20 * time.Second
	closeTimeout = 5 * time.Second
)

// stepPaths are all that a step needs of its answer.
const stepPaths = "took timed_out pit_id _shards.total _shards.failed hits.total hits.hits.sort"

// pit is a point in time of an index: what is searched on it stays the same.
type pit struct {
	ID        string `json:"id"`
	KeepAlive string `json:"keep_alive"`
}

// walk goes to a page that no single search can reach, by sort values only, all
// on one point in time. The first request counts.
func (s *Store) walk(ctx context.Context, p plan, t *tally) (page answer, err error) {
	err = s.onPointInTime(ctx, s.names(session.KindSession).read, func(at *pit) error {
		const pages = 2 // of rows between anchors: reading them too takes less than a step
		total, ended, err := s.pass(ctx, &p, at, pages*s.limits.anchorEvery, t)
		if err != nil || ended {
			page.Hits.Total = total
			return err
		}
		page, err = s.pageAt(ctx, p, at, t)
		if errors.Is(err, search.ErrPageTooLarge) && p.skip > 0 { // with the rows before it
			page, err = s.pageBehind(ctx, p, at, t)
		}
		if !p.count { // it was counted on the way
			page.Hits.Total = total
		}
		return err
	})
	return page, err
}

// pageAt reads the page, and with it the rows before it that are left to skip.
func (s *Store) pageAt(ctx context.Context, p plan, at *pit, t *tally) (answer, error) {
	r := p.page()
	r.PIT, r.From, r.Size = at, 0, r.Size+p.skip
	page, err := s.askRows(ctx, p, r, t)
	page.Hits.Hits = page.Hits.Hits[min(p.skip, len(page.Hits.Hits)):]
	return page, err
}

// pageBehind skips all rows before the page first, and reads the page alone.
func (s *Store) pageBehind(ctx context.Context, p plan, at *pit, t *tally) (page answer, err error) {
	total, ended, err := s.pass(ctx, &p, at, 0, t)
	if err == nil && !ended {
		page, err = s.pageAt(ctx, p, at, t)
	}
	if !p.count || ended {
		page.Hits.Total = total
	}
	return page, err
}

// pass moves the plan's start past the rows that it skips, but for few, from an
// anchor on if there is one, and remembers others. The first step counts, if
// there is one.
func (s *Store) pass(ctx context.Context, p *plan, at *pit, few int, t *tally) (total hitTotal, ended bool, err error) {
	if err := s.seek(ctx, p, at, t); err != nil {
		return total, false, err
	}
	fromStart := p.start == nil || p.passed > 0
	for p.skip > few {
		passed, wanted := p.step(at, s.limits.window)
		step, err := s.ask(ctx, p.query, wanted, t, paths(stepPaths)...)
		if err != nil {
			return total, false, err
		}
		if p.count {
			total, p.count = step.Hits.Total, false
		}
		hits := step.Hits.Hits
		if len(hits) < wanted.Size {
			return total, true, nil
		}
		if fromStart {
			s.anchors.Add(p.key, p.anchors(hits, wanted.From, s.limits.anchorEvery)...)
		}
		p.start = hits[wanted.Size-1].Sort
		p.passed += passed
		p.skip -= passed
	}
	return total, false, nil
}

// step passes as many rows as one search can reach. From the start on the last
// of them alone is asked for; Elasticsearch skips nothing behind a position.
func (p plan) step(at *pit, window int) (passed int, r request) {
	passed = min(p.skip, window)
	r = request{
		Size: passed, Count: p.count, PIT: at, Stored: "_none_",
		Sort: sortClauses(p.terms), SearchAfter: p.start,
	}
	if p.start == nil {
		r.From, r.Size = passed-1, 1
	}
	return passed, r
}

// onPointInTime opens a point in time for as long as f runs.
func (s *Store) onPointInTime(ctx context.Context, index string, f func(at *pit) error) error {
	at, err := s.openPointInTime(ctx, index)
	if err != nil {
		return err
	}
	// It holds files on the cluster: it is let go of also when the caller is gone.
	defer s.closePointInTime(context.WithoutCancel(ctx), at)
	return f(at)
}

func (s *Store) openPointInTime(ctx context.Context, index string) (*pit, error) {
	opened := struct {
		*pit

		Shards struct {
			Total int `json:"total"` // 0 before Elasticsearch 8.16
		} `json:"_shards"`
	}{pit: &pit{KeepAlive: keepAlive}}
	err := s.client.call(ctx, esapi.OpenPointInTimeRequest{
		Index: []string{index}, KeepAlive: keepAlive, AllowPartialSearchResults: no(), Instrument: s.client.instrument,
	}, &opened)
	if err == nil && index == s.names(session.KindSession).read {
		if err = s.fitsShards(ctx, opened.Shards.Total); err != nil {
			s.closePointInTime(context.WithoutCancel(ctx), opened.pit)
		}
	}
	return opened.pit, err
}

// closePointInTime has no error to tell: what is not closed ends by itself.
func (s *Store) closePointInTime(ctx context.Context, at *pit) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"id": at.ID})
	if err == nil {
		_ = s.client.call(ctx, esapi.ClosePointInTimeRequest{Body: bytes.NewReader(body), Instrument: s.client.instrument}, nil)
	}
}

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
