// Package ratelimit counts the usage of callers' budgets: in Redis for all gateways
// that share it, and in this process if there is no Redis or it does not answer.
//
// Both use the generic cell rate algorithm: a budget holds at most Burst units and
// fills evenly. There are no fixed windows, at whose edges twice the budget could be
// used. The state of a budget is a single time, at which it is full again.
//
// A limiter never fails a request. Without Redis each gateway counts alone, so that
// callers may use as many budgets as there are gateways.
package ratelimit
