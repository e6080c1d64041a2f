// Package httpserver serves an http.Handler on a listener. Server has timeouts, a
// bound on connections, and a stop in which requests may finish. Certificate is a TLS
// certificate whose files may be replaced. NewAdmin makes the handler of the admin
// listener. Handlers use CorkAnswer, BoundUnsent, AbandonBody and MarkAuthenticated
// to control the connection of a request.
//
// The package knows nothing of searches, tenants or problem answers. Its log lines
// hold no address of a client.
package httpserver
