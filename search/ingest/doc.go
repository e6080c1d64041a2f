// Package ingest reads sessions, companies and grants as NDJSON, plain or
// compressed, and hands them in batches to a session.Writer.
//
// It owns the format of a line, what becomes of a bad one, and the order and
// size of the batches. It depends on search and tenancy for what a record is,
// and on no engine, command line or file layout.
package ingest
