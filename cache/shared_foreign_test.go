package cache

import (
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Whatever lies under a name that is no value is one miss, and neither a fault
// of Redis nor one of what was asked for beside it.
func TestWhatIsNoValueIsAMissAndNoFaultOfRedis(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	for kind, command := range map[string][]any{
		"list": {"RPUSH", "a", "b"}, "set": {"SADD", "a"}, "hash": {"HSET", "a", "b"}, "stream": {"XADD", "*", "a", "b"},
		"sorted set": {"ZADD", "1", "a"},
	} {
		t.Run(kind, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			r := newRedis(t, redisstore.Options{})
			o := Options{Redis: r, Namespace: namespace(t), Keys: [][]byte{sealingKey(1)}, Fresh: time.Minute}
			o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
			c := newCache(t, newEngine(), o)
			const pages = 2 * budget.BreakerFailures
			for offset := range pages {
				stored(t, Options{Redis: r, Namespace: o.Namespace, Keys: o.Keys, Fresh: o.Fresh}, queryAt(offset))
				name := c.shared.ring.names(pageKey(c, scope, queryAt(offset)))[0]
				check(t, r.Pool().Del(t.Context(), name).Err())
				check(t, r.Pool().Do(t.Context(), append([]any{command[0], name}, command[1:]...)...).Err())
			}
			for offset := range pages {
				c.memory.entries.InvalidateAll()
				if got := outcomes(mustSearch(t, c, scope, queryAt(offset))); got != "redis engine" {
					t.Fatalf("search %d: %s", offset, got)
				}
				c.shared.drain()
			}
			refused := collect(t, reader)["scopegate.cache.redis.refused"].(metricdata.Sum[int64]).DataPoints
			if len(refused) != 1 || refused[0].Value != pages {
				t.Errorf("counted as refused: %+v, want %d", refused, pages)
			}
			c.memory.entries.InvalidateAll()
			if got := outcomes(mustSearch(t, c, scope, query())); got != "redis redis" {
				t.Errorf("it was not replaced: %s", got)
			}
		})
	}
}
