// Package search defines a search for chat sessions: the query (Query), the answer
// (Result), the interface of engines (Searcher), and aggregated counts
// (SummaryQuery, Summary, Summarizer). Package session defines what a session is.
//
// It depends on tenancy, for the scope that every search takes, and on keyword. It
// depends on no engine, cache, HTTP framework or OpenTelemetry SDK. Engines are in
// the folders below and pass the suite in searchtest.
package search
