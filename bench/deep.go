package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// deepFor is how long pages of either kind are asked for.
	deepFor = 5 * time.Second
	// neighbours are the pages on both sides of the deep one that are asked for.
	neighbours = 50
	deepLimit  = 10
)

// deepCommand measures pages in the middle of an order beside the first one.
type deepCommand struct {
	Scopegate     string `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions      int    `default:"1000000" help:"Sessions to page through (default ${default})."`
	Elasticsearch string `required:"" env:"SCOPEGATE_TEST_ELASTICSEARCH" placeholder:"URL" help:"http://HOST:PORT"`
	Out           string `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// Run measures and reports.
func (c deepCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	b.onBoth(c.Elasticsearch)
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	offset := c.Sessions / 2
	result := table{
		title: "Deep pages",
		note: fmt.Sprintf("Of all companies, in the default order, cache off, without a count, one request at a time: the first %d sessions; those at "+
			"offset %s, asked for the first time; the %d pages around those, medians. Target: at most 5 times the first page.",
			deepLimit, thousands(offset), 2*neighbours),
		head: []string{"engine", "first page", "deep, cold", "deep, warm", "**warm ÷ first**"},
	}
	for _, e := range b.engines {
		row, err := b.deep(ctx, e, offset)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		result.rows = append(result.rows, row)
	}
	about := fmt.Sprintf("%s sessions; gateway, engine and load share %s.", thousands(c.Sessions), processor())
	return publish(std.out, c.Out, "bench-deep", markdown(target("bench-deep", c.Sessions, defaultSeconds), about, []table{result}))
}

func (b *bench) deep(ctx context.Context, e engine, offset int) (_ []string, err error) {
	gateway, err := b.uncached(ctx, e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	page := func(offset int) request {
		path := fmt.Sprintf("%s?showAllSupervised=true&withoutCount=true&limit=%d&offset=%d", listPath, deepLimit, offset)
		return newRequest(http.MethodGet, gateway.address(), path, b.caller(gateway).header(), nil)
	}
	p50 := func(requests ...request) (time.Duration, error) {
		s, err := load{address: gateway.address(), requests: requests, workers: 1}.run(ctx, deepFor)
		return s.percentile(50), err
	}
	b.say("%s: the first page, and at offset %s", e.name, thousands(offset))
	first, err := p50(page(0))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := answers(ctx, gateway.address(), []request{page(offset)}); err != nil {
		return nil, err
	}
	cold := time.Since(began)
	var around []request
	for i := -neighbours; i < neighbours; i++ {
		around = append(around, page(offset+i*deepLimit))
	}
	warm, err := p50(around...)
	return []string{
		e.name, milliseconds(first), milliseconds(cold), milliseconds(warm), "**" + times(ratio(warm, first)) + "**",
	}, err
}
