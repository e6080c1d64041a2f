package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestAnAliasThatLeadsElsewhereMakesAllStale(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next := newWatchedIndex(), newEngine()
		c, _ := followedCache(t, next, Options{Fresh: time.Minute, Identity: index.Version})
		mustSearch(t, c, scope, query())
		time.Sleep(2 * identityEvery)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("the same index: %s", got)
		}
		index.is("") // which cannot be asked: the old one stays
		time.Sleep(2 * identityEvery)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("an index that does not answer: %s", got)
		}
		for i, id := range []string{"second", "first"} { // and back: what was there before is old
			index.is(id)
			next.holds(int64(26+i), full())
			time.Sleep(identityEvery)
			synctest.Wait()
			if r := mustSearch(t, c, scope, query()); outcomes(r) != "engine engine" || r.Count.Total != int64(26+i) {
				t.Errorf("index %s: %s, total %d", id, outcomes(r), r.Count.Total)
			}
		}
		index.is("third")
		c.Identify(t.Context())
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("asked at once: %s", got)
		}
	})
}

func TestWhatWasLoadedWhileTheIndexChangedIsNotStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next, held := newWatchedIndex(), newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{Fresh: time.Minute, Identity: index.Version})
		slow := begin(t.Context(), c, scope, query())
		synctest.Wait()
		index.is("second")
		c.Identify(t.Context())
		close(held)
		if a := <-slow; a.err != nil || a.result.Page.Provenance.Stored || a.result.Count.Provenance.Stored {
			t.Errorf("%+v, %v", a.result.Page.Provenance, a.err)
		}
	})
}

func TestWhileItIsNotKnownWhatIsSearchedRedisIsNotUsed(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next, store := newWatchedIndex(), newEngine(), newDouble()
		index.is("")
		c := newCache(t, next, Options{Fresh: time.Minute, Identity: index.Version})
		var err error
		if c.shared, err = newShared(store, redisstore.DefaultBudget, testOptions(Options{})); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"engine engine", "memory memory"} {
			if got := outcomes(mustSearch(t, c, scope, query())); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		synctest.Wait()
		if n := store.calls[operationGet] + store.calls[operationSet]; n != 0 {
			t.Errorf("Redis was called %d times", n)
		}
		index.is("first")
		time.Sleep(identityRetry)
		synctest.Wait()
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("once it is known, what was kept before is anybody's: %s", got)
		}
		synctest.Wait()
		if store.calls[operationGet] == 0 || store.calls[operationSet] == 0 {
			t.Errorf("Redis is not used: %v", store.calls)
		}
	})
}

func TestTwoIndicesOfOneNameNeverServeEachOthersSessions(t *testing.T) {
	server := redistest.Start(t)
	keys := [][]byte{make([]byte, 32)}
	const namespace = "/elasticsearch/scopegate"
	gatewayOver := func(id string) *Cache {
		r, err := redisstore.New(redisstore.Options{Addresses: []string{server.Address()}, Budget: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		log, err := redislog.New(r, namespace, keys)
		if err != nil {
			t.Fatal(err)
		}
		e := &engine{total: 1, page: search.Page{More: true, Rows: []search.Row{{CompanyID: 7, JSON: json.RawMessage(fmt.Sprintf(`{"name":%q}`, id))}}}}
		c := newCache(t, e, Options{
			Redis: r, Log: log, Keys: keys, Namespace: namespace, Fresh: time.Minute,
			Identity: func(context.Context) (string, error) { return id, nil },
		})
		c.Identify(t.Context())
		return c
	}
	production, staging, other := gatewayOver("production"), gatewayOver("staging"), gatewayOver("production")
	scope := tenancytest.Scope(t, 7)
	mustSearch(t, production, scope, query())
	for range 1000 { // until what was stored beside the answer is there
		r := mustSearch(t, other, scope, query())
		if r.Page.Provenance.Tier == tierRedis {
			break
		}
		other.memory.entries.InvalidateAll()
		time.Sleep(5 * time.Millisecond)
	}
	if r := mustSearch(t, other, scope, query()); !r.Page.Provenance.Hit() {
		t.Errorf("gateways over the same index share nothing: %s", outcomes(r))
	}
	for range 20 {
		r := mustSearch(t, staging, scope, query())
		if got := string(r.Page.Rows[0].JSON); got != `{"name":"staging"}` {
			t.Fatalf("staging answers %s from %q", got, r.Page.Provenance.Tier)
		}
		staging.memory.entries.InvalidateAll()
	}
}
