// Package gateway is Scopegate's HTTP API: routes, middleware, handlers, cursors,
// problem answers, and the API's own description. Package httpserver serves it.
//
// routes.go lists the middleware in the order in which a request meets it: recovery,
// trace, access log, metrics, CORS, bounds of the head, limit by address, deadline,
// authentication, limits by account and company. A handler then decodes the
// parameters, resolves the scope, searches, checks the scope of every row, and
// encodes the answer. Handlers return errors; problems.go maps them to answers in
// one table.
//
// An export opens a snapshot of the engine instead, and writes its rows while it
// reads them (export.go). It has bounds of its own in place of the deadline.
//
// Gin stays in this package. The package depends on search and tenancy for their
// types, on search/export for files, on audit for the record of exports, on
// ratelimit for budgets, and on the OpenTelemetry API. It knows no engine, no cache,
// no configuration and no OpenTelemetry SDK, which is in telemetry. options.go has
// the interfaces for tokens and for the directory.
//
// What a caller writes (URL, query, body, token, User-Agent) is never put into a log,
// span or metric: errors are recorded by their code.
package gateway
