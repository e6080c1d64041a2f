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

// DefaultMaxWAL is the size of the write-ahead log from which on no snapshot
// begins.
const DefaultMaxWAL = 512 << 20

const (
	// farFactor is how many times MaxWAL the log may have before the snapshots
	// under way are ended: writes that never stop must not fill the disk.
	farFactor = 4
	// snapshotWait is how long a snapshot waits for those under way.
	snapshotWait = 10 * time.Second
	// truncateWait is how long a checkpoint waits for searches to end, while
	// nobody can write, and truncateEvery how long after it the next one is tried.
	truncateWait  = time.Second
	truncateEvery = 5 * time.Second
)

var (
	errSnapshotBusy  = fmt.Errorf("sqlite: %w: the write-ahead log is at its bound", search.ErrSnapshotBusy)
	errSnapshotEnded = fmt.Errorf("sqlite: %w: the write-ahead log is far above its bound", search.ErrSnapshotEnded)
)

// logGuard bounds the write-ahead log. SQLite begins the log anew only when
// everything in it is in the file and nobody reads from it: never, while
// snapshots overlap, each begun before the one before it ends, or while there is
// always some search. So above the bound no snapshot begins until those under way
// have ended, and a checkpoint then waits for the searches under way, which new
// ones do not make longer.
//
// It looks at the file, which other processes may write to as well.
type logGuard struct {
	path string
	most int64

	mu    sync.Mutex
	open  map[*windows]bool // snapshots that began and have not ended
	ended chan struct{}     // closed, and made anew, whenever one of them ends
	tried time.Time         // when the last checkpoint was tried by a write
}

func newLogGuard(path string, most int64) *logGuard {
	return &logGuard{path: path, most: most, open: map[*windows]bool{}, ended: make(chan struct{})}
}

// size is 0 for a log that is not there.
func (g *logGuard) size() int64 {
	info, err := os.Stat(g.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// enter counts a snapshot among those under way, as soon as it may begin, or
// fails with search.ErrSnapshotBusy. truncate is asked to make the log shorter
// where no snapshot of this process is in it. Whether it can or not, the snapshot
// begins then: what holds the log up is somebody else's.
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

// tryEnter says what to wait for where the snapshot may not begin; nil: there is
// none, but the log is too long, unless it was just tried to be made shorter.
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

// leave is called by every snapshot that entered, once.
func (g *logGuard) leave(w *windows) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, w)
	close(g.ended)
	g.ended = make(chan struct{})
}

// check ends the snapshots under way where the log is far too long.
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

// truncate moves the log into the file and makes it empty, unless others read or
// write for longer than it waits. Its caller has the writer's turn.
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

// afterCommit keeps the log within its bounds. What it can't do now, a later
// write can.
func (w *writer) afterCommit(ctx context.Context) {
	w.log.check()
	if w.log.due(time.Now()) {
		_ = w.truncate(ctx)
	}
}

// makeLogShorter is truncate for who has no turn.
func (s *Store) makeLogShorter(ctx context.Context) {
	_ = s.writer.use(ctx, func() error { return s.writer.truncate(ctx) })
}
