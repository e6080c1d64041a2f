// Package gateway is Scopegate's HTTP surface: routes, middleware (one a file,
// the order listed once in routes.go), the decoding of parameters, cursors,
// problem answers, and the API's own description. httpserver serves it.
//
// A request walks one way: recover → trace → access log → metrics → CORS → size
// of its head → limit by address → deadline → authenticate → limit by account
// and company → decode → scope → search → scope check of every row → encode.
// Handlers return errors; problems.go maps them to answers in one table.
//
// An export goes on from the scope with a snapshot of the engine, which is
// written as it is read (export.go), under bounds of its own in place of the
// deadline.
//
// Gin stays in this package. It depends on search and tenancy for their types,
// on search/export for files, on audit for the record of exports, on ratelimit
// for counting, and on the OpenTelemetry API; it knows no engine,
// no cache, no configuration and no OpenTelemetry SDK (that is telemetry's).
// What it needs of token verification and of the directory it says itself, in
// options.go.
//
// What a caller writes (URL, query, body, token, User-Agent) is never put into
// a log, span or metric: errors are recorded by their code.
package gateway
