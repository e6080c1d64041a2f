package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// searchCase is a row of a table of searches: two lots of queries of one sort,
// so that one can be asked for the page alone and the other, as new, with the
// count.
type searchCase struct {
	name    string
	queries []query
}

// scopeCases ask for the newest sessions of scopes of several sizes.
func scopeCases() []searchCase {
	d := newDice()
	var cases []searchCase
	for _, companies := range []int{1, 1000, 10_000} {
		cases = append(cases, searchCase{thousands(companies), d.scopes(2*probeSize, companies)})
	}
	return cases
}

// keywordCases look for keywords of several lengths in all sessions; the first
// looks for none, which has the scope known to the engine.
func keywordCases(names []string) ([]searchCase, error) {
	d := newDice()
	cases := []searchCase{{"none", slices.Repeat([]query{everything()}, 2*probeSize)}}
	for _, length := range []int{1, 2, 3, 12} {
		words, err := d.keywords(names, 2*probeSize, length)
		if err != nil {
			return nil, err
		}
		c := searchCase{name: strconv.Itoa(length)}
		for _, word := range words {
			c.queries = append(c.queries, everything().and(query{"keyword": word}))
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// searchHead is the head of a table of searches, the first two columns aside.
func searchHead() []string {
	return []string{"page, unseen", "page, seen", "page and count, unseen", "page and count, seen"}
}

// searches measures each case on the engine. Behind each figure is its ratio to
// that of the first case.
func (b *bench) searches(ctx context.Context, e engine, gateway caller, cases []searchCase) ([][]string, error) {
	if err := e.forget(ctx); err != nil {
		return nil, err
	}
	var first []probed
	var rows [][]string
	for _, c := range cases {
		b.say("%s: %s", e.name, c.name)
		row := []string{e.name, c.name}
		both, err := b.probeCase(ctx, gateway, c)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = both
		}
		for i, p := range both {
			row = append(row,
				fmt.Sprintf("%s (×%s)", milliseconds(p.unseen), times(ratio(p.unseen, first[i].unseen))),
				fmt.Sprintf("%s (×%s)", milliseconds(p.seen), times(ratio(p.seen, first[i].seen))))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// probeCase asks for the page, with one half of the queries, and for page and
// count, with the other.
func (b *bench) probeCase(ctx context.Context, gateway caller, c searchCase) ([]probed, error) {
	half := len(c.queries) / 2
	var pages []query
	for _, q := range c.queries[:half] {
		pages = append(pages, q.and(pageOnly()))
	}
	var found []probed
	for _, queries := range [][]query{pages, c.queries[half:]} {
		requests, err := gateway.searches(queries)
		if err != nil {
			return nil, err
		}
		p, err := probe(ctx, gateway.address, requests, b.perCase)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}
