package ratelimit

import (
	"context"
	"sync"
	"time"
)

// DefaultMaxKeys is how many budgets a process keeps: some 10 MB at most.
const DefaultMaxKeys = 1 << 16

// Process counts in this process. It keeps a bounded number of budgets; of more
// than that those unused for longest are forgotten, and so are full again. Safe
// for use by several goroutines.
type Process struct {
	start time.Time
	now   func() time.Time

	mu sync.Mutex
	// When each budget is full, since start. Those used lately are in young;
	// once it holds half of what may be kept it becomes old, and what was in
	// old and has not been used since is forgotten.
	young, old map[string]time.Duration
	half       int
}

// NewProcess makes a limiter that keeps at most so many budgets, none spent.
func NewProcess(maxKeys int) *Process { return newProcess(maxKeys, time.Now) }

func newProcess(maxKeys int, now func() time.Time) *Process {
	return &Process{start: now(), now: now, young: map[string]time.Duration{}, half: max(maxKeys/2, 1)}
}

// Allow takes the cost from the key's budget, if it has that much. A cost above
// the whole budget is the whole budget.
func (p *Process) Allow(_ context.Context, key string, cost int, limit Limit) Decision {
	if limit.Off() {
		return unlimited
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now().Sub(p.start)
	full, d := limit.spend(p.take(key), now, limit.fit(cost))
	p.put(key, full, now)
	return d
}

// Refund gives back what was taken.
func (p *Process) Refund(_ context.Context, key string, cost int, limit Limit) {
	if limit.Off() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(key, p.take(key)-time.Duration(limit.fit(cost))*limit.interval(), p.now().Sub(p.start))
}

// take removes what is known of a key.
func (p *Process) take(key string) time.Duration {
	full, ok := p.young[key]
	if !ok {
		full = p.old[key]
	}
	delete(p.young, key)
	delete(p.old, key)
	return full
}

// put keeps when the key's budget is full, unless it is.
func (p *Process) put(key string, full, now time.Duration) {
	if full <= now {
		return
	}
	if len(p.young) >= p.half {
		p.young, p.old = make(map[string]time.Duration, p.half), p.young
	}
	p.young[key] = full
}

// kept is how many budgets are not full, or were not when they were last used.
func (p *Process) kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.young) + len(p.old)
}
