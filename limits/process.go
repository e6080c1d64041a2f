package limits

import (
	"context"
	"sync"
	"time"
)

// DefaultMaxKeys is a number of budgets that takes about 10 MB at most.
const DefaultMaxKeys = 1 << 16

// Process is a limiter that counts in this process. It stores a bounded number of
// budgets. Beyond that it drops those that were unused for longest, which are then
// full again. Safe for use by several goroutines.
//
// It is not otter, which holds the cache's answers: that may refuse a new key in favor
// of others that are used more, and a budget that is not stored is full at each request.
type Process struct {
	start time.Time
	now   func() time.Time

	mu sync.Mutex
	// The times since start at which budgets are full. Those used last are in young.
	// When young has half of the budgets, it replaces old, and what is left in old
	// is dropped.
	young, old map[string]time.Duration
	half       int
}

// NewProcess makes a limiter that stores at most maxKeys budgets. All are full.
func NewProcess(maxKeys int) *Process { return newProcess(maxKeys, time.Now) }

func newProcess(maxKeys int, now func() time.Time) *Process {
	return &Process{start: now(), now: now, young: map[string]time.Duration{}, half: max(maxKeys/2, 1)}
}

// Allow charges the cost to the key's budget, if enough of it is left. A higher cost
// than the full budget counts as the full budget.
func (p *Process) Allow(_ context.Context, key string, cost int, limit Rate) Decision {
	if limit.Off() {
		return unlimited
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now().Sub(p.start)
	full, d := limit.charge(p.remove(key), now, limit.fit(cost))
	p.put(key, full, now)
	return d
}

// Refund returns a cost that Allow has charged.
func (p *Process) Refund(_ context.Context, key string, cost int, limit Rate) {
	if limit.Off() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(key, p.remove(key)-time.Duration(limit.fit(cost))*limit.interval(), p.now().Sub(p.start))
}

// remove removes the key, and returns when its budget is full; 0 if it is not stored.
func (p *Process) remove(key string) time.Duration {
	full, ok := p.young[key]
	if !ok {
		full = p.old[key]
	}
	delete(p.young, key)
	delete(p.old, key)
	return full
}

// put stores when the key's budget is full, unless it is full now.
func (p *Process) put(key string, full, now time.Duration) {
	if full <= now {
		return
	}
	if len(p.young) >= p.half {
		p.young, p.old = make(map[string]time.Duration, p.half), p.young
	}
	p.young[key] = full
}

// size returns the number of stored budgets.
func (p *Process) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.young) + len(p.old)
}
