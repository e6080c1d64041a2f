package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/gateway/params"
)

// Unavailable answers every request with a 503, as the API's problems are, while the
// API cannot be put together yet. The detail is for callers.
func Unavailable(detail string, retryAfter time.Duration) http.Handler {
	body, err := json.Marshal(problemBody{
		Type: "about:blank", Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
		Detail: detail, Error: detail, Details: []params.Fault{},
	})
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/problem+json")
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(body) // the caller may have gone
	})
}
