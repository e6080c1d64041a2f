package cache

import (
	"context"
	"errors"
	"time"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
)

// store holds values by name for several gateways at once.
type store interface {
	// Get returns the value under each name, nil where there is none.
	Get(ctx context.Context, names []string) ([][]byte, error)
	// Set stores a value for as long as it may live, in whole milliseconds. Errors
	// beside those of a store that fails: redisstore.ErrRefused.
	Set(ctx context.Context, name string, value []byte, life time.Duration) error
}

// breakerStore gives each call a budget, at whose end the caller goes on whatever
// the store does, and leaves a failing store alone. A store that refuses values is
// still read: it is full, or a replica, and what it holds is as good as ever.
//
// The breaker counts only reads: searches wait for them. Writes are not made while
// it is open.
type breakerStore struct {
	next    store
	budget  time.Duration
	breaker *budget.Breaker
	metrics *storeMetrics
	refused lastTime // a value
}

var _ store = (*breakerStore)(nil)

func newBreakerStore(next store, each time.Duration, o Options) (*breakerStore, error) {
	s := &breakerStore{next: next, budget: each, breaker: budget.NewBreaker(budget.BreakerLog{
		Logger:  o.Logger,
		Failing: "Redis is failing: searches go on without it, more slowly", Recovered: "Redis answers again",
	})}
	var err error
	s.metrics, err = newStoreMetrics(o.MeterProvider, s.breaker.State)
	return s, err
}

// Get implements store.
func (s *breakerStore) Get(ctx context.Context, names []string) ([][]byte, error) {
	began := time.Now()
	values, err := budget.Call(ctx, s.breaker, s.budget, func(ctx context.Context) ([][]byte, error) {
		return s.next.Get(ctx, names)
	})
	s.metrics.called(ctx, operationGet, time.Since(began), err)
	return values, err
}

// Set implements store.
func (s *breakerStore) Set(ctx context.Context, name string, value []byte, life time.Duration) error {
	began := time.Now()
	_, err := budget.CallUncounted(ctx, s.breaker, redisstore.WriteBudgets*s.budget, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.next.Set(ctx, name, value, life)
	})
	s.metrics.called(ctx, operationSet, time.Since(began), err)
	if errors.Is(err, redisstore.ErrRefused) {
		s.refused.set(time.Now())
	}
	return err
}

// takesValues reports whether it is worth trying to store one.
func (s *breakerStore) takesValues() bool {
	return s.breaker.IsClosed() && !s.refused.within(budget.BreakerDelay, time.Now())
}
