package limits

import (
	"sync"
	"time"
)

const (
	// leaseTime is how long units are kept that nobody uses.
	leaseTime = time.Second
	// leaseShare is the part of a budget that one lease may take: 1/32.
	leaseShare = 32
	// maxRefusal bounds how long a refusal is repeated without asking Redis. Another
	// gateway may return units meanwhile.
	maxRefusal = 100 * time.Millisecond
)

// maxLease returns the units of the largest lease.
func (r Rate) maxLease() int { return min(r.Full()/leaseShare, max(r.PerMinute/60, 1)) } //nolint:mnd // seconds of a minute

// leases are the units that this process has taken from budgets in Redis. Safe for use
// by several goroutines.
type leases struct {
	start    time.Time
	giveBack func([]returned)

	mu     sync.Mutex
	closed bool
	sweeps bool // a sweep is planned
	byKey  map[string]*lease
}

// lease is what this process has of one budget.
type lease struct {
	rate    Rate
	held    int           // units that are charged in Redis and not used
	used    int           // units used since the last sweep
	size    int           // how many units the next lease takes
	full    time.Duration // when the budget is full if the held units are used; since start
	until   time.Duration // when held units are returned
	asking  *asking       // nil: nobody asks Redis
	waiting int           // units that callers wait for
	// A cost of refusedCost or more is refused until refusedUntil, without asking
	// Redis. The budget has as much at the time available.
	refusedCost             int
	refusedUntil, available time.Duration
}

// asking is one request to Redis, which several callers may wait for.
type asking struct {
	done   chan struct{}
	failed bool // read after done
}

// returned are units to return to a budget.
type returned struct {
	key   string
	units int
	rate  Rate
}

func newLeases(giveBack func([]returned)) *leases {
	return &leases{start: time.Now(), giveBack: giveBack, byKey: map[string]*lease{}}
}

// taken is what take has found: a decision, or a request to Redis to wait for or, if
// asks is set, to make: for the cost and more units.
type taken struct {
	decided  bool
	decision Decision
	asking   *asking
	asks     bool
	more     int
}

// take charges the cost to the key's lease, if that has enough. Who is to ask Redis
// must call answered.
func (l *leases) take(key string, cost int, rate Rate) taken {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.start)
	own := l.byKey[key]
	if own == nil || own.rate != rate {
		own = &lease{rate: rate}
		l.byKey[key] = own
		l.planSweep()
	}
	switch {
	case own.held >= cost && now < own.until:
		own.held -= cost
		own.used += cost
		return taken{decided: true, decision: own.decision(now, true)}
	case cost >= own.refusedCost && now < own.refusedUntil:
		d := own.decision(now, false)
		d.RetryAfter = own.available - now + time.Duration(cost-own.refusedCost)*rate.interval()
		return taken{decided: true, decision: d}
	case own.asking != nil:
		own.waiting += cost
		return taken{asking: own.asking}
	}
	own.asking = &asking{done: make(chan struct{})}
	more := min(own.size+own.waiting, rate.maxLease())
	own.waiting = 0
	return taken{asking: own.asking, asks: true, more: more}
}

// answered is the end of a request to Redis. It sets what the decision has of the
// lease.
func (l *leases) answered(key string, a *asking, cost, more int, rate Rate, d *Decision, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(a.done)
	a.failed = err != nil
	own := l.byKey[key]
	if own == nil || own.asking != a { // closed, or the setting was another
		return
	}
	own.asking = nil
	if err != nil {
		return
	}
	now := time.Since(l.start)
	own.full = now + d.ResetAfter
	if !d.Allowed {
		own.refusedCost, own.available = cost, now+d.RetryAfter
		own.refusedUntil = min(own.available, now+maxRefusal)
		return
	}
	own.used += cost
	own.held += more
	own.size = min(max(2*own.size, 1), rate.maxLease())
	own.until = now + leaseTime
	own.refusedUntil = 0
	*d = own.decision(now, true)
}

// decision is what the lease knows of its budget.
func (o *lease) decision(now time.Duration, allowed bool) Decision {
	reset := max(o.full-now-time.Duration(o.held)*o.rate.interval(), 0)
	return Decision{Allowed: allowed, Remaining: o.rate.left(min(reset, o.rate.Window())), ResetAfter: reset}
}

// refund returns units to the key's lease; it returns false if there is none, or if it
// would be larger than a lease may be.
func (l *leases) refund(key string, cost int, rate Rate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.byKey[key]
	if own == nil || own.rate != rate {
		return false
	}
	own.refusedUntil = 0
	if own.until <= time.Since(l.start) || own.held+cost > rate.maxLease() {
		return false
	}
	own.held += cost
	own.used -= cost
	return true
}

// planSweep sweeps after leaseTime. The caller holds mu.
func (l *leases) planSweep() {
	if !l.sweeps && !l.closed {
		l.sweeps = true
		time.AfterFunc(leaseTime, func() { l.giveBack(l.sweep()) })
	}
}

// sweep takes back the leases that are over. The next lease of a budget takes what was
// used of the last one; a budget that was not used is forgotten.
func (l *leases) sweep() (all []returned) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweeps = false
	now := time.Since(l.start)
	for key, own := range l.byKey {
		if own.asking != nil || now < own.until {
			continue
		}
		if own.held > 0 {
			all = append(all, returned{key, own.held, own.rate})
		}
		if own.used <= 0 {
			delete(l.byKey, key)
			continue
		}
		own.size, own.used, own.held, own.until = min(own.used, own.size), 0, 0, now
	}
	if len(l.byKey) > 0 {
		l.planSweep()
	}
	return all
}

// close takes back all leases. There are no sweeps afterwards.
func (l *leases) close() (all []returned) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for key, own := range l.byKey {
		if own.held > 0 {
			all = append(all, returned{key, own.held, own.rate})
		}
	}
	clear(l.byKey)
	return all
}
