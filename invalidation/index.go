package invalidation

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

const (
	// Silence is the longest time between two reads of a log; after it, the log is
	// not followed.
	Silence = 2 * time.Second
	// Step is how often events take effect: the answers of a wide scope, whose
	// sessions are written all the time, are current for that long.
	Step = 500 * time.Millisecond
	// Memory is how long events are remembered: longer than any answer is served that
	// they could make stale.
	Memory = 20 * time.Minute
	// maxEvents bounds the events that are remembered. Older ones are forgotten, which
	// makes stale whatever was loaded before them.
	maxEvents = 1 << 18
	// maxMemo bounds the scopes whose last event is remembered.
	maxMemo = 4096
)

// Validity is what is known about something loaded.
type Validity uint8

// Validities.
const (
	Stale      Validity = iota // a company of the scope has changed since, or may have
	Unverified                 // the log says nothing: what is young enough may be used
	Current                    // no company of the scope has changed since
)

// Index knows, for one follower of a log, which company last changed when. It is
// safe for use by several goroutines. Nil, it stands for no log at all: nothing
// can be verified.
type Index struct {
	began time.Time

	mu      sync.Mutex
	at      Offset    // up to where the log has been read
	contact time.Time // when that was last true; zero: never yet
	// since is when the last gap ended: what was loaded before is stale.
	since time.Time
	// floor is the sequence before which it is not known who has changed.
	floor   uint64
	applied uint64 // up to where events have taken effect
	stepped time.Time
	pending []changed // read, and not in effect yet
	last    map[tenancy.CompanyID]uint64
	history []changed // all in effect behind floor, by ascending sequence
	memo    map[tenancy.Fingerprint]scopeChange
}

// changed is one company of an event.
type changed struct {
	company  tenancy.CompanyID
	sequence uint64
	read     time.Time
}

// scopeChange is the last event of a scope among those applied up to at.
type scopeChange struct{ at, last uint64 }

// NewIndex makes an index that knows nothing yet.
func NewIndex(now time.Time) *Index {
	return &Index{began: now, last: map[tenancy.CompanyID]uint64{}, memo: map[tenancy.Fingerprint]scopeChange{}}
}

// Offset is up to where the log has been read.
func (x *Index) Offset() Offset {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at
}

