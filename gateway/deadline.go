package gateway

import (
	"context"
	"strings"

	"github.com/gin-gonic/gin"
)

// deadline bounds the work on a request. What runs into it comes back as
// context.DeadlineExceeded, a 504. Exports have bounds of their own.
func (a *api) deadline(c *gin.Context) {
	if strings.HasSuffix(routeOf(c), exportRoute) {
		c.Next()
		exchangeOf(c).returned = true
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	// This is the innermost of the common steps: what comes back to it has not
	// panicked.
	exchangeOf(c).returned = true
}
