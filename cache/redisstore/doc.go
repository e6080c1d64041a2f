// Package redisstore stores values by name in Redis, for all gateways at once: one
// server, one that Sentinels watch, or a Cluster. Calls are bounded in time and in
// what is read of an answer, and are spans.
//
// It knows nothing of what the values are, nor of searches.
package redisstore
