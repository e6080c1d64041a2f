package limits

import (
	"errors"
	"sync"

	"github.com/scopegate/scopegate/tenancy"
)

// Errors of Requests.
var (
	ErrOwnRequests = errors.New("the caller has too many requests under way")
	ErrAllRequests = errors.New("too many requests under way")
)

// callerShare is the part of all requests that one caller may have at once: a
// quarter.
const callerShare = 4

// Requester is the caller that a request counts for: an account or, if the token
// has not been verified before, an address.
type Requester struct {
	Account tenancy.Account
	Address string
}

// Requests counts the requests that are being answered. Each takes memory until its
// caller has read the answer. Safe for use by several goroutines.
type Requests struct {
	limit, callerLimit int

	mu  sync.Mutex
	all int
	by  map[Requester]int
}

// NewRequests allows limit requests at a time, a quarter of them for one caller.
func NewRequests(limit int) *Requests {
	return &Requests{limit: limit, callerLimit: max(1, limit/callerShare), by: map[Requester]int{}}
}

// Acquire counts one request more, until Release. Errors: ErrOwnRequests,
// ErrAllRequests.
func (r *Requests) Acquire(who Requester) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.all >= r.limit:
		return ErrAllRequests
	case r.by[who] >= r.callerLimit:
		return ErrOwnRequests
	}
	r.all++
	r.by[who]++
	return nil
}

// Release ends the count of one request.
func (r *Requests) Release(who Requester) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.by[who]--; r.by[who] == 0 {
		delete(r.by, who)
	}
}
