package cache

import (
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

const (
	// silence is how long a log may say nothing before it is not believed.
	silence = 2 * time.Second
	// touchStep is how often touches take effect: where sessions of a wide scope
	// are written all the time, its answers still live for so long.
	touchStep = 500 * time.Millisecond
	// touchMemory is how long touches are remembered: longer than anything that
	// they could make stale lives.
	touchMemory = 20 * time.Minute
	// maxTouches bounds what is remembered; the older ones are forgotten, which
	// makes stale whatever they could have touched.
	maxTouches = 1 << 18
	// maxMemo bounds the scopes whose last touch is remembered.
	maxMemo = 4096
)

// standing is what the log says about something loaded.
type standing uint8

const (
	standingStale      standing = iota // touched since, or it cannot be told
	standingUnverified                 // the log says nothing: what is young enough may be used
	standingCurrent                    // no company of the scope was touched since
)

// touches knows, for one follower of a log, which company was last touched
// when. It is safe for use by several goroutines. Nil, it stands for no log at
// all: nothing can be verified.
type touches struct {
	began time.Time

	mu      sync.Mutex
	at      Mark      // up to where the log has been read
	contact time.Time // when that was last true; zero: never yet
	// since is when the last gap ended: what was loaded before is stale.
	since time.Time
	// floor is the sequence before which it is not known who was touched.
	floor   uint64
	applied uint64 // up to where touches have taken effect
	stepped time.Time
	pending []touched // read, and not in effect yet
	last    map[tenancy.CompanyID]uint64
	history []touched // all in effect behind floor, by ascending sequence
	memo    map[tenancy.Fingerprint]scopeTouch
}

// touched is one company of a touch.
type touched struct {
	company  tenancy.CompanyID
	sequence uint64
	read     time.Time
}

// scopeTouch is the last touch of a scope among those applied up to at.
type scopeTouch struct{ at, last uint64 }

func newTouches(now time.Time) *touches {
	return &touches{began: now, last: map[tenancy.CompanyID]uint64{}, memo: map[tenancy.Fingerprint]scopeTouch{}}
}

// mark is up to where the log has been read.
func (t *touches) mark() Mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

// note is the position to be stored with what a search finds that begins
// afterwards, and that up to which touches are in effect by now, to which what
// is kept has been held; unknown when the log cannot be followed.
func (t *touches) note(now time.Time) (read, applied Position) {
	if t == nil {
		return Position{}, Position{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.silent(now) {
		return Position{}, Position{}
	}
	t.step(now)
	read, applied = t.at.Position, t.at.Position
	if len(t.pending) > 0 {
		applied.Sequence = t.applied
	}
	return read, applied
}

// following reports whether the log is believed.
func (t *touches) following(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.silent(now)
}

func (t *touches) silent(now time.Time) bool {
	return t.contact.IsZero() || now.Sub(t.contact) > silence
}

// take adds what was read behind the mark, and reports whether anything between
// may be missing: a gap.
func (t *touches) take(news News, now time.Time) (gap bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.contact.IsZero()
	gap = !first && (t.silent(now) || news.Epoch != t.at.Epoch ||
		news.Complete > t.at.Sequence || news.Sequence < t.at.Sequence)
	if first || gap {
		t.forget(news.Complete)
	}
	if gap {
		t.since = now
	}
	for _, touch := range news.Touches {
		if touch.All {
			t.floor = max(t.floor, touch.Sequence)
		}
		for _, company := range touch.Companies {
			t.pending = append(t.pending, touched{company, touch.Sequence, now})
		}
	}
	t.at, t.contact = news.Mark, now.Add(-news.Age)
	t.step(now)
	return gap
}

// forget begins anew behind a sequence.
func (t *touches) forget(sequence uint64) {
	t.floor, t.applied = sequence, sequence
	t.pending, t.history = nil, nil
	clear(t.last)
	clear(t.memo)
}

// step lets what is pending take effect, if it is time.
func (t *touches) step(now time.Time) {
	if len(t.pending) == 0 || now.Sub(t.stepped) < touchStep {
		return
	}
	for _, p := range t.pending {
		t.last[p.company] = p.sequence
	}
	t.history = append(t.history, t.pending...)
	t.applied = t.pending[len(t.pending)-1].sequence
	t.pending, t.stepped = nil, now
	t.prune(now)
}

// prune drops the touches that are too old or too many. What was loaded before
// one of them counts as touched from then on.
func (t *touches) prune(now time.Time) {
	n := max(0, len(t.history)-maxTouches)
	for n < len(t.history) && now.Sub(t.history[n].read) > touchMemory {
		n++
	}
	if n == 0 {
		return
	}
	for _, old := range t.history[:n] {
		t.floor = max(t.floor, old.sequence)
		if t.last[old.company] == old.sequence {
			delete(t.last, old.company)
		}
	}
	if t.history = t.history[n:]; n > len(t.history) {
		t.history = slices.Clone(t.history) // the old ones' memory is freed; else it is when there is no room to append
	}
}

// standing is what the log says about what was loaded for a scope: at, the
// position noted before its search, and loadedAt, the time before it.
func (t *touches) standing(scope tenancy.Scope, at Position, loadedAt, now time.Time) standing {
	if t == nil {
		return standingUnverified
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.silent(now) {
		if loadedAt.Before(t.lost()) {
			return standingStale
		}
		return standingUnverified
	}
	t.step(now)
	switch {
	case at.Epoch != t.at.Epoch, at.Sequence < t.floor, loadedAt.Before(t.since):
		return standingStale
	case at.Sequence > t.at.Sequence: // another gateway has read on: this one soon will
		return standingStale
	case t.lastTouch(scope) > at.Sequence:
		return standingStale
	}
	return standingCurrent
}

// lost is when a log that is silent now was not believed any more.
func (t *touches) lost() time.Time {
	if t.contact.IsZero() {
		return t.began
	}
	return t.contact.Add(silence)
}

// lastTouch is the sequence of the last touch of any company of the scope; one
// before floor may be left out. The answer is remembered, so that it costs
// nothing that grows with the scope until there are new touches.
func (t *touches) lastTouch(scope tenancy.Scope) uint64 {
	known, ok := t.memo[scope.Fingerprint()]
	if ok && known.at == t.applied {
		return known.last
	}
	now := scopeTouch{at: t.applied}
	if newer := t.behind(known.at); ok && known.at >= t.floor && len(newer) < scope.Len() {
		now.last = known.last
		for _, touch := range newer {
			if touch.sequence > now.last && scope.Contains(touch.company) {
				now.last = touch.sequence
			}
		}
	} else {
		now.last = t.scan(scope)
	}
	if len(t.memo) >= maxMemo {
		clear(t.memo)
	}
	t.memo[scope.Fingerprint()] = now
	return now.last
}

// behind lists the touches in effect after a sequence.
func (t *touches) behind(sequence uint64) []touched {
	return t.history[sort.Search(len(t.history), func(i int) bool { return t.history[i].sequence > sequence }):]
}

// scan goes through the smaller of the two: the scope or the companies touched.
func (t *touches) scan(scope tenancy.Scope) (last uint64) {
	if len(t.last) < scope.Len() {
		for company, sequence := range t.last {
			if sequence > last && scope.Contains(company) {
				last = sequence
			}
		}
		return last
	}
	for company := range scope.Companies() {
		last = max(last, t.last[company])
	}
	return last
}
