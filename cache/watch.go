package cache

import (
	"context"
	"log/slog"
	"time"
)

// Watch is how changes are noticed that nobody tells of.
type Watch struct {
	// Version differs from the one before whenever searches may find something
	// else than before, whoever wrote it. nil: nothing is watched.
	Version func(ctx context.Context) (string, error)
	// Every is how often it is asked for.
	Every time.Duration
}

// watcher shortens what may be served when what is searched moves. A change that
// the log told of since the look before is taken for the one that is seen: it
// leaves answers their freshness, and no more. One that was not told of leaves
// none.
type watcher struct {
	watch   Watch
	touches *touches
	logger  *slog.Logger
	now     func() time.Time
	stop    context.CancelFunc
	stopped chan struct{}

	version string // "": not known yet
	told    Position
	moved   moment // when it last did
	untold  moment // when it last did without a word
	failing bool
}

// startWatch returns nil if there is nothing to watch.
func startWatch(t *touches, o Options) *watcher {
	if o.Watch.Version == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{watch: o.Watch, touches: t, logger: o.Logger, now: o.Now, stop: cancel, stopped: make(chan struct{})}
	go func() {
		defer close(w.stopped)
		w.run(ctx)
	}()
	return w
}

func (w *watcher) close() {
	w.stop()
	<-w.stopped
}

func (w *watcher) run(ctx context.Context) {
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
func (w *watcher) look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, max(w.watch.Every, time.Second))
	defer cancel()
	version, err := w.watch.Version(within)
	if err != nil {
		if !w.failing && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "what is searched cannot be watched: changes that nobody tells of are not noticed", slog.Any("error", err))
		}
		w.failing = true
		return
	}
	w.failing = false
	told, _ := w.touches.note(w.now())
	if w.version != "" && version != w.version {
		at := w.now() // what was loaded since the version was read is as new
		w.moved.set(at)
		if told == w.told {
			w.untold.set(at)
		}
	}
	w.version, w.told = version, told
}

// standing is what the watcher has to say about what was loaded at a time, of
// which the log says what is given.
func (w *watcher) standing(loadedAt time.Time, known standing) standing {
	if w == nil {
		return known
	}
	switch {
	case w.untold.reached(loadedAt):
		return standingStale
	case w.moved.reached(loadedAt) && known == standingCurrent:
		return standingUnverified
	}
	return known
}
