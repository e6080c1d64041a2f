package limits

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is set by hand.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_700_000_000, c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func newTestProcess(tb testing.TB, maxKeys int) (*Process, *clock) {
	tb.Helper()
	var c clock
	return newProcess(maxKeys, c.Now), &c
}

func TestEachKeyHasABudgetOfItsOwn(t *testing.T) {
	p, c := newTestProcess(t, 100)
	for range 10 {
		if !p.Allow(t.Context(), "a", 1, perSecond).Allowed {
			t.Fatal("refused within the burst")
		}
	}
	if p.Allow(t.Context(), "a", 1, perSecond).Allowed {
		t.Error("allowed beyond the burst")
	}
	if !p.Allow(t.Context(), "b", 1, perSecond).Allowed {
		t.Error("another key was refused")
	}
	c.advance(time.Second)
	if !p.Allow(t.Context(), "a", 1, perSecond).Allowed || p.Allow(t.Context(), "a", 1, perSecond).Allowed {
		t.Error("after a second there was not just one")
	}
}

func TestACostAboveTheWholeBudgetIsTheWholeBudget(t *testing.T) {
	p, c := newTestProcess(t, 100)
	if d := p.Allow(t.Context(), "a", 25, perSecond); !d.Allowed || d.Remaining != 0 {
		t.Errorf("%+v of a full budget", d)
	}
	d := p.Allow(t.Context(), "a", 25, perSecond)
	if d.Allowed || d.RetryAfter != perSecond.Window() {
		t.Errorf("%+v of an empty one", d)
	}
	c.advance(d.RetryAfter)
	if !p.Allow(t.Context(), "a", 25, perSecond).Allowed {
		t.Error("refused after RetryAfter")
	}
}

func TestWhatIsGivenBackCanBeSpentAgain(t *testing.T) {
	p, _ := newTestProcess(t, 100)
	p.Refund(t.Context(), "a", 5, perSecond) // nothing was taken
	for range 1000 {
		if !p.Allow(t.Context(), "a", 1, perSecond).Allowed {
			t.Fatal("refused, though all was given back")
		}
		p.Refund(t.Context(), "a", 1, perSecond)
	}
	for range 10 {
		p.Allow(t.Context(), "a", 1, perSecond)
	}
	if p.Allow(t.Context(), "a", 1, perSecond).Allowed {
		t.Error("what is given back adds to the whole budget")
	}
}

func TestWithoutALimitNothingIsCounted(t *testing.T) {
	p, _ := newTestProcess(t, 100)
	for range 1000 {
		if d := p.Allow(t.Context(), "a", 1000, Rate{}); d != unlimited {
			t.Fatalf("%+v", d)
		}
	}
	p.Refund(t.Context(), "a", 1, Rate{})
	if p.size() != 0 {
		t.Error("a budget is kept")
	}
}

func TestTheNumberOfBudgetsIsBounded(t *testing.T) {
	p, _ := newTestProcess(t, 64)
	for i := range 10_000 {
		p.Allow(t.Context(), strconv.Itoa(i), 1, perSecond)
	}
	if got := p.size(); got > 64 {
		t.Errorf("%d budgets are kept, want 64 at most", got)
	}
}

func TestABudgetInUseIsNotForgotten(t *testing.T) {
	p, _ := newTestProcess(t, 64)
	allowed := 0
	for i := range 1000 {
		p.Allow(t.Context(), strconv.Itoa(i), 1, perSecond)
		if p.Allow(t.Context(), "busy", 1, perSecond).Allowed {
			allowed++
		}
	}
	if allowed != perSecond.Burst {
		t.Errorf("%d were allowed among many others, want %d", allowed, perSecond.Burst)
	}
}

func TestAFullBudgetIsNotStored(t *testing.T) {
	p, _ := newTestProcess(t, 64)
	p.Allow(t.Context(), "a", 1, perSecond)
	p.Refund(t.Context(), "a", 1, perSecond)
	if got := p.size(); got != 0 {
		t.Errorf("%d budgets are kept", got)
	}
}

func TestConcurrentRequestsShareTheirBudget(t *testing.T) {
	p, _ := newTestProcess(t, 100)
	var (
		allowed atomic.Int64
		done    sync.WaitGroup
	)
	for range 20 {
		done.Go(func() {
			for range 50 {
				if p.Allow(t.Context(), "a", 1, perSecond).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	done.Wait()
	if got := allowed.Load(); got != int64(perSecond.Burst) {
		t.Errorf("%d were allowed, want %d", got, perSecond.Burst)
	}
}
