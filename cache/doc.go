// Package cache answers searches from memory or Redis while that is fresh
// enough, or known to be still true.
//
// Cache is a search.Searcher around another. It owns the keys under which
// answers are kept, their life, the bound on their bytes, and the one load that
// all callers who miss the same key share. Count and page of a search are kept
// apart, so that paging never counts again. Summaries are kept like counts.
//
// It has two tiers. The memory tier belongs to one process. The Redis tier,
// which there need not be, is shared by gateways: what one of them loads the
// others find. A search asks Redis for what memory does not have, within a
// budget of milliseconds, and what it finds there fills the memory. Values are
// stored beside the answer.
//
// A Log tells which companies' sessions were written. What was loaded for a scope
// before one of its companies was touched is not served any more; what was not
// touched is served beyond its freshness while it is renewed or while the engine
// fails. A log that may have lost something makes all that is older stale, and
// one that cannot be followed leaves only what is fresh. RedisLog is a log in
// Redis.
//
// What is searched may be watched too: when it moves and nobody has told, all
// that is older is stale.
//
// Whatever goes wrong with Redis is a miss: a slow one costs its budget, a dead
// one is left alone until it answers again, and a value that was cut, changed,
// stored for another key or by another version is refused.
//
// The package knows nothing of the engine behind it, of HTTP, or of the
// OpenTelemetry SDK (it uses the API).
package cache
