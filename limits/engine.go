package limits

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/meter"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

const (
	// DefaultQueueWait is how long a load waits for its turn at most.
	DefaultQueueWait = time.Second
	// minEngineLoads is the lowest limit that is set by measuring.
	minEngineLoads = 4
	// startEngineLoads is the limit before anything was measured.
	startEngineLoads = 32
	// minQueue is the number of loads that may wait however slow the engine is, and
	// maxQueue that which may wait however fast it is.
	minQueue, maxQueue = 16, 1024
	// The limit is set anew after so many loads, within these times.
	shortestWindow, longestWindow = 500 * time.Millisecond, 10 * time.Second
	windowLoads                   = 20
	// engineFailures in a row say that the engine is failing.
	engineFailures = 20
	// smoothing is the share that the last load has in the mean duration of loads.
	smoothing = 0.05
)

// EngineOptions configure an Engine. MaxLoads is required.
type EngineOptions struct {
	// MaxLoads is the highest limit of the costs of all loads that run at a time.
	MaxLoads int
	// QueueWait is how long a load waits for its turn; 0: DefaultQueueWait.
	QueueWait     time.Duration
	MeterProvider metric.MeterProvider // nil: no metrics
	// Logger reports when the engine fails and when it works again; nil: nothing is
	// logged.
	Logger *slog.Logger
}

// Engine bounds the loads that run in an engine at a time, of all callers in this
// process. The limit is set by measuring: it falls when loads take longer than they
// used to, and rises when they do not (package adaptivelimiter of failsafe-go). A load
// takes as many units of the limit as its cost. Loads above the limit wait in a short
// queue.
//
// The queue is fair: the next load is one of the company that has used least, and of
// that company's account that has used least. One account uses at most half of the
// limit. When the queue is full, the company, and in it the account, with the most
// loads in the queue loses one. The queues of adaptivelimiter are in order of arrival
// or by levels of priority, so that neither knows accounts nor costs.
//
// Safe for use by several goroutines. A nil *Engine admits everything.
type Engine struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
	breaker *budget.Breaker
	wait    time.Duration
	waited  metric.Float64Histogram
	admits  map[bool]metric.MeasurementOption // by whether the load was admitted

	mu        sync.Mutex
	now       float64 // what the last admitted company had used
	queued    int
	took      time.Duration // mean duration of a load, with more weight on the last ones
	cost      float64       // and mean cost
	companies map[tenancy.CompanyID]*share
}

// share is what a company or an account uses.
type share struct {
	used     float64 // costs of admitted loads; at least what others had used when it came
	running  int     // units of the limit in use; of accounts
	queued   int     // loads in the queue; of companies
	members  map[tenancy.Account]*share
	waiting  []*turn // of accounts, in order of arrival
	memberAt float64 // of companies: what the last admitted account had used
}

// turn is a load that waits or runs.
type turn struct {
	caller tenancy.Caller
	cost   int
	ended  chan struct{} // closed when the wait is over
	// Set before ended is closed.
	permits []adaptivelimiter.Permit
	began   time.Time
	err     error
}

// NewEngine makes an Engine; without MaxLoads it returns nil, which has no limit.
func NewEngine(o EngineOptions) (*Engine, error) {
	if o.MaxLoads <= 0 {
		return nil, nil //nolint:nilnil // see above
	}
	most := uint(o.MaxLoads)
	e := &Engine{
		limiter: adaptivelimiter.NewBuilder[any]().
			WithLimits(min(minEngineLoads, most), most, min(startEngineLoads, most)).
			// A slow engine answers few loads a second: the limit must follow all the same.
			WithRecentWindow(shortestWindow, longestWindow, windowLoads).Build(),
		breaker: budget.NewStreakBreaker(budget.BreakerLog{
			Logger: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), Failing: "the engine is failing: it is asked once a second", Recovered: "the engine answers again",
		}, engineFailures),
		wait: cmp.Or(o.QueueWait, DefaultQueueWait), companies: map[tenancy.CompanyID]*share{},
		admits: map[bool]metric.MeasurementOption{
			true:  metric.WithAttributeSet(attribute.NewSet(attribute.Bool("admitted", true))),
			false: metric.WithAttributeSet(attribute.NewSet(attribute.Bool("admitted", false))),
		},
	}
	b := meter.NewBuilder(o.MeterProvider, "github.com/scopegate/scopegate/limits")
	e.waited = b.Seconds("scopegate.limits.queue.duration", "How long loads waited for their turn in the engine.",
		0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
	limit := b.Gauge("scopegate.limits.engine.limit", "{load}", "Cost of the loads that may run in the engine at a time; set by measuring.")
	running := b.Gauge("scopegate.limits.engine.running", "{load}", "Cost of the loads that run in the engine.")
	queued := b.Gauge("scopegate.limits.engine.queued", "{load}", "Loads that wait for their turn in the engine.")
	b.Observe(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(limit, int64(e.limiter.Limit()))
		o.ObserveInt64(running, int64(e.limiter.Inflight()))
		o.ObserveInt64(queued, int64(e.length()))
		return nil
	}, limit, running, queued)
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("limits: metrics: %w", err)
	}
	return e, nil
}

