package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/tenancy"
)

// Limits are the budgets that requests are charged to. A limit that is off is not
// counted; in the zero Limits all are off.
type Limits struct {
	// Address is the budget of an address (of the /64 network for IPv6). Requests
	// that are not authenticated cost 1 each. Requests whose client address cannot
	// be read share one budget.
	Address limits.Rate
	// Account is the budget of the caller, Company that of all callers of its
	// company. The table of routes has the cost of each request.
	Account, Company limits.Rate
}

func (l Limits) validate() error {
	var faults []error
	for _, limit := range []struct {
		name string
		limits.Rate
	}{{"Address", l.Address}, {"Account", l.Account}, {"Company", l.Company}} {
		if limit.PerMinute < 0 || !limit.Off() && limit.Burst < 1 {
			faults = append(faults, fmt.Errorf("the limit %s must not be negative, and have a Burst of at least 1", limit.name))
		}
	}
	return errors.Join(faults...)
}

// Limiter counts the usage of accounts and companies. It never fails a request: what
// it cannot count is allowed.
type Limiter interface {
	// Allow charges the cost to the key's budget, if enough of it is left.
	Allow(ctx context.Context, key string, cost int, limit limits.Rate) limits.Decision
	// Refund returns a cost that Allow has charged.
	Refund(ctx context.Context, key string, cost int, limit limits.Rate)
}

var (
	_ Limiter = (*limits.Process)(nil)
	_ Limiter = (*limits.Redis)(nil)
)

// limitedError is the error of a request whose budget has too little left.
type limitedError struct {
	whose string        // limitAddress, limitAccount or limitCompany
	after time.Duration // when the request would be allowed
}

func (e *limitedError) Error() string { return "over the rate limit of the " + e.whose }

// Is makes it an errLimited.
func (e *limitedError) Is(target error) bool { return target == errLimited }

// retryAfter returns whole seconds, rounded up: a caller that waits for that long is
// not refused again.
func (e *limitedError) retryAfter() int { return wholeSeconds(e.after) }

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// limitAddress refuses requests of an address that has sent too many without a valid
// token. Each request is charged before its token is verified; refundAddress returns
// the charge. The budget is counted in this process: a request without a token must
// not cost a round trip to Redis.
//
// A caller whose token was verified before is not charged and not refused, so that
// others behind its address or its proxy cannot lock it out. To recognize the token
// takes a hash and a look-up. All others get the same answer whatever their token: an
// address without budget learns nothing by trying tokens.
func (a *api) limitAddress(c *gin.Context) error {
	limit := a.limits.Address
	if limit.Off() || stateFrom(c).fromMemo {
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

// refundAddress runs after authentication. It returns the charge to the address: the
// account has a budget of its own, and may share the address with many.
func (a *api) refundAddress(c *gin.Context) error {
	httpserver.MarkAuthenticated(c.Request)
	if state := stateFrom(c); !state.fromMemo {
		a.addresses.Refund(c.Request.Context(), state.address, 1, a.limits.Address)
	}
	return nil
}

// unknownAddress is the key of the budget that all requests share whose client
// address cannot be read. No address has this key, not even the proxy's.
const unknownAddress = "unknown"

// addressKey returns the key of an address's budget. For IPv6 it is the /64 network:
// a client that has one address of it has all 2⁶⁴.
func addressKey(address netip.Addr, known bool) string {
	if !known {
		return unknownAddress
	}
	if address.Is4() {
		return address.String()
	}
	network, _ := address.Prefix(64) // 64 is a valid length
	return network.String()
}

// usage is the state of one budget after a request was charged to it.
type usage struct {
	whose    string // limitAddress, limitAccount or limitCompany
	limit    limits.Rate
	decision limits.Decision
}

// charge charges the request to the budgets of the account and of its company. If
// one of them refuses it, the other is not charged: requests that the account's
// budget refuses take nothing from the company, and the other way round.
func (a *api) charge(cost int) handler {
	return func(c *gin.Context) error {
		ctx, state := c.Request.Context(), stateFrom(c)
		p, account, company := state.principal, a.limits.Account, a.limits.Company
		if account.Off() && company.Off() {
			return nil
		}
		began := time.Now()
		defer func() {
			state.timings.limit = time.Since(began)
			a.meters.charged.Record(ctx, state.timings.limit.Seconds())
		}()
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

// accountKey returns the key of an account's budget. The length of the issuer keeps
// keys of different accounts different, whatever their texts are.
func accountKey(a tenancy.Account) string {
	return "account " + strconv.Itoa(len(a.Issuer)) + " " + a.Issuer + a.Subject
}

func companyKey(id tenancy.CompanyID) string {
	return "company " + strconv.FormatUint(uint64(id), 10)
}

// refuse counts the refusal by the last of the budgets, and returns its error.
func (a *api) refuse(c *gin.Context, all []usage) error {
	setRateLimitHeaders(c, all)
	last := all[len(all)-1]
	a.meters.overLimit(c.Request.Context(), last.whose)
	return &limitedError{whose: last.whose, after: last.decision.RetryAfter}
}

// setRateLimitHeaders sets RateLimit and RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers-10): q is the size of the full budget, w the
// seconds in which an empty one fills, r what is left, and t the seconds until it is
// full again.
func setRateLimitHeaders(c *gin.Context, all []usage) {
	if len(all) == 0 {
		return
	}
	var policies, left []byte
	for i, u := range all {
		if i > 0 {
			policies, left = append(policies, ", "...), append(left, ", "...)
		}
		policies = appendParameters(policies, u.whose, ";q=", u.limit.Full(), ";w=", wholeSeconds(u.limit.Window()))
		left = appendParameters(left, u.whose, ";r=", u.decision.Remaining, ";t=", wholeSeconds(u.decision.ResetAfter))
	}
	c.Header("RateLimit-Policy", string(policies))
	c.Header("RateLimit", string(left))
}

// appendParameters appends a name in quotes and two numbers: a hit pays for it.
func appendParameters(to []byte, whose, first string, a int, second string, b int) []byte {
	to = append(to, '"')
	to = append(to, whose...)
	to = append(to, '"')
	to = strconv.AppendInt(append(to, first...), int64(a), 10)
	return strconv.AppendInt(append(to, second...), int64(b), 10)
}