// Position returns up to where the log has been read, to be stored with what a
// search finds that begins afterwards, and up to where events are in effect. Both
// are unknown while the log cannot be followed.
func (x *Index) Position(now time.Time) (read, applied Position) {
	if x == nil {
		return Position{}, Position{}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.silent(now) {
		return Position{}, Position{}
	}
	x.step(now)
	read, applied = x.at.Position, x.at.Position
	if len(x.pending) > 0 {
		applied.Sequence = x.applied
	}
	return read, applied
}

// Following reports whether the log is believed.
func (x *Index) Following(now time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.silent(now)
}

func (x *Index) silent(now time.Time) bool {
	return x.contact.IsZero() || now.Sub(x.contact) > Silence
}

// Add adds what was read behind the offset, and reports whether anything between
// may be missing: a gap.
func (x *Index) Add(batch Batch, now time.Time) (gap bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	first := x.contact.IsZero()
	gap = !first && (x.silent(now) || batch.Epoch != x.at.Epoch ||
		batch.Complete > x.at.Sequence || batch.Sequence < x.at.Sequence)
	if first || gap {
		x.forget(batch.Complete)
	}
	if gap {
		x.since = now
	}
	for _, event := range batch.Events {
		if event.All {
			x.floor = max(x.floor, event.Sequence)
		}
		for _, company := range event.Companies {
			x.pending = append(x.pending, changed{company, event.Sequence, now})
		}
	}
	x.at, x.contact = batch.Offset, now.Add(-batch.Age)
	x.step(now)
	return gap
}

// forget begins anew behind a sequence.
func (x *Index) forget(sequence uint64) {
	x.floor, x.applied = sequence, sequence
	x.pending, x.history = nil, nil
	clear(x.last)
	clear(x.memo)
}

// step lets what is pending take effect, if it is time.
func (x *Index) step(now time.Time) {
	if len(x.pending) == 0 || now.Sub(x.stepped) < Step {
		return
	}
	for _, p := range x.pending {
		x.last[p.company] = p.sequence
	}
	x.history = append(x.history, x.pending...)
	x.applied = x.pending[len(x.pending)-1].sequence
	x.pending, x.stepped = nil, now
	x.prune(now)
}

// prune drops the events that are too old or too many. What was loaded before one
// of them counts as changed from then on.
func (x *Index) prune(now time.Time) {
	n := max(0, len(x.history)-maxEvents)
	for n < len(x.history) && now.Sub(x.history[n].read) > Memory {
		n++
	}
	if n == 0 {
		return
	}
	for _, old := range x.history[:n] {
		x.floor = max(x.floor, old.sequence)
		if x.last[old.company] == old.sequence {
			delete(x.last, old.company)
		}
	}
	if x.history = x.history[n:]; n > len(x.history) {
		x.history = slices.Clone(x.history) // the old ones' memory is freed; else it is when there is no room to append
	}
}

// Validity is what the log says about what was loaded for a scope: at, the
// Position before its search, and loadedAt, the time before it.
func (x *Index) Validity(scope tenancy.Scope, at Position, loadedAt, now time.Time) Validity {
	if x == nil {
		return Unverified
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.silent(now) {
		if loadedAt.Before(x.lost()) {
			return Stale
		}
		return Unverified
	}
	x.step(now)
	switch {
	case at.Epoch != x.at.Epoch, at.Sequence < x.floor, loadedAt.Before(x.since):
		return Stale
	case at.Sequence > x.at.Sequence: // another gateway has read on: this one soon will
		return Stale
	case x.lastEvent(scope) > at.Sequence:
		return Stale
	}
	return Current
}

// lost is when a log that is silent now was not believed any more.
func (x *Index) lost() time.Time {
	if x.contact.IsZero() {
		return x.began
	}
	return x.contact.Add(Silence)
}

// lastEvent is the sequence of the last event of any company of the scope; one
// before floor may be left out. The answer is remembered, so that it costs
// nothing that grows with the scope until there are new events.
func (x *Index) lastEvent(scope tenancy.Scope) uint64 {
	known, ok := x.memo[scope.Fingerprint()]
	if ok && known.at == x.applied {
		return known.last
	}
	now := scopeChange{at: x.applied}
	if newer := x.behind(known.at); ok && known.at >= x.floor && len(newer) < scope.Len() {
		now.last = known.last
		for _, event := range newer {
			if event.sequence > now.last && scope.Contains(event.company) {
				now.last = event.sequence
			}
		}
	} else {
		now.last = x.scan(scope)
	}
	if len(x.memo) >= maxMemo {
		clear(x.memo)
	}
	x.memo[scope.Fingerprint()] = now
	return now.last
}

// behind lists the events in effect after a sequence.
func (x *Index) behind(sequence uint64) []changed {
	return x.history[sort.Search(len(x.history), func(i int) bool { return x.history[i].sequence > sequence }):]
}

// scan goes through the smaller of the two: the scope or the companies that have changed.
func (x *Index) scan(scope tenancy.Scope) (last uint64) {
	if len(x.last) < scope.Len() {
		for company, sequence := range x.last {
			if sequence > last && scope.Contains(company) {
				last = sequence
			}
		}
		return last
	}
	for company := range scope.Companies() {
		last = max(last, x.last[company])
	}
	return last
}

// Log is where writers publish whose sessions they have changed, after the write:
// a search that begins after an event was read sees the change. A Follower
// reads one with a single goroutine.
type Log interface {
	// Next returns what follows an offset; the zero Offset is the first that is
	// asked for. If nothing does, it waits for a while, clearly less than Silence,
	// and then returns a Batch without events. Any error is tried again.
	Next(ctx context.Context, at Offset) (Batch, error)
}

// Position is a place in a log: that after the event of this number.
type Position struct {
	// Epoch is one life of the log. Sequences of different epochs have nothing
	// to do with each other. "": the position is not known.
	Epoch    string
	Sequence uint64
}

// Known reports whether it is a position at all.
func (p Position) Known() bool { return p.Epoch != "" }

// Offset is a position and where the log finds it again.
type Offset struct {
	Position

	Cursor string // the log's own, "" if it needs none
}

// Batch is what a log has after an offset.
type Batch struct {
	Offset // after the events
	// Complete is the sequence after which no event is missing: that of the offset
	// asked for, unless something was lost or no offset was given.
	Complete uint64
	Events   []Event // by ascending sequence
	// Age is how long ago, at most, the log said that there was no other event.
	Age time.Duration
}

// Event says that sessions of these companies were written, moved or deleted.
type Event struct {
	Sequence  uint64
	Companies []tenancy.CompanyID
	All       bool // of whichever company
}
