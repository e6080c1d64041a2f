package cache

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// tierMemory names the tier in search.Served, Cache-Status and metrics.
const tierMemory = "memory"

// memory is the tier in this process: entries bounded by their bytes, of which
// the ones least likely to be asked for again make room (W-TinyLFU).
type memory struct {
	entries       *otter.Cache[key, *entry]
	life          lifetimes
	maxEntryBytes int64
}

func newMemory(o Options) (*memory, error) {
	m := &memory{life: o.lifetimes(), maxEntryBytes: o.MaxEntryBytes}
	var err error
	m.entries, err = otter.New(&otter.Options[key, *entry]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ key, e *entry) uint32 { return uint32(min(e.weight(), 1<<32-1)) },
		// Cache.judge alone decides what may be served; this only frees the
		// memory of what can no longer be.
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[key, *entry]) time.Duration {
			return m.life.kept(e.Value) - o.Now().Sub(e.Value.loadedAt)
		}),
		Clock:  clock{now: o.Now, start: o.Now()},
		Logger: &otter.NoopLogger{}, // its default is the global logger
	})
	return m, err
}

// get finds an entry that has not expired at now.
//
// SECURITY: an entry under a key that is not its own is a miss, never an
// answer, however it came to be there.
func (m *memory) get(k key, now time.Time) (*entry, bool) {
	e, ok := m.entries.GetIfPresent(k)
	if !ok || e.key != k || m.life.expired(e, now) {
		return nil, false
	}
	return e, true
}

// put keeps the entry, unless it is too heavy, expired at now, or older
// than what is kept under its key: of two loads the one that began last knows
// more, whichever ends last. It reports whether the entry is now kept.
func (m *memory) put(e *entry, now time.Time) bool {
	if !m.fits(e) || m.life.expired(e, now) {
		return false
	}
	kept, _ := m.entries.Compute(e.key, func(old *entry, found bool) (*entry, otter.ComputeOp) {
		if found && old.loadedAt.After(e.loadedAt) && !old.loadedAt.After(now) {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
	return kept == e
}

func (m *memory) fits(e *entry) bool { return e.weight() <= m.maxEntryBytes }

// size is what is held, in entries and bytes. Otter does its bookkeeping some
// time after a write; it is made to catch up first.
func (m *memory) size() (entries, bytes int64) {
	m.entries.CleanUp()
	return int64(m.entries.EstimatedSize()), int64(m.entries.WeightedSize())
}

func (m *memory) close() {
	m.entries.StopAllGoroutines()
	m.entries.InvalidateAll()
}

// clock is the cache's clock as otter wants it. It does not follow the steps of
// the wall clock.
type clock struct {
	now   func() time.Time
	start time.Time
}

// NowNano implements otter.Clock.
func (c clock) NowNano() int64 { return int64(c.now().Sub(c.start)) }

// Tick implements otter.Clock; it only paces the cleaning up.
func (clock) Tick(d time.Duration) <-chan time.Time { return time.Tick(d) }
