// Package ingest reads sessions, companies and grants as NDJSON, plain or
// compressed, and passes them in batches to a session.Writer.
//
// It owns the format of a line, the handling of bad lines, and the order and size
// of the batches. It depends on search and tenancy for the definition of records,
// and on no engine, command line or file layout.
package ingest