func (e *Engine) length() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queued
}

// do runs the load when its turn has come, and returns how long that took. Errors
// beside those of load: search.ErrUnavailable while the engine is failing,
// search.ErrBusy, search.ErrTooManyLoads, or the context's.
func (e *Engine) do(ctx context.Context, cost int, load func() error) (waited time.Duration, err error) {
	if e == nil {
		return 0, load()
	}
	began := time.Now()
	t, err := e.enter(ctx, cost)
	waited = time.Since(began)
	e.waited.Record(ctx, waited.Seconds(), e.admits[err == nil])
	if err != nil {
		return waited, err
	}
	counts := false
	defer func() { e.leave(t, counts) }() // also if load panics
	err = e.guarded(load)
	// What was given up early, or was refused, says nothing about the engine's speed.
	counts = err == nil || errors.Is(err, search.ErrTimeout)
	return waited, err
}

// guarded runs the load unless the engine is failing. A load that takes too long is no
// failure here: one caller's slow searches must not stop those of others.
func (e *Engine) guarded(load func() error) error {
	if !e.breaker.TryAcquirePermit() {
		return fmt.Errorf("%w: %w", search.ErrUnavailable, budget.ErrOpen)
	}
	ended := false
	defer func() {
		if !ended {
			e.breaker.RecordSuccess() // a panic; a permit must be returned
		}
	}()
	err := load()
	ended = true
	if errors.Is(err, search.ErrUnavailable) {
		e.breaker.Fail(err)
	} else {
		e.breaker.RecordSuccess()
	}
	return err
}

// enter waits for the load's turn.
func (e *Engine) enter(ctx context.Context, cost int) (*turn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	caller, _ := tenancy.CallerIn(ctx) // loads of nobody are those of one account
	t := &turn{caller: caller, cost: cost, ended: make(chan struct{})}
	e.mu.Lock()
	err := e.enqueue(t)
	e.admit()
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-t.ended:
		return t, t.err
	default:
	}
	timer := time.NewTimer(e.wait)
	defer timer.Stop()
	select {
	case <-t.ended:
		return t, t.err
	case <-timer.C:
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-t.ended: // just before the wait ended
		return t, t.err
	default:
	}
	err = ctx.Err()
	if err == nil {
		err = e.refusal(t)
	}
	e.remove(t)
	return nil, err
}

