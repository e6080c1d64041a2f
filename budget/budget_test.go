package budget

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestACallReturnsWhatItDid(t *testing.T) {
	fault := errors.New("refused")
	value, err := Run(t.Context(), NewCalls(1), func(context.Context) (int, error) { return 7, fault })
	if value != 7 || !errors.Is(err, fault) {
		t.Errorf("%d, %v", value, err)
	}
}

func TestACallerLeavesAtTheEndOfItsBudgetWhateverTheCallDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, held := NewCalls(1), make(chan struct{})
		began := time.Now()
		for range 3 { // the first call holds the only place, the others wait for it
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
			_, err := Run(ctx, calls, func(context.Context) (int, error) { <-held; return 0, nil })
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		}
		if took := time.Since(began); took != 75*time.Millisecond {
			t.Errorf("three budgets took %s", took)
		}
		close(held)
		synctest.Wait()
		if value, err := Run(t.Context(), calls, func(context.Context) (int, error) { return 1, nil }); value != 1 || err != nil {
			t.Errorf("after the call ended: %d, %v", value, err)
		}
	})
}

func TestNoMoreCallsAreUnderWayThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := NewCalls(2)
		var now, most atomic.Int64
		for range 20 {
			go func() {
				_, _ = Run(t.Context(), calls, func(context.Context) (int, error) {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Millisecond)
					now.Add(-1)
					return 0, nil
				})
			}()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if most.Load() != 2 {
			t.Errorf("%d were under way at a time", most.Load())
		}
	})
}

func TestAPanicOfACallIsOneOfItsCaller(t *testing.T) {
	defer func() {
		if value := recover(); value != "fault" {
			t.Errorf("panic %v", value)
		}
	}()
	_, _ = Run(t.Context(), NewCalls(1), func(context.Context) (int, error) { panic("fault") })
	t.Error("it returned")
}
