package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/tenancy"
)

// callerShare is the part of all requests that one caller may have at once: a
// quarter.
const callerShare = 4

// requester is the caller that a request counts for: an account or, if the token
// has not been verified before, an address.
type requester struct {
	account tenancy.Account
	address string
}

// requests counts the requests that are being answered. Each takes memory until its
// caller has read the answer. Safe for use by several goroutines.
type requests struct {
	limit, callerLimit int

	mu  sync.Mutex
	all int
	by  map[requester]int
}

func newRequests(limit int) *requests {
	return &requests{limit: limit, callerLimit: max(1, limit/callerShare), by: map[requester]int{}}
}

// acquire counts one request more, until release. Errors: errOwnRequests,
// errAllRequests.
func (r *requests) acquire(who requester) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.all >= r.limit:
		return errAllRequests
	case r.by[who] >= r.callerLimit:
		return errOwnRequests
	}
	r.all++
	r.by[who]++
	return nil
}

func (r *requests) release(who requester) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.by[who]--; r.by[who] == 0 {
		delete(r.by, who)
	}
}

// countRequest refuses a request if too many of its caller, or of all callers, are
// being answered.
func (a *api) countRequest(c *gin.Context) {
	var who requester
	if a.recall(c) {
		who.account = stateFrom(c).principal.Account()
	} else {
		who.address = addressKey(a.clients.find(c.Request))
	}
	if err := a.requests.acquire(who); err != nil {
		limit := limitRequests
		if errors.Is(err, errOwnRequests) {
			limit = limitOwnRequests
		}
		a.meters.overLimit(c.Request.Context(), limit)
		a.fail(c, err)
		c.Abort()
		return
	}
	defer a.requests.release(who)
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
