package limits

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// wide is a budget with leases of up to 20 units.
var wide = Rate{PerMinute: 1200, Burst: 640}

// counting counts the commands that a client sends.
type counting struct{ n atomic.Int64 }

func (c *counting) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n.Add(1); return next(ctx, cmd) }
}

func (c *counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestMostRequestsArePaidFromALeaseWithoutAskingRedis(t *testing.T) {
	client, asked := testRedis(t), &counting{}
	client.AddHook(asked)
	r := newRedis(t, options(t, client))
	t.Cleanup(r.Close)
	before := wide.Burst
	for i := range 300 {
		d := r.Allow(t.Context(), "a", 1, wide)
		if !d.Allowed || d.RetryAfter != 0 {
			t.Fatalf("request %d: %+v", i, d)
		}
		// What a lease holds is left to the caller. The budget fills meanwhile.
		if d.Remaining < wide.Burst-1-i || d.Remaining < before-1 {
			t.Fatalf("request %d has %d left, after %d", i, d.Remaining, before)
		}
		before = d.Remaining
	}
	if n := asked.n.Load(); n > 60 {
		t.Errorf("300 requests asked Redis %d times", n)
	}
}

func TestGatewaysUseNoMoreThanTheBudgetAndALeaseEach(t *testing.T) {
	o := options(t, testRedis(t))
	began := time.Now()
	var allowed atomic.Int64
	var done sync.WaitGroup
	gateways := []*Redis{newRedis(t, o), newRedis(t, o), newRedis(t, o)}
	for _, gateway := range gateways {
		t.Cleanup(gateway.Close)
		for range 3 {
			done.Go(func() {
				for range wide.Burst / 2 {
					if !gateway.Allow(context.Background(), "a", 1, wide).Allowed {
						return
					}
					allowed.Add(1)
				}
			})
		}
	}
	done.Wait()
	filled := int(time.Since(began).Seconds()*float64(wide.PerMinute)/60) + 1
	leased := len(gateways) * wide.maxLease()
	if got := int(allowed.Load()); got > wide.Burst+filled+leased || got < wide.Burst-leased {
		t.Errorf("%d were allowed of %d, %d filled meanwhile", got, wide.Burst, filled)
	}
}

func TestUnitsThatAGatewayDidNotUseAreReturned(t *testing.T) {
	const key = "a"
	// It does not fill while the test runs, but for one unit in each minute.
	slowly := Rate{PerMinute: 1, Burst: 320}
	o := options(t, testRedis(t))
	for name, end := range map[string]func(*Redis){
		"after a second":        func(*Redis) {},
		"when the gateway ends": (*Redis).Close,
	} {
		t.Run(name, func(t *testing.T) {
			o.Namespace = t.Name() + options(t, o.Client).Namespace
			first, second := newRedis(t, o), newRedis(t, o)
			t.Cleanup(first.Close)
			t.Cleanup(second.Close)
			for range 2 { // the second takes a lease
				first.Allow(t.Context(), key, 1, slowly)
			}
			end(first)
			deadline := time.Now().Add(30 * time.Second)
			for second.Allow(t.Context(), key, 0, slowly).Remaining != slowly.Burst-2 {
				if time.Now().After(deadline) {
					t.Fatalf("%+v", second.Allow(t.Context(), key, 0, slowly))
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

func TestARefusalSaysWhenTheBudgetHasEnoughAlsoIfItIsRepeatedWithoutAskingRedis(t *testing.T) {
	client, asked := testRedis(t), &counting{}
	client.AddHook(asked)
	r := newRedis(t, options(t, client))
	t.Cleanup(r.Close)
	r.Allow(t.Context(), "a", slow.Burst, slow)
	before := asked.n.Load()
	const times = 200
	for range times {
		d := r.Allow(t.Context(), "a", 1, slow)
		if d.Allowed || d.RetryAfter <= 50*time.Second || d.RetryAfter > time.Minute {
			t.Fatalf("%+v", d)
		}
	}
	if n := asked.n.Load() - before; n >= times {
		t.Errorf("%d refusals asked Redis %d times", times, n)
	}
	r.Refund(t.Context(), "a", slow.Burst, slow)
	if d := r.Allow(t.Context(), "a", 1, slow); !d.Allowed {
		t.Errorf("after a refund: %+v", d)
	}
}

func TestManyWhoWaitForARedisThatHangsLeaveTogether(t *testing.T) {
	client := testRedis(t)
	held := make(chan struct{})
	asked := &counting{}
	client.AddHook(asked)
	client.AddHook(holding(held))
	o := options(t, client)
	o.Budget = 100 * time.Millisecond
	r := newRedis(t, o)
	var done sync.WaitGroup
	const callers = 50
	for range callers {
		done.Go(func() { r.Allow(context.Background(), "a", 1, slow) })
	}
	done.Wait()
	close(held)
	if o.Process.size() != 1 {
		t.Error("this process has not counted")
	}
}
