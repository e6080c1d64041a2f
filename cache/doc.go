// Package cache answers searches from memory or Redis while the stored answer is
// fresh, or known to be unchanged.
//
// Cache is a search.Searcher around another. It owns the keys of entries, their
// freshness, the bound on their bytes, and the one load that all callers who miss
// the same key share. The count and the page of a search are separate entries, so
// that paging never counts again. A summary is an entry too. Each kind of value is
// one file: count.go, page.go and summary.go.
//
// There are two tiers. Memory belongs to one process. Redis is optional and shared
// by gateways: what one of them loads the others find. A search asks Redis for
// what memory does not have, within a budget of milliseconds, and what it finds
// there fills the memory. Values are written to Redis after the search is answered.
//
// Freshness follows RFC 9111 and RFC 5861. An entry is fresh for some seconds. An
// invalidation.Log says which companies' sessions have changed. Once a company of
// an entry's scope has changed, the entry is expired. An entry whose scope has not
// changed is served beyond its freshness: while it is loaded anew
// (stale-while-revalidate) and while the engine fails (stale-if-error). After a gap
// in the log all older entries are expired. Without a log, or while it cannot be
// followed, entries are served only while they are fresh.
//
// An invalidation.Watcher notices changes that no writer has published; entries
// that are older than such a change are expired.
//
// Every failure of Redis is a miss: a slow Redis costs its budget, a dead one is
// left alone until it answers again, and a value that was cut, changed, stored for
// another key or by another version is refused.
//
// The package knows nothing of the engine behind it, of HTTP, or of the
// OpenTelemetry SDK (it uses the API).
package cache
