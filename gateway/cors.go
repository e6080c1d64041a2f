package gateway

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// Methods and headers that pages of the configured origins may use, in addition to
// those that need no permission (Fetch standard, sections 4.8 and 3.3.3).
const (
	corsMethods = "GET, HEAD, POST"
	corsRequest = "Authorization, Cache-Control, Content-Type, If-None-Match, X-Request-Id, traceparent"
	corsAnswer  = "Age, Cache-Status, Content-Disposition, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, " +
		"Server-Timing, traceresponse, WWW-Authenticate, X-Request-Id, X-Row-Count, X-Total-Count, X-Truncated-Cells"
	corsMaxAge = "600" // seconds for which a browser keeps a preflight's answer
)

// cors lets pages of the configured origins read answers, and answers their
// preflight requests. Access-Control-Allow-Credentials is never sent: the token of
// the page decides what it may see, not a cookie that the browser adds. "*" is never
// sent either: with it, access could not be withdrawn from a single origin.
func (a *api) cors(c *gin.Context) {
	if len(a.corsOrigins) == 0 {
		return
	}
	h := c.Writer.Header()
	addVary(h, "Origin") // also without an Origin: a cache may store both answers
	origin := c.Request.Header.Get("Origin")
	if !slices.Contains(a.corsOrigins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsAnswer)
	if c.Request.Method == http.MethodOptions && c.Request.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsRequest)
		h.Set("Access-Control-Max-Age", corsMaxAge)
		c.AbortWithStatus(http.StatusNoContent)
	}
}

// addVary names one more header that the answer depends on. All names are in one
// line: some clients read the first Vary only.
func addVary(h http.Header, name string) {
	if old := h.Get("Vary"); old != "" {
		name = old + ", " + name
	}
	h.Set("Vary", name)
}
