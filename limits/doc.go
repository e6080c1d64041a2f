// Package limits holds all bounds on what callers may use: rates, requests and loads
// at a time, bytes in flight, and exports.
//
// Rates are counted by the generic cell rate algorithm: a budget holds at most Burst
// units and fills evenly. There are no fixed windows, at whose edges twice the budget
// could be used. The state of a budget is a single time, at which it is full again.
// Budgets are shared in Redis by all gateways that use it, and counted in this process
// if there is no Redis or it does not answer. Rates never fail a request. Without
// Redis each gateway counts alone, so that callers may use as many budgets as there
// are gateways.
//
// The package knows neither HTTP nor engines.
package limits
