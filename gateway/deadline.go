package gateway

import (
	"context"

	"github.com/gin-gonic/gin"
)

// deadline bounds the work on a request. What runs into it comes back as
// context.DeadlineExceeded, a 504.
func (a *api) deadline(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	// This is the innermost of the common steps: what comes back to it has not
	// panicked.
	exchangeOf(c).returned = true
}
