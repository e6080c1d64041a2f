package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/limits"
)

// countRequest refuses a request if too many of its caller, or of all callers, are
// being answered.
func (a *api) countRequest(c *gin.Context) {
	var who limits.Requester
	if a.fromMemo(c) {
		who.Account = stateFrom(c).principal.Account()
	} else {
		who.Address = addressKey(a.clients.find(c.Request))
	}
	if err := a.requests.Acquire(who); err != nil {
		limit := limitRequests
		if errors.Is(err, limits.ErrOwnRequests) {
			limit = limitOwnRequests
		}
		a.meters.overLimit(c.Request.Context(), limit)
		a.fail(c, err)
		c.Abort()
		return
	}
	defer a.requests.Release(who)
	c.Next()
}

// limitHead refuses a URL or a header that is too long. The server's own limit is
// higher; beyond that it stops reading, and its answer is not a problem document.
func (a *api) limitHead(c *gin.Context) error {
	switch {
	case len(c.Request.RequestURI) > a.maxURLBytes:
		return errURLTooLong
	case headBytes(c.Request) > a.maxHeaderBytes:
		return errHeaderTooLarge
	}
	return nil
}

// headBytes is the size of the request line and the header as HTTP/1.1 writes
// them.
func headBytes(r *http.Request) int {
	size := len(r.Method) + len(" ") + len(r.RequestURI) + len(" HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return size
}

// deadline bounds the time of the work on a request. Work that takes longer ends
// with context.DeadlineExceeded, a 504. Exports have bounds of their own.
func (a *api) deadline(c *gin.Context) {
	if strings.HasSuffix(routeTemplate(c), exportRoute) {
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
