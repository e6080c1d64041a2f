package gateway

import (
	"errors"
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
		who.account = exchangeOf(c).principal.Account()
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
