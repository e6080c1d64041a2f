package cache

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// tierMemory names the tier in search.Provenance, Cache-Status and metrics.
const tierMemory = "memory"

// memory is the tier in this process: entries bounded by their bytes, of which
// the ones least likely to be asked for again make room (W-TinyLFU).
type memory struct {
	entries       *otter.Cache[key, item]
	life          lifetimes
	maxEntryBytes int64
}

func newMemory(o Options) (*memory, error) {
	m := &memory{life: o.lifetimes(), maxEntryBytes: o.maxEntryBytes}
	var err error
	m.entries, err = otter.New(&otter.Options[key, item]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ key, e item) uint32 { return uint32(min(e.weight(), 1<<32-1)) },
		// Cache.freshness alone decides what may be served; this only frees the
		// memory of what can no longer be.
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[key, item]) time.Duration {
			return m.life.retention(e.Value) - o.now().Sub(e.Value.about().loadedAt)
		}),
		Clock:  clock{now: o.now, start: o.now()},
		Logger: &otter.NoopLogger{}, // its default is the global logger
	})
	return m, err
}

// get finds an entry that is of use to somebody at now.
//
// SECURITY: an entry under a key that is not its own is a miss, never an
// answer, however it came to be there.
func (m *memory) get(k key, now time.Time) (item, bool) {
	e, ok := m.entries.GetIfPresent(k)
	if !ok || e.about().key != k || m.life.dropped(e, now) {
		return nil, false
	}
	return e, true
}

// put stores the entry, unless it is too heavy, of no use to anybody any more, or
// older than the entry in its place: of two loads the one that began last knows
// more, whichever ends last. It reports whether the entry is now held.
func (m *memory) put(e item, now time.Time) bool {
	if !m.fits(e) || m.life.dropped(e, now) {
		return false
	}
	held, _ := m.entries.Compute(e.about().key, func(old item, found bool) (item, otter.ComputeOp) {
		if found && old.about().loadedAt.After(e.about().loadedAt) && !old.about().loadedAt.After(now) {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
	return held == e
}

func (m *memory) fits(e item) bool { return e.weight() <= m.maxEntryBytes }

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
