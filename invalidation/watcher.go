package invalidation

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Watch is how changes are noticed that no writer publishes.
type Watch struct {
	// Version differs from the one before whenever searches may find something
	// else than before, whoever wrote it. nil: nothing is watched.
	Version func(ctx context.Context) (string, error)
	// Every is how often Version is called.
	Every time.Duration
}

// Watcher shortens what may be served when what is searched changes. After a
// change that is in the log too, older entries stay usable for their freshness;
// after one that is not, they are stale at once. A nil Watcher watches nothing.
type Watcher struct {
	watch   Watch
	index   *Index
	logger  *slog.Logger
	now     func() time.Time
	stop    context.CancelFunc
	stopped chan struct{}

	version     string // "": not known yet
	position    Position
	changed     atomic.Pointer[time.Time] // when it last did
	unannounced atomic.Pointer[time.Time] // when it last did without an event
	failing     bool
}

// StartWatch watches until Close; nil if there is nothing to watch. The index may
// be nil, as where there is no log: no change is announced then.
func StartWatch(w Watch, x *Index, logger *slog.Logger, now func() time.Time) *Watcher {
	if w.Version == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	started := &Watcher{watch: w, index: x, logger: logger, now: now, stop: cancel, stopped: make(chan struct{})}
	go func() {
		defer close(started.stopped)
		started.run(ctx)
	}()
	return started
}

// Close ends the watching, and waits for it.
func (w *Watcher) Close() {
	if w == nil {
		return
	}
	w.stop()
	<-w.stopped
}

func (w *Watcher) run(ctx context.Context) {
	tick := time.NewTicker(w.watch.Every)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look compares. While it cannot, the engine most likely does not answer, and
// nothing is concluded until it does.
func (w *Watcher) look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, max(w.watch.Every, time.Second))
	defer cancel()
	version, err := w.watch.Version(within)
	if err != nil {
		if !w.failing && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "what is searched cannot be watched: changes that no writer publishes are not noticed", slog.Any("error", err))
		}
		w.failing = true
		return
	}
	w.failing = false
	position, _ := w.index.Position(w.now())
	if w.version != "" && version != w.version {
		at := w.now() // entries loaded after the version was read contain the change
		w.changed.Store(&at)
		if position == w.position {
			w.unannounced.Store(&at)
		}
	}
	w.version, w.position = version, position
}

// Validity is what is known about what was loaded at a time: by the log, as given,
// and by the watcher.
func (w *Watcher) Validity(loadedAt time.Time, known Validity) Validity {
	if w == nil {
		return known
	}
	switch {
	case reached(&w.unannounced, loadedAt):
		return Stale
	case known == Current && reached(&w.changed, loadedAt):
		return Unverified
	}
	return known
}

// reached reports whether something last happened at t or after it.
func reached(at *atomic.Pointer[time.Time], t time.Time) bool {
	last := at.Load()
	return last != nil && !t.After(*last)
}
