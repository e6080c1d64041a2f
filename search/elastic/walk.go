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
	// keepAlive is how long a point in time survives after its last request.
	// keepEvery is the interval of the empty requests that keep one alive.
	keepAlive    = "1m"
	keepEvery    = 20 * time.Second
	closeTimeout = 5 * time.Second
)

// stepPaths are the needed parts of a step's answer.
const stepPaths = "took timed_out pit_id _shards.total _shards.failed hits.total hits.hits.sort"

// pit is a point in time of an index: all searches on it see the same data.
type pit struct {
	ID        string `json:"id"`
	KeepAlive string `json:"keep_alive"`
}

// renew stores the id of the latest answer, since Elasticsearch may change the id.
func (p *pit) renew(id string) {
	if id != "" {
		p.ID = id
	}
}

// walk moves to a row that no single request can reach, reading sort values only,
// on one point in time.
type walk struct {
	*view

	plan  plan     // from the current place on: start, passed and skip move
	total hitTotal // the count, once a step has made it; then the plan counts no more
}

// walk reads a page that no single request can reach.
func (v *view) walk(ctx context.Context, p plan) (page answer, err error) {
	err = v.onPointInTime(ctx, func() error {
		w := &walk{view: v, plan: p}
		page, err = w.page(ctx)
		return err
	})
	return page, err
}

func (w *walk) page(ctx context.Context) (answer, error) {
	const pages = 2 // anchor distances: reading that many rows as well takes less than a step
	page, err := w.pageAfterSkip(ctx, pages*w.store.limits.anchorEvery)
	if errors.Is(err, search.ErrPageTooLarge) && w.plan.skip > 0 { // counting the rows before it
		page, err = w.pageAfterSkip(ctx, 0)
	}
	if !w.plan.count {
		page.Hits.Total = w.total
	}
	return page, err
}

// pageAfterSkip skips rows until at most few are left to skip, and reads these
// together with the page.
func (w *walk) pageAfterSkip(ctx context.Context, few int) (answer, error) {
	ended, err := w.skipTo(ctx, few)
	if err != nil || ended {
		return answer{}, err
	}
	r := w.plan.page()
	r.From, r.Size = 0, r.Size+w.plan.skip
	page, err := w.askRows(ctx, w.plan, r)
	page.Hits.Hits = page.Hits.Hits[min(w.plan.skip, len(page.Hits.Hits)):]
	return page, err
}

// skipTo moves the start forward until at most few rows are left to skip. It starts
// from an anchor if there is one, and stores further anchors. The first step, if
// any, makes the count. ended reports that there are no more rows.
func (w *walk) skipTo(ctx context.Context, few int) (ended bool, err error) {
	if err := w.seek(ctx); err != nil {
		return false, err
	}
	p := &w.plan
	fromStart := p.start == nil || p.passed > 0
	for p.skip > few {
		passed, wanted := p.step(w.store.limits.window)
		step, err := w.ask(ctx, p.query, wanted, paths(stepPaths)...)
		if err != nil {
			return false, err
		}
		if p.count {
			w.total, p.count = step.Hits.Total, false
		}
		hits := step.Hits.Hits
		if len(hits) < wanted.Size {
			return true, nil
		}
		if fromStart {
			w.store.anchors.Add(p.key, p.anchors(hits, wanted.From, w.store.limits.anchorEvery)...)
		}
		p.start = hits[wanted.Size-1].Sort
		p.passed += passed
		p.skip -= passed
	}
	return false, nil
}

// step skips as many rows as one search can reach. From the start, only the last of
// them is requested; after a position, Elasticsearch cannot skip, so all are
// requested.
func (p plan) step(window int) (passed int, r request) {
	passed = min(p.skip, window)
	r = request{
		Size: passed, Count: p.count, Stored: "_none_",
		Sort: sortClauses(p.terms), SearchAfter: p.start,
	}
	if p.start == nil {
		r.From, r.Size = passed-1, 1
	}
	return passed, r
}

// onPointInTime runs f with the view on a point in time: its own, if it is on one.
func (v *view) onPointInTime(ctx context.Context, f func() error) error {
	if v.pit != nil {
		return f()
	}
	return v.store.onPointInTime(ctx, v.alias, func(at *pit) error {
		v.pit = at
		return f()
	})
}

