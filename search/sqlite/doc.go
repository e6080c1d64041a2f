// Package sqlite is the embedded engine: a search.Searcher and search.Writer
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
//     the wire form of the same key: walks over sessions never touch documents.
//   - session_terms is a contentless FTS5 trigram index over the folded keyword
//     fields. It narrows the candidates of a keyword; each candidate is checked
//     against the folded text again, so the index never decides a match.
//   - company_counts holds the number of sessions of each company, written in
//     the transaction that changes it.
//   - companies, grants, revisions and meta are the directory and small marks.
//
// One connection writes, several read, each in a snapshot of its own. Other
// processes may write to the same file at the same time.
package sqlite
