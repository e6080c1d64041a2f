package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// straightPool is how many different searches take turns in a load.
const straightPool = 32

// shape is a kind of search whose answers straight from Elasticsearch are
// compared with the gateway's.
type shape struct {
	name    string
	queries []query
}

func (b *bench) shapes(names []string) ([]shape, error) {
	d := newDice()
	words, err := d.keywords(names, straightPool, 5)
	if err != nil {
		return nil, err
	}
	withWords := d.scopes(straightPool, 1000)
	for i := range withWords {
		withWords[i] = withWords[i].and(query{"keyword": words[i]})
	}
	return []shape{
		{"newest 10 and count, 1 company", d.scopes(straightPool, 1)},
		{"newest 10 and count, 1,000 companies", d.scopes(straightPool, 1000)},
		{"keyword of 5 characters, 1,000 companies", withWords},
	}, nil
}

// overhead compares the gateway, its cache off, with the searches that it sends
// to Elasticsearch, sent there straight.
func (b *bench) overhead(ctx context.Context, gateway caller, names []string) (_ table, err error) {
	result := table{
		title: "The gateway ÷ the same searches straight at Elasticsearch",
		note: fmt.Sprintf("Cache off, so that each request is one search; straight, its recorded bytes are sent again. p50 / p99 of one request "+
			"at a time; requests a second of %d at a time. Target: p50 at most 1 ms more, throughput ratio at least 0.80. The proxy is Go's "+
			"httputil.ReverseProxy, which looks at nothing: what any gateway in Go takes at least.", b.busy),
		head: []string{"search", "straight", "gateway", "p50 more", "straight, 1/s", "gateway, 1/s", "**ratio**"},
	}
	shapes, err := b.shapes(names)
	if err != nil {
		return table{}, err
	}
	straight, err := b.recorded(ctx, shapes)
	if err != nil {
		return table{}, err
	}
	bare, err := b.start(ctx, b.self, "forward", "--to", b.elastic.url)
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	for i, s := range shapes {
		b.say("gateway and straight: %s", s.name)
		requests, err := gateway.searches(s.queries)
		if err != nil {
			return table{}, err
		}
		if err := b.checkSame(ctx, gateway.address, requests, straight[i]); err != nil {
			return table{}, err
		}
		through := load{address: gateway.address, requests: requests}
		row, err := b.compare(ctx, s.name, pair{subject: through, baseline: load{address: b.elastic.host(), requests: straight[i]}})
		if err != nil {
			return table{}, err
		}
		result.rows = append(result.rows, row)
		atElastic := load{address: b.elastic.host(), requests: straight[i]}
		forwarded := load{address: bare.address(), requests: straight[i], cpu: bare.cpu}
		row, err = b.compare(ctx, "the same through a proxy that does nothing", pair{subject: forwarded, baseline: atElastic})
		if err != nil {
			return table{}, err
		}
		result.rows = append(result.rows, row)
	}
	return result, nil
}

// compare runs the pair one request at a time and then busily.
func (b *bench) compare(ctx context.Context, name string, p pair) ([]string, error) {
	p.subject.workers, p.baseline.workers = 1, 1
	calm, err := p.run(ctx, b.perCase)
	if err != nil {
		return nil, err
	}
	p.subject.workers, p.baseline.workers = b.busy, b.busy
	busy, err := p.run(ctx, b.perCase)
	if err != nil {
		return nil, err
	}
	more := median(each(calm, func(t turn) time.Duration { return t.subject.percentile(50) - t.baseline.percentile(50) }))
	row := []string{
		name,
		percentiles(calm, baselineOf), percentiles(calm, subjectOf), milliseconds(more),
		rate(busy, baselineOf), rate(busy, subjectOf),
		"**" + times(median(each(busy, func(t turn) float64 { return ratio(t.subject.rate(), t.baseline.rate()) }))) + "**",
	}
	b.say("  %s; CPU for an answer: %v, beside %v", strings.Join(row[1:], " | "), cost(busy, subjectOf), cost(busy, baselineOf))
	return row, nil
}

func subjectOf(t turn) sample  { return t.subject }
func baselineOf(t turn) sample { return t.baseline }

// percentiles are the medians of the turns' p50 and p99.
func percentiles(turns []turn, of func(turn) sample) string {
	p := func(p int) time.Duration {
		return median(each(turns, func(t turn) time.Duration { return of(t).percentile(p) }))
	}
	return milliseconds(p(50)) + " / " + milliseconds(p(99))
}

func cost(turns []turn, of func(turn) sample) time.Duration {
	return median(each(turns, func(t turn) time.Duration { return of(t).cost() })).Round(time.Microsecond)
}

// rate is the median of the turns' answers a second.
func rate(turns []turn, of func(turn) sample) string {
	return thousands(int(median(each(turns, func(t turn) float64 { return of(t).rate() }))))
}

// recorded has a gateway behind a recorder answer every search, and returns what
// it sent to Elasticsearch for each.
func (b *bench) recorded(ctx context.Context, shapes []shape) (straight [][]request, err error) {
	r, err := startRecorder(ctx, b.elastic)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	gateway, err := b.gateway(ctx, append(r.settings(b.engines[0]), cacheOff)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	for _, s := range shapes {
		requests, err := b.caller(gateway).searches(s.queries)
		if err != nil {
			return nil, err
		}
		searches, err := r.straight(ctx, gateway.address(), requests)
		if err != nil {
			return nil, err
		}
		straight = append(straight, searches)
	}
	return straight, nil
}

var errNotSame = errors.New("gateway and Elasticsearch count differently")

// checkSame compares the counts of both sides: it is the same search only then.
func (b *bench) checkSame(ctx context.Context, gateway string, requests, straight []request) error {
	ours, err := answers(ctx, gateway, requests)
	if err != nil {
		return err
	}
	theirs, err := answers(ctx, b.elastic.host(), straight)
	if err != nil {
		return err
	}
	for i := range ours {
		var page struct{ Count int }
		var hits struct {
			Hits struct{ Total struct{ Value int } }
		}
		if err := errors.Join(json.Unmarshal(ours[i], &page), json.Unmarshal(theirs[i], &hits)); err != nil {
			return err
		}
		if page.Count != hits.Hits.Total.Value {
			return fmt.Errorf("%w: %d and %d", errNotSame, page.Count, hits.Hits.Total.Value)
		}
	}
	return nil
}