// onPointInTime opens a point in time, runs f and closes it.
func (s *Store) onPointInTime(ctx context.Context, index string, f func(at *pit) error) error {
	at, err := s.openPointInTime(ctx, index)
	if err != nil {
		return err
	}
	// A point in time holds files on the cluster, so it is closed also when the
	// caller has left.
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
		Index: []string{index}, KeepAlive: keepAlive, AllowPartialSearchResults: new(false), Instrument: s.client.instrument,
	}, &opened)
	if err == nil && index == s.searched() {
		if err = s.fitsShards(ctx, opened.Shards.Total); err != nil {
			s.closePointInTime(context.WithoutCancel(ctx), opened.pit)
		}
	}
	return opened.pit, err
}

// closePointInTime reports no error: an unclosed point in time expires by itself.
func (s *Store) closePointInTime(ctx context.Context, at *pit) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"id": at.ID})
	if err == nil {
		_ = s.client.call(ctx, esapi.ClosePointInTimeRequest{Body: bytes.NewReader(body), Instrument: s.client.instrument}, nil)
	}
}

// anchorBytes is the memory that all anchors together may take.
const anchorBytes = 16 << 20

// seek moves the start to an anchor before the page. An anchor is a guess: the rows
// before it are counted again on this point in time. So it may be old; rows that
// were written since make the way longer, but never the page wrong.
func (w *walk) seek(ctx context.Context) error {
	p := &w.plan
	if p.start != nil {
		return nil
	}
	for rows := p.skip; ; {
		anchor, ok := w.store.anchors.Below(p.key, rows)
		if !ok {
			return nil
		}
		rank, err := w.rank(ctx, anchor.Position)
		if err != nil {
			return err
		}
		if rank <= p.skip {
			p.start, p.passed, p.skip = after(p.terms, anchor.Position), rank, p.skip-rank
			return nil
		}
		// Rows were inserted before the anchor. Try one earlier anchor; after that,
		// walking is cheaper.
		if rows != p.skip {
			return nil
		}
		rows = anchor.Rows - (rank - p.skip)
	}
}

// rank counts the rows up to and including a position.
func (w *walk) rank(ctx context.Context, place search.Position) (int, error) {
	query, err := narrowed(w.plan.query, notAfter(w.plan.terms, place))
	if err != nil {
		return 0, err
	}
	a, err := w.ask(ctx, query, request{Count: true})
	return int(a.Hits.Total.Value), err
}

// narrowed adds a condition to a query that already has its scope.
func narrowed(query json.RawMessage, more clause) (json.RawMessage, error) {
	added, err := json.Marshal(more)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	return slices.Concat([]byte(`{"bool":{"filter":[`), query, []byte{','}, added, []byte(`]}}`)), nil
}

// notAfter is the condition that a row is at a position or before it. The position
// has all sort values of a row, or the first ones.
func notAfter(terms []sortTerm, p search.Position) clause {
	var ways, equal []clause
	for i, value := range p.Values {
		ways = append(ways, allOf(append(slices.Clone(equal), terms[i].before(value))))
		equal = append(equal, terms[i].equal(value))
	}
	return anyClause(append(ways, allOf(equal))...)
}

func allOf(conditions []clause) clause { return clause{"bool": clause{"filter": conditions}} }

func (t sortTerm) exists() clause { return clause{"exists": clause{"field": t.column}} }

// before is the condition that a row's value comes before the given one. Missing
// values are last, except for counts, where they are 0.
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

// anchors chooses some of the hits of a step as anchors; before is the number of
// rows that the step skips before the hits. Anchors are at least every rows apart,
// and about twice that where the keys before the id seldom change. The best anchor
// is the last row of several that are equal except for the id: counting the rows up
// to it compares no ids, which would cost most.
func (p plan) anchors(hits []hit, before, every int) []paging.Anchor {
	var found []paging.Anchor
	last := p.passed
	for i := range hits {
		rows := p.passed + before + i + 1
		ends := len(p.terms) > 1 && i+1 < len(hits) && !p.sameButID(hits[i], hits[i+1])
		if rows-last < every || !ends && rows-last < 2*every && len(p.terms) > 1 {
			continue
		}
		if place, err := toPosition(p.terms, hits[i].Sort); err == nil {
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
