package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/gateway/ratelimit"
	"github.com/scopegate/scopegate/tenancy"
)

// Limits are the budgets that requests are paid from. One that is off is not
// counted; the zero Limits have none.
type Limits struct {
	// Address is that of an address (an IPv6 one with its /64), for requests
	// that turn out not to be authenticated: each costs 1. Those whose client
	// address cannot be read have one together.
	Address ratelimit.Limit
	// Account and Company are those of the caller and of all callers of its
	// company; what a request costs is in the table of routes.
	Account, Company ratelimit.Limit
}

func (l Limits) validate() error {
	var faults []error
	for _, limit := range []struct {
		name string
		ratelimit.Limit
	}{{"Address", l.Address}, {"Account", l.Account}, {"Company", l.Company}} {
		if limit.PerMinute < 0 || !limit.Off() && limit.Burst < 1 {
			faults = append(faults, fmt.Errorf("the limit %s must not be negative, and have a Burst of at least 1", limit.name))
		}
	}
	return errors.Join(faults...)
}

// Limiter counts what accounts and companies spend. It never fails a request:
// what it cannot count is allowed.
type Limiter interface {
	// Allow takes the cost from the key's budget, if it has that much.
	Allow(ctx context.Context, key string, cost int, limit ratelimit.Limit) ratelimit.Decision
	// Refund gives back what Allow has taken.
	Refund(ctx context.Context, key string, cost int, limit ratelimit.Limit)
}

var (
	_ Limiter = (*ratelimit.Process)(nil)
	_ Limiter = (*ratelimit.Redis)(nil)
)

// limitedError: a budget has too little left.
type limitedError struct {
	whose string // "address", "account" or "company"
	after time.Duration
}

func (e *limitedError) Error() string { return "over the rate limit of the " + e.whose }

// Is makes it an errLimited, whosever budget it was.
func (e *limitedError) Is(target error) bool { return target == errLimited }

// retryAfter is in whole seconds, rounded up: a caller that waits so long is
// not refused again.
func (e *limitedError) retryAfter() int { return wholeSeconds(e.after) }

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// limitAddress refuses an address that keeps sending requests that are not
// authenticated. Each request pays before that is known; refundAddress gives
// back. It counts in this process alone: what anybody may send without a token
// must not cost a round trip to Redis.
//
// A caller whose token is remembered pays nothing here and is not refused. What
// others behind the same address send, or behind the same proxy where addresses
// cannot be told apart, must not shut it out. Finding that out takes a hash and
// a look-up. Anybody else is told the same, whatever the token: an address that
// has spent its budget learns nothing by trying tokens.
func (a *api) limitAddress(c *gin.Context) error {
	limit := a.limits.Address
	if limit.Off() || stateFrom(c).recalled {
		return nil
	}
	state := stateFrom(c)
	state.address = addressKey(a.clients.find(c.Request))
	if state.address == unknownAddress {
		a.warnUnknown.Do(func() {
			a.logger.WarnContext(c.Request.Context(), "a trusted proxy names no client address: all such requests share one budget",
				slog.String("header", a.clients.header))
		})
	}
	d := a.addresses.Allow(c.Request.Context(), state.address, 1, limit)
	if d.Allowed {
		return nil
	}
	return a.refuse(c, []usage{{limitAddress, limit, d}})
}

// recall settles who the caller is by a token that was verified before. Only
// where a token is needed: what is open to all is paid by the address.
func (a *api) recall(c *gin.Context) bool {
	if !strings.HasPrefix(c.FullPath(), apiPath+"/") {
		return false
	}
	token, err := bearerToken(c.Request.Header)
	if err != nil {
		return false
	}
	state := stateFrom(c)
	state.principal, state.recalled = a.verifier.Recall(token)
	return state.recalled
}

// refundAddress follows authentication: who is known has a budget of its own,
// and may share an address with many.
func (a *api) refundAddress(c *gin.Context) error {
	httpserver.MarkAuthenticated(c.Request)
	if state := stateFrom(c); !state.recalled {
		a.addresses.Refund(c.Request.Context(), state.address, 1, a.limits.Address)
	}
	return nil
}

// unknownAddress is the budget of all requests whose client address cannot be
// read. It is no address's, not even the proxy's.
const unknownAddress = "unknown"

// addressKey is whose budget an address spends from. Whoever has one IPv6
// address has the 2⁶⁴ of its network.
func addressKey(address netip.Addr, known bool) string {
	if !known {
		return unknownAddress
	}
	if address.Is4() {
		return address.String()
	}
	network, _ := address.Prefix(64) // fails for longer ones than the address only
	return network.String()
}

// usage is what became of one budget.
type usage struct {
	whose    string // see limitAccount
	limit    ratelimit.Limit
	decision ratelimit.Decision
}

// charge pays for the request from the budgets of the account and of its
// company. A request that one of them refuses costs the other nothing: neither
// do colleagues pay for an account that is refused, nor does an account for the
// flood of its colleagues.
func (a *api) charge(cost int) handler {
	return func(c *gin.Context) error {
		ctx, p := c.Request.Context(), stateFrom(c).principal
		account, company := a.limits.Account, a.limits.Company
		var all []usage
		if !account.Off() {
			all = append(all, usage{limitAccount, account, a.limiter.Allow(ctx, accountKey(p.Account()), cost, account)})
			if !all[0].decision.Allowed {
				return a.refuse(c, all)
			}
		}
		if !company.Off() {
			d := a.limiter.Allow(ctx, companyKey(p.Company()), cost, company)
			if !d.Allowed && len(all) > 0 {
				a.limiter.Refund(ctx, accountKey(p.Account()), cost, account)
				all[0].decision = all[0].decision.Refunded(cost, account)
			}
			all = append(all, usage{limitCompany, company, d})
			if !d.Allowed {
				return a.refuse(c, all)
			}
		}
		setRateLimitHeaders(c, all)
		return nil
	}
}

// accountKey tells two pairs apart whatever is in them.
func accountKey(a tenancy.Account) string {
	return "account " + strconv.Itoa(len(a.Issuer)) + " " + a.Issuer + a.Subject
}

func companyKey(id tenancy.CompanyID) string {
	return "company " + strconv.FormatUint(uint64(id), 10)
}

// refuse tells why the last of the budgets could not pay.
func (a *api) refuse(c *gin.Context, all []usage) error {
	setRateLimitHeaders(c, all)
	last := all[len(all)-1]
	a.meters.overLimit(c.Request.Context(), last.whose)
	return &limitedError{whose: last.whose, after: last.decision.RetryAfter}
}

// setRateLimitHeaders sets RateLimit and RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers-10): q and w are what a full budget
// holds and the seconds in which an empty one fills, r what is left, t the
// seconds after which it is full again.
func setRateLimitHeaders(c *gin.Context, all []usage) {
	if len(all) == 0 {
		return
	}
	policies, left := make([]string, len(all)), make([]string, len(all))
	for i, s := range all {
		policies[i] = fmt.Sprintf("%q;q=%d;w=%d", s.whose, s.limit.Full(), wholeSeconds(s.limit.Window()))
		left[i] = fmt.Sprintf("%q;r=%d;t=%d", s.whose, s.decision.Remaining, wholeSeconds(s.decision.ResetAfter))
	}
	c.Header("RateLimit-Policy", strings.Join(policies, ", "))
	c.Header("RateLimit", strings.Join(left, ", "))
}
