// Package sqlite is the embedded engine: a search.Searcher and session.Writer
// on one SQLite file, which is also the tenancy.Source of the companies and
// grants kept in it.
//
// It owns the schema, the choice of access path and the reading of snapshots.
// The rules of matching, folding, wire form and positions are those of package
// search; the tenant scope comes from package tenancy and is the first
// condition of every statement that reads sessions. It depends on no cache, no
// HTTP framework and no OpenTelemetry SDK.
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
//   - companies, grants, revisions and meta are the directory and small marks.
//
// A deep page leaves anchors: positions and how many rows came up to them, which
// spare its neighbours counting off those rows. They are of one state of the
// scope's sessions, the number of the last transaction that changed one of its
// companies, which each page reads in its own snapshot: an anchor of another state
// is not found.
//
// The write-ahead log is bounded: above Options.MaxWAL no snapshot begins until
// those under way have ended, and far above it they are ended.
//
// One connection writes, several read, each in a snapshot of its own; each
// export has one more connection for as long as it is read. Other
// processes may write to the same file at the same time.
package sqlite
