// Package search says what a search for chat sessions is: the question
// (Query), the answer (Result), who answers it (Searcher), what sessions add up
// to (SummaryQuery, Summary, Summarizer), the catalogue of
// session fields, the wire form of a session (Document) and the rules by which
// text is folded and keywords match.
//
// It depends on tenancy, for the scope that every search takes, and on no
// engine, cache, HTTP framework or OpenTelemetry SDK. Engines live in the
// folders below and pass the suite in searchtest.
package search
