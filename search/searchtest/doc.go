// Package searchtest is the conformance suite of search engines: whatever
// implements search.Searcher and session.Writer passes it, or it does not answer
// as the contract says.
//
// Run holds the named cases, RunGenerated the generated ones. Both compare the
// engine with a naive scan (naive*.go) that is written from the contract alone:
// of package search it uses the folding table and the field catalogue, which
// are data of the contract, and none of its parsing, canonicalisation or
// projection.
//
// The suite knows no engine and no query language. It makes one engine for each
// call of Run and RunGenerated, as making one may be slow, and keeps its cases
// apart by company. All of its data is invented.
package searchtest
