package limits

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/budget"
)

// errImpossible: no gateway can have written the value of a budget in Redis, or its
// clock was set back. The value is deleted already.
var errImpossible = errors.New("redis holds a budget that cannot be true")

// RedisOptions are the options of a Redis. All are required except Namespace.
type RedisOptions struct {
	Client redis.UniversalClient // closed by its owner
	Budget time.Duration         // the longest time of one call
	// Secret is the key of the HMAC that names budgets in Redis: without it nobody
	// can find out whose budgets they are. Gateways that share budgets share it.
	Secret    []byte
	Namespace string   // separates gateways that share a Redis but no budgets
	Process   *Process // counts when Redis does not answer
	Logger    *slog.Logger
}

// Redis is a limiter that counts in Redis, by leases: it takes more units than a
// request costs, and charges the next requests to these. A lease has at most 1/32 of
// the budget, and no more than fills it in a second. After a second, units that were
// not used are returned. Units of a lease are charged in Redis, but may be used up to a
// second later: in any time, callers may use more than the budget allows by one lease
// for each gateway, and a gateway may refuse while another has a lease left. Safe for use by several goroutines.
type Redis struct {
	client  redis.UniversalClient
	script  *redis.Script
	budget  time.Duration
	secret  []byte
	space   string
	process *Process
	breaker *budget.Breaker
	leases  *leases
}

