package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// load sends the requests in turn, again and again: each worker, on a
// connection of its own, sends the next as soon as it has its answer.
type load struct {
	address  string // HOST:PORT
	requests []request
	workers  int
	// looked, unless nil, is shown each answer's header, by several workers at
	// once.
	looked func(http.Header)
	// cpu, unless nil, is what the server has used of processors so far.
	cpu func() time.Duration
}

// run goes on for so long. It ends with the first answer that is not 200.
func (l load) run(ctx context.Context, d time.Duration) (sample, error) {
	var next atomic.Int64
	took := make([][]time.Duration, l.workers)
	workers, ctx := errgroup.WithContext(ctx)
	used := l.used()
	began := time.Now()
	for i := range l.workers {
		workers.Go(func() error {
			c := &connection{address: l.address}
			defer c.close()
			for time.Since(began) < d {
				if err := ctx.Err(); err != nil {
					return err
				}
				r := l.requests[int(next.Add(1)-1)%len(l.requests)]
				one, err := l.one(ctx, c, r)
				if err != nil {
					return err
				}
				took[i] = append(took[i], one)
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return sample{}, fmt.Errorf("load on %s: %w", l.address, err)
	}
	elapsed := time.Since(began)
	var all []time.Duration
	for _, of := range took {
		all = append(all, of...)
	}
	s := newSample(all, elapsed)
	s.cpu = l.used() - used
	return s, nil
}

func (l load) used() time.Duration {
	if l.cpu == nil {
		return 0
	}
	return l.cpu()
}

func (l load) one(ctx context.Context, c *connection, r request) (time.Duration, error) {
	if err := c.dial(ctx); err != nil { // is not part of an answer's time
		return 0, err
	}
	began := time.Now()
	header, err := c.send(ctx, r, nil)
	took := time.Since(began)
	if err == nil && l.looked != nil {
		l.looked(header)
	}
	return took, err
}

// once sends every request once.
func (l load) once(ctx context.Context) error {
	var next atomic.Int64
	workers, ctx := errgroup.WithContext(ctx)
	for range l.workers {
		workers.Go(func() error {
			c := &connection{address: l.address}
			defer c.close()
			for {
				i := int(next.Add(1) - 1)
				if i >= len(l.requests) {
					return nil
				}
				if _, err := l.one(ctx, c, l.requests[i]); err != nil {
					return fmt.Errorf("load on %s: %w", l.address, err)
				}
			}
		})
	}
	return workers.Wait()
}
