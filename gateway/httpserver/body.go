package httpserver

import (
	"net/http"
	"time"
)

// abandoningBodies abandons the bodies of requests that should have none: those of
// all methods but POST. net/http would read the rest of a body before it writes the
// answer, and before it takes the next request or closes the connection, for as long
// as ReadTimeout, or without end where a handler has removed that deadline.
func abandoningBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.ContentLength != 0 {
			AbandonBody(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// AbandonBody closes the connection after the answer to the request, and stops
// reading from it. Otherwise the server would read on, for as long as a slow sender
// takes. w must be the server's own writer.
func AbandonBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 { // over HTTP/2 answers do not wait for bodies, and others use the connection
		return
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // the error means that there are no deadlines
}
