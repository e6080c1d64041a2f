// Package invalidation informs caches whose sessions have changed. Writers append
// an Event to a Log, after the write; each gateway follows the log (Follower)
// and knows by its Index whether what was loaded for a scope still holds. A
// Watcher notices the changes that no writer has published.
//
// It knows nothing of what is cached, nor where the log is stored: package redislog
// has one in Redis, and package sqlite one beside its sessions. It depends on
// tenancy, for companies and scopes.
package invalidation