// NewRedis makes a limiter without connecting. Its error names every option
// that is missing.
func NewRedis(o RedisOptions) (*Redis, error) {
	var faults []error
	for _, part := range []struct {
		name    string
		missing bool
	}{
		{"Client", o.Client == nil}, {"Budget", o.Budget <= 0}, {"Secret", len(o.Secret) == 0},
		{"Process", o.Process == nil}, {"Logger", o.Logger == nil},
	} {
		if part.missing {
			faults = append(faults, fmt.Errorf("%s is required", part.name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("rate limit: %w", err)
	}
	r := &Redis{
		client: o.Client, script: newChargeScript(), budget: o.Budget,
		secret: o.Secret, space: o.Namespace, process: o.Process,
		breaker: budget.NewBreaker(budget.BreakerLog{
			Logger:  o.Logger,
			Failing: "Redis is failing: this gateway counts rate limits by itself", Recovered: "Redis answers again: rate limits are shared",
		}),
	}
	r.leases = newLeases(r.giveBack)
	return r, nil
}

// Allow charges the cost to the key's budget, if enough of it is left. A higher cost
// than the full budget counts as the full budget. Most charges are paid from a lease,
// without asking Redis. If Redis does not answer in time, or has an impossible value,
// the budget in this process is charged.
func (r *Redis) Allow(ctx context.Context, key string, cost int, rate Rate) Decision {
	if rate.Off() {
		return unlimited
	}
	cost = rate.fit(cost)
	for range maxTurns {
		t := r.leases.take(key, cost, rate)
		if t.decided {
			return t.decision
		}
		if t.asks {
			d, more, err := r.ask(ctx, key, cost, t.more, rate)
			r.leases.answered(key, t.asking, cost, more, rate, &d, err)
			return r.orProcess(ctx, key, cost, rate, d, err)
		}
		if <-t.asking.done; t.asking.failed {
			return r.process.Allow(ctx, key, cost, rate)
		}
	}
	d, _, err := r.ask(ctx, key, cost, 0, rate) // a budget whose leases are too small to be shared
	return r.orProcess(ctx, key, cost, rate, d, err)
}

// maxTurns bounds how often a caller waits for what others ask Redis for. Each wait
// lasts one budget at most.
const maxTurns = 2

// orProcess returns the decision of Redis, or of this process if Redis failed.
func (r *Redis) orProcess(ctx context.Context, key string, cost int, rate Rate, d Decision, err error) Decision {
	if err != nil {
		return r.process.Allow(ctx, key, cost, rate)
	}
	return d
}

// Refund returns a cost that Allow has charged.
func (r *Redis) Refund(ctx context.Context, key string, cost int, rate Rate) {
	if rate.Off() || r.leases.refund(key, rate.fit(cost), rate) {
		return
	}
	if _, _, err := r.ask(ctx, key, -rate.fit(cost), 0, rate); err != nil {
		r.process.Refund(ctx, key, cost, rate)
	}
}

// Close returns the unused units of all leases.
func (r *Redis) Close() { r.giveBack(r.leases.close()) }

// giveBack returns units to budgets in Redis. What cannot be returned is lost: the
// budget fills in time.
func (r *Redis) giveBack(all []returned) {
	for _, u := range all {
		if !r.breaker.IsClosed() {
			return
		}
		_, _, _ = r.ask(context.Background(), u.key, -u.units, 0, u.rate) // see above
	}
}

// ask charges the cost, and up to more units if the budget has enough left.
func (r *Redis) ask(ctx context.Context, key string, cost, more int, rate Rate) (Decision, int, error) {
	// The caller's cancellation must not count as a failure of Redis.
	reply, err := budget.Call(context.WithoutCancel(ctx), r.breaker, r.budget, func(ctx context.Context) ([]int64, error) {
		return r.script.Run(ctx, r.client, []string{r.name(key)},
			rate.interval().Nanoseconds(), rate.Window().Nanoseconds(), cost, more).Int64Slice()
	})
	if err != nil {
		return Decision{}, 0, err
	}
	d, err := readDecision(reply, rate)
	if err != nil {
		return Decision{}, 0, err
	}
	return d, min(max(int(reply[4]), 0), more), nil
}

// readDecision reads the result of the script. Errors: errImpossible.
func readDecision(reply []int64, rate Rate) (Decision, error) {
	if len(reply) != 5 || reply[0] < 0 {
		return Decision{}, errImpossible
	}
	within := func(microseconds int64) time.Duration {
		if microseconds > rate.Window().Microseconds() { // because of rounding
			return rate.Window()
		}
		return time.Duration(max(microseconds, 0)) * time.Microsecond
	}
	return Decision{
		Allowed: reply[0] == 1, Remaining: min(max(int(reply[1]), 0), rate.Full()),
		RetryAfter: within(reply[2]), ResetAfter: within(reply[3]),
	}, nil
}

// name returns the name of the key's budget in Redis. It is an HMAC, since a key may
// hold a subject, and a plain hash of a short text can be found by trying.
func (r *Redis) name(key string) string {
	mac := hmac.New(sha256.New, r.secret)
	_, _ = io.WriteString(mac, r.space+"\x00"+key) // never fails, see hash.Hash
	return "rate:scopegate:" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// newChargeScript makes the script that charges a cost to a budget, as Rate.charge
// does. The value in Redis is the time at which the budget is full, in seconds since
// 2017 by the server's clock, as in redis_rate
// (https://github.com/go-redis/redis_rate). That library accepts any number. This
// script deletes a value that is not a number, is before 2017, or is later than an
// empty budget takes to fill, as after the server's clock was set back.
//
// Its arguments are the times in which one unit and a whole budget fill, in
// nanoseconds; the cost, which is negative for a refund; and how many units more a
// lease may take. Of what is left it takes an eighth at most, so that budgets with
// little left are counted one by one. It returns five integers: 1 if the cost was
// charged, 0 if not, -1 if the value was impossible; the whole units that are left;
// the microseconds until the cost can be charged, and until the budget is full; and
// the units of the lease.
func newChargeScript() *redis.Script {
	return redis.NewScript(`
local clock = redis.call('TIME')
local now = (clock[1] - 1483228800) * 1000000 + clock[2] -- all in microseconds, as exact as doubles are
local unit, window, cost = ARGV[1] / 1000, ARGV[2] / 1000, tonumber(ARGV[3])
local kept = redis.pcall('GET', KEYS[1])
local full = now
if type(kept) == 'table' and kept.err then
  if not string.find(kept.err, 'WRONGTYPE', 1, true) then return kept end
  full = nil
elseif kept then
  full = #kept <= 64 and string.match(kept, '^%d+%.?%d*$') and kept * 1000000
end
if not full or full > now + window + 1000 then -- a millisecond for rounding
  redis.call('DEL', KEYS[1])
  return {-1, 0, 0, 0, 0}
end
local function left(used) return math.floor((window - used) / unit + 0.001) end
full = math.max(full, now)
local after = full + unit * cost
local missing = after - now - window
if missing > 0.5 then return {0, left(full - now), math.ceil(missing), math.ceil(full - now), 0} end
local more = math.max(0, math.min(tonumber(ARGV[4]), math.floor(left(after - now) / 8)))
after = after + unit * more
if after > now then
  redis.call('SET', KEYS[1], string.format('%.7f', after / 1000000), 'PX', math.ceil((after - now) / 1000))
elseif cost < 0 then
  redis.call('DEL', KEYS[1])
end
return {1, left(after - now), 0, math.ceil(after - now), more}`)
}
