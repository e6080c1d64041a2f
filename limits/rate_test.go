package limits

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// perSecond is a budget of ten that gets one back each second.
var perSecond = Rate{PerMinute: 60, Burst: 10}

func TestABudgetIsSpentAndComesBackEvenly(t *testing.T) {
	var full time.Duration
	for _, step := range []struct {
		now  time.Duration
		cost int
		want Decision
	}{
		{0, 1, Decision{Allowed: true, Remaining: 9, ResetAfter: time.Second}},
		{0, 9, Decision{Allowed: true, Remaining: 0, ResetAfter: 10 * time.Second}},
		{0, 1, Decision{Remaining: 0, RetryAfter: time.Second, ResetAfter: 10 * time.Second}},
		{500 * time.Millisecond, 1, Decision{Remaining: 0, RetryAfter: 500 * time.Millisecond, ResetAfter: 9500 * time.Millisecond}},
		{time.Second, 1, Decision{Allowed: true, Remaining: 0, ResetAfter: 10 * time.Second}},
		{4 * time.Second, 5, Decision{Remaining: 3, RetryAfter: 2 * time.Second, ResetAfter: 7 * time.Second}},
		{4 * time.Second, 3, Decision{Allowed: true, Remaining: 0, ResetAfter: 10 * time.Second}},
		{time.Hour, 2, Decision{Allowed: true, Remaining: 8, ResetAfter: 2 * time.Second}},
	} {
		var got Decision
		full, got = perSecond.charge(full, step.now, step.cost)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("cost %d at %s: %s", step.cost, step.now, diff)
		}
	}
}

func TestNoBudgetPaysMoreThanItsBurstAndWhatCameBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Rate{PerMinute: rapid.IntRange(1, 100_000).Draw(t, "per minute"), Burst: rapid.IntRange(1, 1000).Draw(t, "burst")}
		var full, now time.Duration
		paid := 0
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause"))
			cost := limit.fit(rapid.IntRange(-1, 2000).Draw(t, "cost"))
			var d Decision
			if full, d = limit.charge(full, now, cost); d.Allowed {
				paid += cost
			} else if _, later := limit.charge(full, now+d.RetryAfter, cost); !later.Allowed {
				t.Fatalf("refused after having waited for %s", d.RetryAfter)
			}
			if most := limit.Burst + int(now/limit.interval()); paid > most {
				t.Fatalf("paid %d within %s, at most %d", paid, now, most)
			}
			if d.Remaining < 0 || d.Remaining > limit.Burst || d.ResetAfter > limit.Window() {
				t.Fatalf("%+v of %+v", d, limit)
			}
		}
	})
}

func TestAHugeBudgetThatFillsSlowlyPaysAndRefusesLikeAnyOther(t *testing.T) {
	for _, limit := range []Rate{{1, 1_000_000_000}, {7, 1 << 40}, {1_000_000_000, 1_000_000_000}} {
		if limit.Window() <= 0 || limit.Window() > maxWindow {
			t.Errorf("%+v fills in %s", limit, limit.Window())
		}
		now := 24 * time.Hour
		full, d := limit.charge(0, now, limit.fit(1))
		if !d.Allowed || d.Remaining != limit.Full()-1 {
			t.Errorf("%+v: the first unit: %+v", limit, d)
		}
		full, d = limit.charge(full, now, limit.Full()-1)
		if !d.Allowed || d.Remaining != 0 {
			t.Errorf("%+v: all that is left: %+v", limit, d)
		}
		if _, d = limit.charge(full, now, limit.fit(1<<62)); d.Allowed || d.RetryAfter <= 0 || d.ResetAfter <= 0 {
			t.Errorf("%+v: when it is empty: %+v", limit, d)
		}
	}
}
