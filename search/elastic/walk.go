package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
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
