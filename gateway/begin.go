package gateway

import (
	"net/http"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// callersRequestID is what a caller's own X-Request-Id must look like to be
// taken over: it goes into logs and headers, so nothing that either could take
// for structure.
var callersRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// answerPolicy is the Content-Security-Policy of all that is no page.
const answerPolicy = "default-src 'none'; frame-ancestors 'none'"

// begin makes the exchange and sets the headers that every answer carries.
func begin(c *gin.Context) {
	x := &exchange{started: time.Now(), requestID: requestIDOf(c.Request)}
	c.Set(exchangeKey{}, x)
	h := c.Writer.Header()
	h.Set("X-Request-Id", x.requestID)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Authorization")
	h.Set("X-Content-Type-Options", "nosniff")
	// An answer is data: opened as a page it may load nothing and be in no
	// frame, nor may a page of another origin embed it. CORS is not touched.
	h.Set("Content-Security-Policy", answerPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // a URL may hold a name
	c.Next()
}

// requestIDOf takes over the caller's request id if it sent exactly one that is
// fit for it, and makes one otherwise.
func requestIDOf(r *http.Request) string {
	if ids := r.Header.Values("X-Request-Id"); len(ids) == 1 && callersRequestID.MatchString(ids[0]) {
		return ids[0]
	}
	return uuid.NewString()
}
