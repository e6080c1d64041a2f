package cache

import (
	"context"
	"time"

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
	m := meta{key: l.key, loadedAt: l.call.begun, position: l.call.at, took: served.Took}
	if !served.LoadedAt.IsZero() && served.LoadedAt.Before(m.loadedAt) {
		m.loadedAt, m.position = served.LoadedAt, invalidation.Position{}
	}
	m.historical = isHistorical(l.part.filter(), m.loadedAt)
	return &entry[V]{meta: m, value: v}
}

// valueOf is the value that a lookup found; V is the kind that it looked for.
func valueOf[V value](l *lookup) V { return l.found.entry.(*entry[V]).value }
