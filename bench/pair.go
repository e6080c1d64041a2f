package main

import (
	"context"
	"time"
)

// rounds is how many turns each side of a comparison gets. It is odd, so that
// the median is one of them.
const rounds = 5

// warmUp is how long each side runs before the first turn: connections and the
// servers' own caches settle.
const warmUp = 300 * time.Millisecond

// pair is two loads that are to be compared.
type pair struct {
	subject, baseline load
	// before, unless nil, is called before each turn of the subject.
	before func(ctx context.Context) error
}

// run gives either side d in all, in rounds turns, and lets them take turns at
// going first.
func (p pair) run(ctx context.Context, d time.Duration) ([]turn, error) {
	if _, err := p.turn(ctx, warmUp, true); err != nil {
		return nil, err
	}
	turns := make([]turn, rounds)
	for i := range turns {
		var err error
		if turns[i], err = p.turn(ctx, d/rounds, i%2 == 0); err != nil {
			return nil, err
		}
	}
	return turns, nil
}

func (p pair) turn(ctx context.Context, d time.Duration, subjectFirst bool) (t turn, err error) {
	subject := func() error {
		if p.before != nil {
			if err := p.before(ctx); err != nil {
				return err
			}
		}
		t.subject, err = p.subject.run(ctx, d)
		return err
	}
	baseline := func() error {
		t.baseline, err = p.baseline.run(ctx, d)
		return err
	}
	order := []func() error{baseline, subject}
	if subjectFirst {
		order = []func() error{subject, baseline}
	}
	for _, side := range order {
		if err := side(); err != nil {
			return turn{}, err
		}
	}
	return t, nil
}
