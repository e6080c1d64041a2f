package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tcptest"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestSearchesAreAnsweredWhileRedisIsStopped(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	s := redistest.Start(t)
	r := newRedis(t, redisstore.Options{Addresses: []string{s.Address()}, Budget: redisstore.DefaultBudget})
	o := Options{Redis: r, Namespace: namespace(t), Fresh: time.Hour}
	first, second := newCache(t, newEngine(), o), newCache(t, newEngine(), o)

	var page atomic.Int64
	// share searches for a new page on the first gateway, then on the second,
	// and reports whether that one found it in Redis.
	share := func() bool {
		q := queryAt(int(page.Add(1)))
		q.WithoutCount = true
		mustSearch(t, first, scope, q)
		first.shared.drain()
		return mustSearch(t, second, scope, q).Page.Provenance.Tier == tierRedis
	}
	redistest.Eventually(t, "the second gateway hits what the first stored", share)

	stopLoad := keepBusy(t, first, &page)
	s.Kill()
	redistest.Eventually(t, "the breaker notices", func() bool { share(); return first.shared.store.breaker.State() == circuitbreaker.OpenState })
	s.Restart()
	began := time.Now()
	redistest.Eventually(t, "hits after the outage", share)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the first hit came %v after the start, want 10 s at most", took)
	}
	if searched := stopLoad(); searched == 0 {
		t.Error("nothing was searched during the outage")
	}
}

// keepBusy searches in a cache until it is stopped. Every search must be answered.
func keepBusy(t *testing.T, c *Cache, page *atomic.Int64) (stop func() int64) {
	t.Helper()
	scope := tenancytest.Scope(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var searchers sync.WaitGroup
	var searched atomic.Int64
	for range 4 {
		searchers.Go(func() {
			for ctx.Err() == nil {
				if r := mustSearch(t, c, scope, queryAt(int(page.Add(1)))); len(r.Page.Rows) != 10 || r.Count.Total != 25 {
					t.Errorf("an answer with %d rows of %d", len(r.Page.Rows), r.Count.Total)
				}
				searched.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	var once sync.Once
	stop = func() int64 { once.Do(func() { cancel(); searchers.Wait() }); return searched.Load() }
	t.Cleanup(func() { stop() })
	return stop
}

// A Redis that takes connections and never answers: each search below would
// wait for ever, if the budget did not end it.
func TestASilentRedisDoesNotHoldASearch(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	r := newRedis(t, redisstore.Options{Addresses: []string{tcptest.Silent(t)}, Budget: redisstore.DefaultBudget})
	c := newCache(t, newEngine(), Options{Redis: r, Fresh: time.Hour})
	for offset := range 2 * budget.BreakerFailures {
		if got := mustSearch(t, c, scope, queryAt(offset)).Page.Provenance.Tier; got != "" {
			t.Errorf("answered by %s", got)
		}
	}
	redistest.Eventually(t, "the breaker opens", func() bool { return c.shared.store.breaker.State() == circuitbreaker.OpenState })
}

// A Redis that has become too slow for its budget, with connections that worked.
func TestARedisThatTurnsSlowDoesNotHoldASearch(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	p := tcptest.NewProxy(t, redistest.Options(t).Addresses[0])
	options := redistest.Options(t)
	options.Addresses, options.Budget = []string{p.Address}, 200*time.Millisecond
	r := newRedis(t, options)
	c := newCache(t, newEngine(), Options{Redis: r, Namespace: namespace(t), Fresh: time.Hour})
	cold := func(q search.Query) search.Result {
		c.shared.drain()
		c.memory.entries.InvalidateAll()
		return mustSearch(t, c, scope, q)
	}
	redistest.Eventually(t, "hits through the proxy", func() bool { return cold(query()).Page.Provenance.Tier == tierRedis })
	p.Hold(true)
	for range 3 {
		if got := cold(query()).Page.Provenance.Tier; got != "" {
			t.Errorf("answered by %s, which was held", got)
		}
	}
	p.Hold(false)
	redistest.Eventually(t, "hits again", func() bool { return cold(query()).Page.Provenance.Tier == tierRedis })
}

// A client that waits for what no context ends: its own locks, or the state of a
// Cluster.
func TestACallOfRedisThatNoContextEndsHoldsNoSearch(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d, held := newDouble(), make(chan struct{})
		d.hold(func(context.Context, string) error { <-held; return nil })
		c := newSharedCache(t, newEngine(), d, Options{Fresh: time.Hour})
		began := time.Now()
		for offset := range budget.BreakerCalls {
			mustSearch(t, c, scope, queryAt(offset))
		}
		if took, most := time.Since(began), budget.BreakerCalls*redisstore.DefaultBudget; took > most {
			t.Errorf("%d searches took %s, want %s at most", budget.BreakerCalls, took, most)
		}
		if c.shared.store.breaker.State() != circuitbreaker.OpenState {
			t.Error("the breaker is closed")
		}
		close(held)
		c.shared.drain()
		synctest.Wait()
	})
}
