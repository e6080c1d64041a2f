package cache

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tcptest"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// fault is one way in which a Redis goes wrong while it is used, and gets well
// again.
type fault struct {
	begin, end func()
	// reads: it still answers.
	reads bool
}

// faults are on a server that is reached through the proxy.
func faults(s *redistest.Server, p *tcptest.Proxy) map[string]fault {
	return map[string]fault{
		"stopped":   {begin: s.Pause, end: s.Continue},
		"killed":    {begin: s.Kill, end: s.Restart},
		"slow":      {begin: func() { p.Delay(200 * time.Millisecond) }, end: func() { p.Delay(0) }},
		"resetting": {begin: func() { p.Reset(true) }, end: func() { p.Reset(false) }},
		"full": {begin: func() { s.Do("CONFIG", "SET", "maxmemory", "1") }, end: func() { s.Do("CONFIG", "SET", "maxmemory", "0") },
			reads: true},
		"read-only": {begin: func() { s.Do("REPLICAOF", "127.0.0.1", "1") }, end: func() { s.Do("REPLICAOF", "NO", "ONE") },
			reads: true},
	}
}

// faultSearches is how many searches there are while a Redis is at fault.
const faultSearches = 200

func TestARedisAtFaultIsLeftAloneAndUsedAgain(t *testing.T) {
	for _, name := range []string{"stopped", "killed", "slow", "resetting", "full", "read-only"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scope := tenancytest.Scope(t, 1)
			s := redistest.Start(t)
			p := tcptest.NewProxy(t, s.Address())
			is := faults(s, p)[name]
			reader := sdkmetric.NewManualReader()
			r := newRedis(t, redisstore.Options{Addresses: []string{p.Address}, Budget: redisstore.DefaultBudget})
			o := Options{
				Redis: r, Namespace: namespace(t), Keys: [][]byte{sealingKey(1)}, Fresh: time.Hour,
				MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
			}
			next := newEngine()
			c := newCache(t, next, o)
			var page atomic.Int64
			// again reports whether what was just stored is found in Redis.
			again := func() bool { q := pageOf(page.Add(1)); cold(t, c, scope, q); return cold(t, c, scope, q) == tierRedis }
			redistest.Eventually(t, "hits before", again)
			known := pageOf(page.Load())

			is.begin()
			failed := failedCalls(t, reader)
			for range faultSearches {
				// Budgets are short: one that passes while the machine is busy is
				// no answer of Redis.
				if got := cold(t, c, scope, pageOf(page.Add(1))); got != "" {
					t.Fatalf("what nobody has searched for is answered by %s", got)
				}
			}
			// Each search is a look and a write.
			if calls := failedCalls(t, reader) - failed; calls > faultSearches/2 {
				t.Errorf("%d calls of Redis failed in %d searches: it was not left alone", calls, faultSearches)
			}
			if is.reads {
				redistest.Eventually(t, "it is still read", func() bool { return cold(t, c, scope, known) == tierRedis })
			} else if c.shared.store.breaker.State() != circuitbreaker.OpenState && failedCalls(t, reader) == failed {
				t.Error("nothing failed")
			}
			is.end()
			redistest.Within(t, recovery, "hits afterwards", again)
		})
	}
}

// recovery is how soon a Redis that is well again is used.
const recovery = 10 * time.Second

func pageOf(n int64) search.Query {
	q := queryAt(int(n))
	q.WithoutCount = true
	return q
}

// cold searches with an empty memory, and tells the tier that answered.
func cold(t *testing.T, c *Cache, scope tenancy.Scope, q search.Query) string {
	t.Helper()
	c.shared.drain()
	c.memory.entries.InvalidateAll()
	r := mustSearch(t, c, scope, q)
	if len(r.Page.Rows) != 10 {
		t.Errorf("an answer with %d rows", len(r.Page.Rows))
	}
	return r.Page.Provenance.Tier
}

// failedCalls is how many calls of Redis there were that did not end well;
// without those that the breaker kept back.
func failedCalls(t *testing.T, reader *sdkmetric.ManualReader) (n uint64) {
	t.Helper()
	for _, point := range collect(t, reader)["scopegate.cache.redis.duration"].(metricdata.Histogram[float64]).DataPoints {
		switch label(point.Attributes, "outcome") {
		case callTimeout, callError:
			n += point.Count
		}
	}
	return n
}
