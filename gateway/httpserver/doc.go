// Package httpserver serves an http.Handler on a listener: the timeouts of
// net/http, TLS with a certificate that may be replaced in its files, a bound on
// connections, and a stop that lets requests finish (Server). It has the handler
// of the admin listener too, and what a handler may ask of its connection.
//
// It knows nothing of searches, tenants or problems: Options has all that it is
// given. What it tells its log holds no address of a client.
package httpserver
