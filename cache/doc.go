// Package cache answers searches from memory while that is fresh enough.
//
// Cache is a search.Searcher around another. It owns the keys under which
// answers are kept, their life, the bound on their bytes, and the one load that
// all callers who miss the same key share. Count and page of a search are kept
// apart, so that paging never counts again.
//
// The tiers it looks through are its own; it knows nothing of the engine
// behind it, of HTTP, or of the OpenTelemetry SDK (it uses the API).
package cache
