package cache

import (
	"context"
	"errors"
	"time"
)

// tierRedis names the tier in search.Provenance, Cache-Status and metrics.
const tierRedis = "redis"

// maxWrites is how many values may be being written to the store; further ones are
// not stored, so that a slow store holds no memory.
const maxWrites = 64

// errFuture: the gateway that stored the value is ahead of this one by more
// than the value's age. Used, it would live too long.
var errFuture = errors.New("the value was loaded in the future")

// shared is the tier behind memory, which other gateways fill as well. Whatever
// goes wrong in it is a miss. Gateways are expected to agree on the time: the
// difference of their clocks is added to the life of an entry.
type shared struct {
	store   *breakerStore
	gets    *batcher // of the store
	ring    *keyring
	metrics *storeMetrics
	life    lifetimes
	now     func() time.Time
	slots   chan struct{} // one for each write under way
}

func newShared(s store, budget time.Duration, o Options) (*shared, error) {
	ring, err := newKeyring(o.Keys, o.maxEntryBytes)
	if err != nil {
		return nil, err
	}
	b, err := newBreakerStore(s, budget, o)
	if err != nil {
		return nil, err
	}
	return &shared{
		store: b, gets: &batcher{next: b, budget: budget}, ring: ring, metrics: b.metrics, life: o.lifetimes(), now: o.now,
		slots: make(chan struct{}, maxWrites),
	}, nil
}

// get finds the entries that are of use to somebody, each under the name of any key of
// the ring; nil where there is none. It takes no longer than one budget.
func (s *shared) get(ctx context.Context, lookups []*lookup) []item {
	entries := make([]item, len(lookups))
	each := s.ring.size()
	names := make([]string, 0, each*len(lookups))
	for _, l := range lookups {
		names = append(names, s.ring.names(l.key)...)
	}
	values, err := s.gets.Get(ctx, names)
	if err != nil {
		return entries
	}
	for i, value := range values {
		if l := i / each; entries[l] == nil && value != nil {
			entries[l] = s.usable(ctx, lookups[l], value)
		}
	}
	return entries
}

// usable is the entry in a value; nil if it is refused or of no use to anybody.
func (s *shared) usable(ctx context.Context, l *lookup, value []byte) item {
	e, err := s.read(l.key, l.part.kind(), value)
	if err != nil {
		s.metrics.refusedFor(ctx, err)
		return nil
	}
	e.about().historical = isHistorical(l.part.filter(), e.about().loadedAt)
	if s.life.dropped(e, s.now()) {
		return nil
	}
	return e
}

func (s *shared) read(k key, of kind, value []byte) (item, error) {
	body, err := s.ring.open(k, value)
	if err != nil {
		return nil, err
	}
	e, err := readEntry(body, k, of)
	if err != nil {
		return nil, err
	}
	now := s.now()
	age := now.Sub(e.about().loadedAt)
	if age < 0 {
		return nil, errFuture
	}
	// From here on the entry ages by this process's monotonic clock: a step of
	// the wall clock makes it neither younger nor older.
	e.about().loadedAt = now.Add(-age)
	return e, nil
}

// put stores the entry in a goroutine, which outlives ctx and has a budget of its
// own.
//
// A value may replace one whose search began later, as gateways do not ask each
// other. It then lives for the shorter time that it has left.
func (s *shared) put(ctx context.Context, e item) {
	if !s.store.takesValues() {
		return
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.metrics.dropped.Add(ctx, 1)
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer func() { <-s.slots }()
		s.write(ctx, e)
	}()
}

func (s *shared) write(ctx context.Context, e item) {
	m := e.about()
	value := s.ring.seal(m.key, appendEntry(make([]byte, 0, e.weight()), e))
	life := s.life.retention(e) - s.now().Sub(m.loadedAt)
	if life < time.Millisecond {
		return // Redis would take 0 for no end at all
	}
	_ = s.store.Set(ctx, s.ring.names(m.key)[0], value, life) // the metrics report it
}

// close waits for the writes under way, each of which has a budget, and prevents
// further ones.
func (s *shared) close() {
	for range maxWrites {
		s.slots <- struct{}{}
	}
	s.metrics.close()
}
