package ratelimit

import "time"

// Limit is a budget. The zero Limit is none at all: nothing is counted.
type Limit struct {
	PerMinute int // units that come back in a minute, evenly; 0: no limit
	Burst     int // units that it holds when full; at least 1
}

// Off reports whether there is no limit.
func (l Limit) Off() bool { return l.PerMinute <= 0 }

// maxWindow bounds how long a budget takes to fill, about 73 years, so that the
// sum of two such times is still a time.Duration.
const maxWindow = time.Duration(1) << 61

// Full is what a full budget holds: Burst, or as much as comes back in 73 years
// if that is less.
func (l Limit) Full() int { return int(min(int64(l.Burst), int64(maxWindow/l.interval()))) }

// Window is how long an empty budget takes to fill.
func (l Limit) Window() time.Duration { return time.Duration(l.Full()) * l.interval() }

// interval is how long one unit takes to come back.
func (l Limit) interval() time.Duration { return max(time.Minute/time.Duration(l.PerMinute), 1) }

// fit is the cost that a budget can pay at all. More than a full one would be
// refused for ever, with a RetryAfter that is not true.
func (l Limit) fit(cost int) int { return min(max(cost, 0), l.Full()) }

// Decision says whether a budget had what a request costs.
type Decision struct {
	Allowed   bool
	Remaining int // whole units that are left
	// RetryAfter is when the cost would be there, if nobody else spends; 0 if
	// it was.
	RetryAfter time.Duration
	// ResetAfter is when the budget is full, if nobody spends.
	ResetAfter time.Duration
}

// Refunded is the decision when the cost has been given back.
func (d Decision) Refunded(cost int, l Limit) Decision {
	cost = l.fit(cost)
	d.Remaining = min(d.Remaining+cost, l.Full())
	d.ResetAfter = max(d.ResetAfter-time.Duration(cost)*l.interval(), 0)
	return d
}

// unlimited is the decision where there is no limit.
var unlimited = Decision{Allowed: true}

// spend takes the cost from a budget that will be full at the time full, and
// returns when it will be now. Of a budget that has too little it takes
// nothing.
func (l Limit) spend(full, now time.Duration, cost int) (time.Duration, Decision) {
	full = max(full, now)
	after := full + time.Duration(cost)*l.interval()
	if missing := after - now - l.Window(); missing > 0 {
		return full, Decision{Remaining: l.left(full - now), RetryAfter: missing, ResetAfter: full - now}
	}
	return after, Decision{Allowed: true, Remaining: l.left(after - now), ResetAfter: after - now}
}

// left is how much is in a budget that will be full after the time.
func (l Limit) left(until time.Duration) int { return int((l.Window() - until) / l.interval()) }
