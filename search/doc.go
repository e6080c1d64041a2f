// Package search says what a search for chat sessions is: the question
// (Query), the answer (Result), who answers it (Searcher), what sessions add up
// to (SummaryQuery, Summary, Summarizer). What a session is, is said in package
// session.
//
// It depends on tenancy, for the scope that every search takes, on keyword, and on no
// engine, cache, HTTP framework or OpenTelemetry SDK. Engines live in the
// folders below and pass the suite in searchtest.
package search
