package cache

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// kind is one kind of value that the cache stores. Each has a file of its own,
// with its value, its part of a request and its encoding: count.go, page.go and
// summary.go.
type kind interface {
	letter() byte               // in keys and in encoded entries
	String() string             // in metrics and spans
	attributes() attributeNames // in spans
	// decode reads what appendTo of the value wrote, and makes an entry of it.
	decode(m meta, r *reader) item
}

// kinds lists every kind.
func kinds() []kind { return []kind{countKind{}, pageKind{}, summaryKind{}} }

// part is the part of a request that asks for one kind of value.
type part interface {
	kind() kind
	canonical() []byte // the query as it is part of the key
	filter() *search.Filter
	// load asks what is behind the cache. It makes the entry by newEntry.
	load(ctx context.Context, c *Cache, scope tenancy.Scope, l *lookup) (item, error)
}

// value is what an entry holds.
type value interface {
	kind() kind
	empty() bool                // nothing matched
	weight() int64              // bytes held beside entryOverhead; at least what appendTo writes
	appendTo(out []byte) []byte // the encoding of the value
}

// entry is a stored value. It is immutable once it is stored.
type entry[V value] struct {
	meta
	value V
	// ready is the answer made of the value, as it is sent; nil: none was made. It
	// counts towards the weight and stays in this process.
	ready []byte
}

// item is an entry of any kind, as the tiers, the flight group and the rules of
// freshness handle it: all kinds share one bound of memory and one call of Redis.
type item interface {
	about() *meta
	kind() kind
	empty() bool
	weight() int64
	appendValue(out []byte) []byte
}

// meta is what is known about an entry of any kind.
type meta struct {
	key        key       // the key it was loaded for; see memory.get
	loadedAt   time.Time // before its search began
	took       time.Duration
	queued     time.Duration
	position   invalidation.Position // of the log, read before its search began
	historical bool                  // its window had ended long before
}

// entryOverhead is what an entry weighs beside its value: itself, its key, and
// the map's bookkeeping. Measured with otter v2.4: 285 bytes of a count, 312 of a
// page.
const entryOverhead = 352

func (m *meta) about() *meta { return m }

// jitterFraction is a pseudo-random fraction: equal on all gateways for one
// entry, different for its successor.
func (m *meta) jitterFraction() float64 {
	return float64(m.key[0]^byte(m.loadedAt.UnixNano()>>10)) / 256
}

func (e *entry[V]) kind() kind                    { return e.value.kind() }
func (e *entry[V]) empty() bool                   { return e.value.empty() }
func (e *entry[V]) appendValue(out []byte) []byte { return e.value.appendTo(out) }

// weight is the number of bytes that the entry holds on to.
func (e *entry[V]) weight() int64 { return entryOverhead + e.value.weight() + int64(len(e.ready)) }

// newEntry makes an entry of what the lookup's call got from the next searcher.
// If that is a cache itself, its answer is as old as it says, and the position of
// the log at that time is not known.
func newEntry[V value](l *lookup, v V, served search.Provenance) *entry[V] {
	m := meta{key: l.key, loadedAt: l.call.begun, position: l.call.at, took: served.Took, queued: served.Queued}
	if !served.LoadedAt.IsZero() && served.LoadedAt.Before(m.loadedAt) {
		m.loadedAt, m.position = served.LoadedAt, invalidation.Position{}
	}
	m.historical = isHistorical(l.part.filter(), m.loadedAt)
	return &entry[V]{meta: m, value: v}
}

// valueOf is the value that a lookup found; V is the kind that it looked for.
func valueOf[V value](l *lookup) V { return l.found.entry.(*entry[V]).value }

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