// leave ends a load. counts says that its duration tells how fast the engine is.
func (e *Engine) leave(t *turn, counts bool) {
	for i, permit := range t.permits {
		if counts && i == 0 {
			permit.Record()
		} else {
			permit.Drop()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if counts {
		e.took += time.Duration(smoothing * float64(time.Since(t.began)-e.took))
		e.cost += smoothing * (float64(len(t.permits)) - e.cost)
	}
	company := e.companies[t.caller.Company]
	account := company.members[t.caller.Account]
	account.running -= len(t.permits)
	company.running -= len(t.permits)
	e.forget(t.caller)
	e.admit()
}

// enqueue puts the load into the queue. If that is full, a load of whoever has most
// of them in it is refused: this one, or another.
func (e *Engine) enqueue(t *turn) error {
	company := e.companies[t.caller.Company]
	if company == nil {
		company = &share{members: map[tenancy.Account]*share{}}
		e.companies[t.caller.Company] = company
	}
	account := company.members[t.caller.Account]
	if account == nil {
		account = &share{}
		company.members[t.caller.Account] = account
	}
	if e.queued >= e.room() {
		loser := e.heaviest(t.caller)
		if loser == nil {
			err := e.refusal(t)
			e.forget(t.caller)
			return err
		}
		last := loser.waiting[len(loser.waiting)-1]
		last.err = e.refusal(last)
		e.remove(last)
		close(last.ended)
		// They may have been forgotten with the load.
		e.companies[t.caller.Company], company.members[t.caller.Account] = company, account
	}
	if company.queued == 0 && company.running == 0 {
		company.used = max(company.used, e.now)
	}
	if len(account.waiting) == 0 && account.running == 0 {
		account.used = max(account.used, company.memberAt)
	}
	account.waiting = append(account.waiting, t)
	company.queued++
	e.queued++
	return nil
}

// room is how many loads may wait: as many as begin in half of the time that one waits
// at most, so that few wait in vain.
func (e *Engine) room() int {
	atOnce := float64(e.limiter.Limit()) / max(e.cost, 1)
	begin := atOnce * float64(e.wait) / 2 / float64(max(e.took, time.Millisecond)) //nolint:mnd // half
	return min(max(int(begin), minQueue), maxQueue)
}

// heaviest returns the account that must lose a load for one of the caller; nil: the
// caller itself.
func (e *Engine) heaviest(caller tenancy.Caller) *share {
	own := e.companies[caller.Company]
	most := own
	for _, c := range e.companies {
		if c.queued > most.queued {
			most = c
		}
	}
	mine := 0
	if most == own || most.queued <= own.queued+1 {
		most, mine = own, len(own.members[caller.Account].waiting)+1
	}
	var account *share
	for _, a := range most.members {
		if len(a.waiting) > mine && (account == nil || len(a.waiting) > len(account.waiting)) {
			account = a
		}
	}
	return account
}

// refusal is the error of a load that is refused: whether the account uses its share,
// or others use the rest.
func (e *Engine) refusal(t *turn) error {
	account := e.companies[t.caller.Company].members[t.caller.Account]
	if len(account.waiting) > 1 || account.running > 0 && !e.fits(account, t.cost) {
		return search.ErrTooManyLoads
	}
	return search.ErrBusy
}

// fits reports whether an account may have so much more of the limit: it leaves half
// to others.
func (e *Engine) fits(account *share, cost int) bool {
	return account.running == 0 || account.running+cost <= max(1, e.limiter.Limit()/2) //nolint:mnd // half
}

// admit lets loads begin while there is room.
func (e *Engine) admit() {
	for e.queued > 0 {
		t := e.next()
		if t == nil || !e.begin(t) {
			return
		}
	}
}

// next returns the load whose turn it is; nil if no account may have more.
func (e *Engine) next() *turn {
	var first *turn
	var leastCompany, leastAccount float64
	for _, company := range e.companies {
		if company.queued == 0 || first != nil && company.used > leastCompany {
			continue
		}
		for _, account := range company.members {
			if len(account.waiting) == 0 || !e.fits(account, account.waiting[0].cost) {
				continue
			}
			if first == nil || company.used < leastCompany || account.used < leastAccount {
				first, leastCompany, leastAccount = account.waiting[0], company.used, account.used
			}
		}
	}
	return first
}

// begin takes the units of the limit that the load needs; it returns false if there
// are too few.
func (e *Engine) begin(t *turn) bool {
	limit := max(1, e.limiter.Limit())
	units := min(t.cost, limit)
	if e.limiter.Inflight()+units > limit {
		return false
	}
	for range units {
		if permit, ok := e.limiter.TryAcquirePermit(); ok { // nobody else takes them
			t.permits = append(t.permits, permit)
		}
	}
	company := e.companies[t.caller.Company]
	account := company.members[t.caller.Account]
	account.running += len(t.permits)
	company.running += len(t.permits)
	e.now, company.memberAt = company.used, account.used
	company.used += float64(t.cost)
	account.used += float64(t.cost)
	e.remove(t)
	t.began = time.Now()
	close(t.ended)
	return true
}

// remove takes a load out of the queue.
func (e *Engine) remove(t *turn) {
	company := e.companies[t.caller.Company]
	account := company.members[t.caller.Account]
	for i, waiting := range account.waiting {
		if waiting == t {
			account.waiting = append(account.waiting[:i], account.waiting[i+1:]...)
			company.queued--
			e.queued--
			break
		}
	}
	e.forget(t.caller)
}

// forget removes an account and a company that have no loads and have used no more
// than others.
func (e *Engine) forget(caller tenancy.Caller) {
	company := e.companies[caller.Company]
	if company == nil {
		return
	}
	if account := company.members[caller.Account]; account != nil && len(account.waiting) == 0 && account.running == 0 {
		delete(company.members, caller.Account)
	}
	if company.queued == 0 && company.running == 0 {
		delete(e.companies, caller.Company)
	}
}
