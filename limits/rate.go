package limits

import "time"

// Rate is the size of a budget. With the zero Rate nothing is counted.
type Rate struct {
	PerMinute int // units by which the budget fills in a minute; 0: no limit
	Burst     int // units of a full budget; at least 1
}

// Off reports whether there is no limit.
func (l Rate) Off() bool { return l.PerMinute <= 0 }

// maxWindow bounds the time in which a budget fills, to about 73 years, so that the
// sum of two such times fits a time.Duration.
const maxWindow = time.Duration(1) << 61

// Full returns the units of a full budget: Burst, or what fills it in 73 years if that
// is less.
func (l Rate) Full() int { return int(min(int64(l.Burst), int64(maxWindow/l.interval()))) }

// Window returns the time in which an empty budget fills.
func (l Rate) Window() time.Duration { return time.Duration(l.Full()) * l.interval() }

// interval is the time in which a budget fills by one unit.
func (l Rate) interval() time.Duration { return max(time.Minute/time.Duration(l.PerMinute), 1) }

// fit returns the cost, at most that of a full budget. A higher cost would always be
// refused, with a wrong RetryAfter.
func (l Rate) fit(cost int) int { return min(max(cost, 0), l.Full()) }

// Decision is the result of charging a cost to a budget.
type Decision struct {
	Allowed   bool // the cost was charged
	Remaining int  // whole units that are left
	// RetryAfter is the time until the budget has enough for the cost, without other
	// requests; 0 if it was allowed.
	RetryAfter time.Duration
	// ResetAfter is the time until the budget is full, without other requests.
	ResetAfter time.Duration
}

// Refunded returns the decision after a refund of the cost.
func (d Decision) Refunded(cost int, l Rate) Decision {
	cost = l.fit(cost)
	d.Remaining = min(d.Remaining+cost, l.Full())
	d.ResetAfter = max(d.ResetAfter-time.Duration(cost)*l.interval(), 0)
	return d
}

// unlimited is the decision for a Rate that is off.
var unlimited = Decision{Allowed: true}

// charge charges the cost to a budget that is full at the time full, and returns the
// new time. If too little is left, it charges nothing.
func (l Rate) charge(full, now time.Duration, cost int) (time.Duration, Decision) {
	full = max(full, now)
	after := full + time.Duration(cost)*l.interval()
	if missing := after - now - l.Window(); missing > 0 {
		return full, Decision{Remaining: l.left(full - now), RetryAfter: missing, ResetAfter: full - now}
	}
	return after, Decision{Allowed: true, Remaining: l.left(after - now), ResetAfter: after - now}
}

// left returns the whole units in a budget that is full after the duration until.
func (l Rate) left(until time.Duration) int { return int((l.Window() - until) / l.interval()) }
