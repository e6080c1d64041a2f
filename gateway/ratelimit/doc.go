// Package ratelimit counts what callers spend of their budgets: in Redis, for
// all gateways that share it, and in this process where there is no Redis or
// it does not answer.
//
// Both count by the generic cell rate algorithm: a budget holds Burst units at
// most and fills up evenly, with no window at whose edge twice as much would
// pass. A key's whole state is the time at which its budget is full again.
//
// A limiter never fails a request. Without Redis each gateway counts by itself:
// what callers may then spend in all grows with the number of gateways.
//
// It depends on none of ours.
package ratelimit
