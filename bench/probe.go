package main

import (
	"context"
	"time"
)

const (
	// probeSize is how many different searches a probe asks.
	probeSize = 24
	// fewest is how many of them a pass asks, however long it takes.
	fewest = 3
	// settling is how many passes over the same searches come before those that
	// count as seen: Elasticsearch keeps a filter from its second to fifth use.
	settling = 5
	// passes is how many passes count at most: more would only take longer.
	passes = 10
)

// probed is how long searches took that had not been asked before, and when
// they were asked again.
type probed struct{ unseen, seen time.Duration } // medians

// probe asks the searches one at a time: each once, or as many as half of d is
// enough for, and then those again until d is over.
func probe(ctx context.Context, address string, searches []request, d time.Duration) (probed, error) {
	p := prober{connection: &connection{address: address}, ends: time.Now().Add(d / 2)}
	defer p.connection.close()
	first, err := p.pass(ctx, searches)
	if err != nil {
		return probed{}, err
	}
	searches = searches[:len(first)]
	p.ends = p.ends.Add(d / 2)
	var again []time.Duration
	for pass := 0; pass <= settling || pass < settling+passes && time.Now().Before(p.ends); pass++ {
		took, err := p.pass(ctx, searches)
		if err != nil {
			return probed{}, err
		}
		if pass >= settling {
			again = append(again, took...)
		}
	}
	return probed{unseen: median(first), seen: median(again)}, nil
}

type prober struct {
	connection *connection
	ends       time.Time
}

// pass asks each once, or, when the time is over, the fewest.
func (p prober) pass(ctx context.Context, searches []request) ([]time.Duration, error) {
	var took []time.Duration
	for i, search := range searches {
		if i >= fewest && time.Now().After(p.ends) {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		one, err := load{}.one(ctx, p.connection, search)
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	return took, nil
}
