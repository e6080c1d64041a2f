package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/scopegate/scopegate/search"
)

// DefaultMaxWAL is the default of Options.MaxWAL.
const DefaultMaxWAL = 512 << 20

const (
	// farFactor: at this many times MaxWAL the running snapshots are ended, since
	// writes that never stop must not fill the disk.
	farFactor = 4
	// snapshotWait is how long a new snapshot waits for the running ones.
	snapshotWait = 10 * time.Second
	// truncateWait is how long a checkpoint waits for searches to end, while nobody
	// can write; truncateEvery is the pause before the next attempt.
	truncateWait  = time.Second
	truncateEvery = 5 * time.Second
)

var (
	errSnapshotBusy  = fmt.Errorf("sqlite: %w: the write-ahead log is at its bound", search.ErrSnapshotBusy)
	errSnapshotEnded = fmt.Errorf("sqlite: %w: the write-ahead log is far above its bound", search.ErrSnapshotEnded)
)

// logGuard limits the size of the write-ahead log. SQLite restarts the log only
// when everything in it is in the file and nobody reads from it. That never happens
// while snapshots overlap without a gap, or while some search is always running. So
// above the limit no snapshot begins until the running ones have ended. A
// checkpoint then waits for the running searches; new searches do not delay it.
//
// It checks the size of the file, since other processes may write to it as well.
type logGuard struct {
	path string
	most int64

	mu    sync.Mutex
	open  map[*windows]bool // running snapshots
	ended chan struct{}     // closed and replaced whenever one of them ends
	tried time.Time         // time of the last checkpoint attempt by a write
}

func newLogGuard(path string, most int64) *logGuard {
	return &logGuard{path: path, most: most, open: map[*windows]bool{}, ended: make(chan struct{})}
}

// size returns the size in bytes, 0 when there is no log.
func (g *logGuard) size() int64 {
	info, err := os.Stat(g.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// enter adds a snapshot to the running ones as soon as it may begin, or fails with
// search.ErrSnapshotBusy. It calls truncate when no snapshot of this process uses
// the log. The snapshot then begins even if truncate had no effect, since the log
// is then held by another process.
func (g *logGuard) enter(ctx context.Context, w *windows, truncate func(context.Context)) error {
	wait := time.NewTimer(snapshotWait)
	defer wait.Stop()
	for {
		ended, entered := g.tryEnter(w, false)
		if !entered && ended == nil {
			truncate(ctx)
			ended, entered = g.tryEnter(w, true)
		}
		if entered {
			return nil
		}
		select {
		case <-ended:
		case <-wait.C:
			return errSnapshotBusy
		case <-ctx.Done():
			return engineError(ctx, ctx.Err())
		}
	}
}

// tryEnter returns the channel to wait on when the snapshot may not begin. The
// channel is nil when no snapshot is running but the log is too long; after an
// attempt to truncate (tried) the snapshot may begin all the same.
func (g *logGuard) tryEnter(w *windows, tried bool) (ended <-chan struct{}, entered bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.size() > g.most {
		if len(g.open) > 0 {
			return g.ended, false
		}
		if !tried {
			return nil, false
		}
	}
	g.open[w] = true
	return nil, true
}

// leave must be called once by every snapshot that entered.
func (g *logGuard) leave(w *windows) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, w)
	close(g.ended)
	g.ended = make(chan struct{})
}

// check ends the running snapshots when the log is far too long.
func (g *logGuard) check() {
	if g.size() > farFactor*g.most {
		g.evict()
	}
}

func (g *logGuard) evict() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := range g.open {
		w.evict()
	}
}

// due reports whether a write should try to make the log shorter.
func (g *logGuard) due(now time.Time) bool {
	if g.size() <= g.most {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.open) > 0 || now.Sub(g.tried) < truncateEvery {
		return false
	}
	g.tried = now
	return true
}

// truncate moves the log into the file and empties it, unless others read or write
// for longer than it waits. The caller holds the writer.
func (w *writer) truncate(ctx context.Context) error {
	steady := context.WithoutCancel(ctx)
	if err := w.setBusyTimeout(steady, truncateWait); err != nil {
		return err
	}
	var blocked, frames, moved sql.NullInt64
	err := w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &frames, &moved)
	if back := w.setBusyTimeout(steady, w.busy); back != nil {
		w.drop()
		return back
	}
	return engineError(ctx, err)
}

func (w *writer) setBusyTimeout(ctx context.Context, wait time.Duration) error {
	return execute(ctx, w.conn, fmt.Sprintf("PRAGMA busy_timeout = %d", wait.Milliseconds()))
}

// afterCommit keeps the log within its limits. If it fails, a later write tries
// again.
func (w *writer) afterCommit(ctx context.Context) {
	w.log.check()
	if w.log.due(time.Now()) {
		_ = w.truncate(ctx)
	}
}

// makeLogShorter calls truncate for callers that do not hold the writer.
func (s *Store) makeLogShorter(ctx context.Context) {
	_ = s.writer.use(ctx, func() error { return s.writer.truncate(ctx) })
}
