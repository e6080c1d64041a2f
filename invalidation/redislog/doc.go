// Package redislog stores an invalidation log in Redis, for the gateways and the
// writers that share it. Entries are numbered and carry MACs, so that what others
// do to the Redis, and what a restart or a failover loses, is noticed.
//
// It knows nothing of caches. It depends on redisstore, for connections whose
// answers are bounded.
package redislog
