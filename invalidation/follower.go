package invalidation

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/reason"
)

// A log that fails is read again after pauses that double.
const (
	firstPause   = 20 * time.Millisecond
	LongestPause = 500 * time.Millisecond
)

// rest is the pause after a read that had events, or a gap: events take effect in
// steps anyway, and those that come meanwhile are read together.
const rest = 50 * time.Millisecond

// StartTimeout is how long Follow waits for the first read of a slow log: what is
// loaded before it is served only while it is fresh.
const StartTimeout = 250 * time.Millisecond

// FollowerOptions are what a Follower needs beside its log; all are required.
type FollowerOptions struct {
	Logger        *slog.Logger
	MeterProvider metric.MeterProvider
	Now           func() time.Time
}

// Follower reads a log into an index.
type Follower struct {
	log     Log
	index   *Index
	metrics *metrics
	logger  *slog.Logger
	now     func() time.Time
	stop    context.CancelFunc
	stopped chan struct{}
	warned  bool // that the log is silent
	busy    bool // the last read had events, or a gap
}

// Follow returns when the log was read for the first time, or could not be, or is
// slow. It goes on until Close. Errors are those of the meter provider.
func Follow(l Log, x *Index, o FollowerOptions) (*Follower, error) {
	m, err := newMetrics(o.MeterProvider, x, o.Now)
	if err != nil {
		return nil, fmt.Errorf("invalidation: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{
		log: l, index: x, metrics: m, logger: o.Logger, now: o.Now,
		stop: cancel, stopped: make(chan struct{}),
	}
	tried := make(chan struct{})
	go func() {
		defer close(f.stopped)
		err := f.read(ctx)
		close(tried)
		f.run(ctx, err)
	}()
	slow := time.NewTimer(StartTimeout)
	defer slow.Stop()
	select {
	case <-tried:
	case <-slow.C:
	}
	return f, nil
}

// Close ends the following, and waits for it.
func (f *Follower) Close() {
	f.stop()
	<-f.stopped
	f.metrics.close()
}

// run reads on, after a first try that ended with err.
func (f *Follower) run(ctx context.Context, err error) {
	next := firstPause
	for ctx.Err() == nil {
		wait := rest
		if err != nil {
			wait, next = next, min(2*next, LongestPause)
		} else {
			next = firstPause
		}
		if (err != nil || f.busy) && !pause.Jittered(ctx, wait) {
			return
		}
		err = f.read(ctx)
	}
}

// read takes what the log has next. The log was followed when it answered, not when
// its answer came.
func (f *Follower) read(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, Silence)
	defer cancel()
	batch, err := f.log.Next(within, f.index.Offset())
	if err != nil {
		f.failed(ctx, f.now(), err)
		return err
	}
	gap := f.index.Add(batch, f.now())
	f.busy = gap || len(batch.Events) > 0
	f.metrics.read(ctx, len(batch.Events), gap)
	switch {
	case f.warned:
		f.warned = false
		f.logger.InfoContext(ctx, "the invalidation log is followed again")
	case gap:
		f.logger.WarnContext(ctx, "the invalidation log has a gap: all answers are loaded anew")
	}
	return nil
}

func (f *Follower) failed(ctx context.Context, now time.Time, err error) {
	if ctx.Err() != nil || f.warned || f.index.Following(now) {
		return
	}
	f.warned = true
	f.logger.WarnContext(ctx, "the invalidation log cannot be followed: answers are kept for a short time only",
		slog.String("cause", reason.Of(err)))
}
