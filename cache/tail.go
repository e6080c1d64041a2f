package cache

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/scopegate/scopegate/reason"
)

// A log that fails is read again after pauses that double.
const (
	tailFirstPause   = 20 * time.Millisecond
	tailLongestPause = 500 * time.Millisecond
)

// tailRest is how long a log is left alone after it had news, or a gap: touches
// take effect in steps anyway, and those that come meanwhile are read at once.
const tailRest = 50 * time.Millisecond

// tailStart is how long a cache waits at its start for a log that is slow to
// answer: what is loaded before that has a short life.
const tailStart = 250 * time.Millisecond

// tail follows a log.
type tail struct {
	log     Log
	touches *touches
	metrics *logMetrics
	logger  *slog.Logger
	now     func() time.Time
	stop    context.CancelFunc
	stopped chan struct{}
	told    bool // that the log is silent
	news    bool // the last read had some, or a gap
}

// startTail returns when the log was read for the first time, or could not be,
// or is slow. It goes on until close.
func startTail(l Log, t *touches, m *logMetrics, o Options) *tail {
	ctx, cancel := context.WithCancel(context.Background())
	f := &tail{
		log: l, touches: t, metrics: m, logger: o.Logger, now: o.Now,
		stop: cancel, stopped: make(chan struct{}),
	}
	tried := make(chan struct{})
	go func() {
		defer close(f.stopped)
		err := f.read(ctx)
		close(tried)
		f.run(ctx, err)
	}()
	slow := time.NewTimer(tailStart)
	defer slow.Stop()
	select {
	case <-tried:
	case <-slow.C:
	}
	return f
}

func (f *tail) close() {
	f.stop()
	<-f.stopped
}

// run reads on, after a first try that ended with err.
func (f *tail) run(ctx context.Context, err error) {
	pause := tailFirstPause
	for ctx.Err() == nil {
		rest := tailRest
		if err != nil {
			rest, pause = pause, min(2*pause, tailLongestPause)
		} else {
			pause = tailFirstPause
		}
		if (err != nil || f.news) && !pauseFor(ctx, rest) {
			return
		}
		err = f.read(ctx)
	}
}

// read takes what the log has next. The log counts as heard when it said so, not
// when its answer came.
func (f *tail) read(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	news, err := f.log.Next(within, f.touches.mark())
	if err != nil {
		f.failed(ctx, f.now(), err)
		return err
	}
	gap := f.touches.take(news, f.now())
	f.news = gap || len(news.Touches) > 0
	f.metrics.read(ctx, len(news.Touches), gap)
	switch {
	case f.told:
		f.told = false
		f.logger.InfoContext(ctx, "the invalidation log is followed again")
	case gap:
		f.logger.WarnContext(ctx, "the invalidation log has a gap: all answers are loaded anew")
	}
	return nil
}

func (f *tail) failed(ctx context.Context, now time.Time, err error) {
	if ctx.Err() != nil || f.told || f.touches.following(now) {
		return
	}
	f.told = true
	f.logger.WarnContext(ctx, "the invalidation log cannot be followed: answers are kept for a short time only",
		slog.String("cause", reason.Of(err)))
}

// pauseFor reports false when ctx ended first. Pauses differ, so that gateways
// do not all come back at once.
func pauseFor(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // no secret hangs on it
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
