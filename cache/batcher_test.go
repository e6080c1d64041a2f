package cache

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
)

// echo is a store in which every name is its own value. It takes as long as it
// is set to, and records what it was asked for.
type echo struct {
	takes time.Duration
	mu    sync.Mutex
	asked [][]string
}

func (e *echo) Get(ctx context.Context, names []string) ([][]byte, error) {
	e.mu.Lock()
	e.asked = append(e.asked, slices.Clone(names))
	e.mu.Unlock()
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	values := make([][]byte, len(names))
	for i, name := range names {
		values[i] = []byte(name)
	}
	return values, nil
}

func (*echo) Set(context.Context, string, []byte, time.Duration) error { return nil }

func (e *echo) calls() [][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// got is what one caller came back with.
type got struct {
	values []string
	err    error
}

func (b *batcher) begin(ctx context.Context, names ...string) <-chan got {
	done := make(chan got, 1)
	go func() {
		values, err := b.Get(ctx, names)
		one := got{err: err}
		for _, value := range values {
			one.values = append(one.values, string(value))
		}
		done <- one
	}()
	return done
}

func (b *batcher) want(t *testing.T, done <-chan got, names ...string) {
	t.Helper()
	one := <-done
	if diff := cmp.Diff(names, one.values); diff != "" || one.err != nil {
		t.Errorf("values (-want +got):\n%s, error %v", diff, one.err)
	}
}

func TestWhoComesDuringCallsGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &echo{takes: time.Millisecond}
		g := &batcher{next: store, budget: redisstore.DefaultBudget}
		first, second := g.begin(t.Context(), "a"), g.begin(t.Context(), "b")
		synctest.Wait()
		third := g.begin(t.Context(), "c", "d")
		synctest.Wait()
		fourth := g.begin(t.Context(), "d", "e")
		g.want(t, first, "a")
		g.want(t, second, "b")
		g.want(t, third, "c", "d")
		g.want(t, fourth, "d", "e")
		calls := store.calls()
		if diff := cmp.Diff([][]string{{"c", "d", "e"}}, calls[maxBatches:]); diff != "" {
			t.Errorf("calls behind the first (-want +got):\n%s", diff)
		}
		if g.want(t, g.begin(t.Context(), "f"), "f"); g.underWay != 0 || g.waiting != nil {
			t.Errorf("%d calls are left, or somebody waits: %v", g.underWay, g.waiting)
		}
	})
}

func TestWhoGoesAwayTakesNobodyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &batcher{next: &echo{takes: time.Millisecond}, budget: redisstore.DefaultBudget}
		ctx, leave := context.WithCancel(t.Context())
		busy := []<-chan got{g.begin(t.Context(), "a"), g.begin(t.Context(), "b")}
		synctest.Wait()
		runs := g.begin(ctx, "c") // the one to run what the others wait for
		synctest.Wait()
		leaves, stays := g.begin(ctx, "d"), g.begin(t.Context(), "e")
		synctest.Wait()
		leave()
		if one := <-leaves; !errors.Is(one.err, context.Canceled) {
			t.Errorf("who left: %v", one.err)
		}
		g.want(t, stays, "e")
		for _, done := range append(busy, runs) {
			<-done
		}
	})
}

func TestWaitingForOthersIsPartOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &batcher{next: &echo{takes: time.Hour}, budget: redisstore.DefaultBudget}
		began := time.Now()
		var callers []<-chan got
		for i := range 10 {
			callers = append(callers, g.begin(t.Context(), strconv.Itoa(i)))
		}
		for _, done := range callers {
			if one := <-done; !errors.Is(one.err, context.DeadlineExceeded) {
				t.Errorf("error %v", one.err)
			}
		}
		if took := time.Since(began); took > redisstore.DefaultBudget {
			t.Errorf("took %v of a budget of %v", took, redisstore.DefaultBudget)
		}
	})
}

func TestOneCallAsksForABoundedNumberOfValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &echo{takes: time.Millisecond}
		g := &batcher{next: store, budget: redisstore.DefaultBudget}
		var callers []<-chan got
		for i := range 3 * maxBatchNames {
			callers = append(callers, g.begin(t.Context(), strconv.Itoa(i)))
		}
		for _, done := range callers {
			if one := <-done; one.err != nil || len(one.values) != 1 {
				t.Errorf("%v, error %v", one.values, one.err)
			}
		}
		for _, names := range store.calls() {
			if len(names) > maxBatchNames {
				t.Errorf("one call asked for %d values", len(names))
			}
		}
	})
}

// A store that takes more than half of a budget answers in time. Who waits for a
// turn first may not get an answer, but that is not the store's failure.
func TestTheWaitForATurnIsNoFailureOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		each := redisstore.DefaultBudget
		guard, err := newBreakerStore(&echo{takes: each * 3 / 4}, each, testOptions(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		g := &batcher{next: guard, budget: each}
		answered := 0
		var callers []<-chan got
		for i := range 20 * budget.BreakerCalls {
			callers = append(callers, g.begin(t.Context(), strconv.Itoa(i)))
			time.Sleep(each / 10)
		}
		for _, done := range callers {
			switch one := <-done; {
			case one.err == nil:
				answered++
			case !errors.Is(one.err, context.DeadlineExceeded):
				t.Errorf("error %v", one.err)
			}
		}
		if state := guard.breaker.State(); state != circuitbreaker.ClosedState {
			t.Errorf("the breaker is %s", state)
		}
		if answered == 0 {
			t.Error("nobody got an answer")
		}
		time.Sleep(each) // the calls that nobody waits for end
	})
}

func TestAStoreThatHangsStillOpensTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, err := newBreakerStore(&echo{takes: time.Hour}, redisstore.DefaultBudget, testOptions(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		g := &batcher{next: guard, budget: redisstore.DefaultBudget}
		for i := range 2 * budget.BreakerCalls {
			g.begin(t.Context(), strconv.Itoa(i))
			time.Sleep(redisstore.DefaultBudget)
		}
		if state := guard.breaker.State(); state == circuitbreaker.ClosedState {
			t.Errorf("the breaker is %s", state)
		}
		time.Sleep(redisstore.DefaultBudget)
	})
}
