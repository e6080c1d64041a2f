// Package sqlite is the embedded engine: a search.Searcher and session.Writer on
// one SQLite file. It is also the tenancy.Source of the companies and grants in
// that file.
//
// It owns the schema, the choice of access path and the reading of snapshots. The
// rules of matching, folding, wire form and positions are those of package search.
// The tenant scope comes from package tenancy and is the first condition of every
// statement that reads sessions. The package depends on no cache, no HTTP framework
// and no OpenTelemetry SDK.
//
// Layout of the file:
//
//   - sessions holds the typed columns that filters and sorts need, documents
//     the wire form of the same key: walks over sessions never read documents.
//   - session_terms is a contentless FTS5 trigram index over the folded keyword
//     fields. It narrows the candidates of a keyword; each candidate is checked
//     against the folded text again, so the index never decides a match.
//   - company_counts holds the number of sessions of each company, written in
//     the transaction that changes it.
//   - companies, grants, revisions and meta hold the directory and values about
//     the data as a whole.
//
// A deep page leaves anchors: positions, each with the number of rows up to it.
// Pages near it start at an anchor and need not count those rows again. An anchor
// belongs to one state of the scope's sessions: the number of the last transaction
// that changed one of its companies. Each page reads that number in its own
// snapshot and uses only anchors of the same state.
//
// The size of the write-ahead log is bounded. Above Options.MaxWAL no snapshot
// begins until the running ones have ended; far above it the running ones are
// ended.
//
// One connection writes and several read, each in a snapshot of its own. Each
// export has one more connection for as long as it runs. Other processes may write
// to the same file at the same time.
package sqlite
