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

// shareOfRequests is which part of the requests at a time may be one caller's.
const shareOfRequests = 4

// requester is whom a request counts for: an account or, where the token is not
// known yet, an address.
type requester struct {
	account tenancy.Account
	address string
}

// requests counts those that are being answered. Each takes some memory, however
// little is asked, until its caller has read the answer.
type requests struct {
	most, each int

	mu  sync.Mutex
	all int
	by  map[requester]int
}

func newRequests(most int) *requests {
	return &requests{most: most, each: max(1, most/shareOfRequests), by: map[requester]int{}}
}

// enter counts one more, which must leave. Errors: errOwnRequests, errAllRequests.
func (r *requests) enter(who requester) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.all >= r.most:
		return errAllRequests
	case r.by[who] >= r.each:
		return errOwnRequests
	}
	r.all++
	r.by[who]++
	return nil
}

func (r *requests) leave(who requester) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.by[who]--; r.by[who] == 0 {
		delete(r.by, who)
	}
}

// countRequest refuses a request while as many as may be are being answered, of its
// caller's or in all.
func (a *api) countRequest(c *gin.Context) {
	var who requester
	if a.recall(c) {
		who.account = stateFrom(c).principal.Account()
	} else {
		who.address = addressKey(a.clients.of(c.Request))
	}
	if err := a.requests.enter(who); err != nil {
		limit := limitRequests
		if errors.Is(err, errOwnRequests) {
			limit = limitOwnRequests
		}
		a.meters.overLimit(c.Request.Context(), limit)
		a.fail(c, err)
		c.Abort()
		return
	}
	defer a.requests.leave(who)
	c.Next()
}

// limitHead refuses a URL or a header that is too long. The server has a limit
// of its own, above this one, beyond which it does not read on; its answer is
// not a problem in the API's form.
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
	if strings.HasSuffix(routeOf(c), exportRoute) {
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
