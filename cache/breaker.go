package cache

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/reason"
)

// A breaker opens when half of the last calls failed, and lets one through each
// second to see whether that is over.
const (
	breakerFailures = 10
	breakerCalls    = 20
	breakerDelay    = time.Second
)

// maxCalls is how many calls may be under way, those included that nobody waits
// for any more: a store that hangs takes no more goroutines than that.
const maxCalls = 512

// errBreakerOpen: the store was not asked, since it has been failing.
var errBreakerOpen = errors.New("the store is failing and was not asked")

// guarded gives each call a budget, at whose end the caller goes on whatever the
// store does, and leaves a failing store alone. One that
// refuses values goes on being read: it is full, or a replica, and what it holds
// is as good as ever.
//
// The breaker counts what searches wait for, and calls, not time: on a busy
// gateway it opens after ten budgets in parallel, on a quiet one no request waits
// for longer than one. Writes go by it and do not count.
type guarded struct {
	next    store
	budget  time.Duration
	breaker circuitbreaker.CircuitBreaker[any]
	calls   *budget.Calls
	metrics *storeMetrics
	refused moment      // when it last took no value
	cause   reason.Last // why a read failed last
}

var _ store = (*guarded)(nil)

func newGuarded(next store, each time.Duration, m *storeMetrics, changed func(e circuitbreaker.StateChangedEvent, cause string)) *guarded {
	g := &guarded{next: next, budget: each, calls: budget.NewCalls(maxCalls), metrics: m}
	g.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(breakerFailures, breakerCalls).
		WithSuccessThreshold(1).
		WithDelay(breakerDelay).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) { changed(e, g.cause.String()) }).
		Build()
	return g
}

// Get implements store.
func (g *guarded) Get(ctx context.Context, names []string) ([][]byte, error) {
	if !g.breaker.TryAcquirePermit() {
		return nil, g.rejected(ctx, operationGet)
	}
	values, err := g.call(ctx, operationGet, g.budget, func(ctx context.Context) ([][]byte, error) {
		return g.next.Get(ctx, names)
	})
	g.cause.Note(err)
	g.breaker.RecordError(err) // nil is a success
	return values, err
}

// Set implements store.
func (g *guarded) Set(ctx context.Context, name string, value []byte, life time.Duration) error {
	if !g.breaker.IsClosed() {
		return g.rejected(ctx, operationSet)
	}
	_, err := g.call(ctx, operationSet, redisstore.WriteBudgets*g.budget, func(ctx context.Context) ([][]byte, error) {
		return nil, g.next.Set(ctx, name, value, life)
	})
	if errors.Is(err, redisstore.ErrRefused) {
		g.refused.set(time.Now())
	}
	return err
}

func (g *guarded) call(
	ctx context.Context, operation string, within time.Duration, do func(context.Context) ([][]byte, error),
) ([][]byte, error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	values, err := budget.Run(limited, g.calls, do)
	g.metrics.called(ctx, operation, time.Since(began), err)
	return values, err
}

func (g *guarded) rejected(ctx context.Context, operation string) error {
	g.metrics.called(ctx, operation, 0, errBreakerOpen)
	return errBreakerOpen
}

// state is closed, half-open or open.
func (g *guarded) state() circuitbreaker.State { return g.breaker.State() }

// takesValues reports whether it is worth trying to store one.
func (g *guarded) takesValues() bool {
	return g.breaker.IsClosed() && !g.refused.within(breakerDelay, time.Now())
}
