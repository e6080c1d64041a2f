package httpserver

import (
	"net/http"
	"time"
)

// abandoningBodies does not wait for the body of a request whose method has no use
// for one, whatever is answered. Before it writes an answer, and again before it
// takes the next request or closes the connection, net/http reads what is left of
// a body, for as long as ReadTimeout, or for ever where a handler has lifted that.
func abandoningBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.ContentLength != 0 {
			AbandonBody(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// AbandonBody ends the connection with the answer to the request, and reads no
// more from it. Otherwise the server would read on, for as long as a slow sender
// takes. The writer is the one that the server has made.
func AbandonBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 { // an answer waits for no body, and others share the connection
		return
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // what has none reads on
}
