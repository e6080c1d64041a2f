// Package searchtest is the conformance suite of search engines: an implementation
// of search.Searcher and session.Writer answers as the contract says only if it
// passes.
//
// Run holds the named cases, RunGenerated the generated ones. Both compare the
// engine with a naive scan (naive*.go) that is written from the contract alone. Of
// package search the scan uses the folding table and the field catalogue, which are
// data of the contract, and none of its parsing, canonicalisation or projection.
//
// The suite knows no engine and no query language. It makes one engine for each
// call of Run and RunGenerated, since making one may be slow, and separates its
// cases by company. All of its data is invented.
package searchtest
