package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// A breaker opens when half of the last calls failed, and lets one through each
// second to see whether that is over.
const (
	breakerFailures = 10
	breakerCalls    = 20
	breakerDelay    = time.Second
)

// errBreakerOpen: the store was not asked, since it has been failing.
var errBreakerOpen = errors.New("the store is failing and was not asked")

// guarded gives each call a budget, and leaves a failing store alone. One that
// refuses values goes on being read: it is full, or a replica, and what it holds
// is as good as ever.
//
// The breaker counts calls and not time: on a busy gateway it opens after ten
// budgets in parallel, on a quiet one no request waits for longer than one.
type guarded struct {
	next    store
	budget  time.Duration
	breaker circuitbreaker.CircuitBreaker[any]
	metrics *storeMetrics
	refused atomic.Int64 // when it last took no value, in nanoseconds since 1970
}

var _ store = (*guarded)(nil)

func newGuarded(next store, budget time.Duration, m *storeMetrics, changed func(circuitbreaker.StateChangedEvent)) *guarded {
	return &guarded{next: next, budget: budget, metrics: m, breaker: circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(breakerFailures, breakerCalls).
		WithSuccessThreshold(1).
		WithDelay(breakerDelay).
		OnStateChanged(changed).
		Build()}
}

func (g *guarded) get(ctx context.Context, names []string) ([][]byte, error) {
	var values [][]byte
	err := g.call(ctx, operationGet, func(ctx context.Context) (err error) {
		values, err = g.next.get(ctx, names)
		return err
	})
	return values, err
}

func (g *guarded) set(ctx context.Context, name string, value []byte, life time.Duration) error {
	return g.call(ctx, operationSet, func(ctx context.Context) error {
		return g.next.set(ctx, name, value, life)
	})
}

func (g *guarded) call(ctx context.Context, operation string, do func(context.Context) error) error {
	if !g.breaker.TryAcquirePermit() {
		g.metrics.called(ctx, operation, 0, errBreakerOpen)
		return errBreakerOpen
	}
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, g.budget)
	defer cancel()
	err := do(within)
	if errors.Is(err, errWriteRefused) {
		g.refused.Store(time.Now().UnixNano())
		g.breaker.RecordSuccess()
	} else {
		g.breaker.RecordError(err) // nil is a success
	}
	g.metrics.called(ctx, operation, time.Since(began), err)
	return err
}

// state is closed, half-open or open.
func (g *guarded) state() circuitbreaker.State { return g.breaker.State() }

// resting reports whether a call now would be refused without a try.
func (g *guarded) resting() bool { return g.breaker.RemainingDelay() > 0 }

// takesValues reports whether it is worth trying to store one.
func (g *guarded) takesValues() bool {
	return !g.resting() && time.Now().UnixNano()-g.refused.Load() >= int64(breakerDelay)
}
