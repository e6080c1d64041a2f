package cache

import (
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// followers are two caches that share a Redis and its log, and the log.
func followers(t *testing.T, r *redisstore.Client) (caches []*Cache, engines []*engine, log *redislog.Log) {
	t.Helper()
	space := namespace(t)
	for range 2 {
		e := newEngine()
		caches = append(caches, newCache(t, e, Options{
			Redis: r, Namespace: space, Keys: [][]byte{sealingKey(1)}, Log: newRedisLog(t, r, space), Fresh: time.Minute,
		}))
		engines = append(engines, e)
	}
	return caches, engines, newRedisLog(t, r, space)
}

// wantInvalidated checks that what is appended to the log reaches both caches: they
// answer anew, while what has to do with others stays.
func wantInvalidated(t *testing.T, r *redisstore.Client) {
	t.Helper()
	caches, engines, log := followers(t, r)
	mine, others := tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 3)
	for _, c := range caches {
		redistest.Eventually(t, "the log is followed", func() bool { return c.index.Following(time.Now()) })
		redistest.Eventually(t, "both are hits", func() bool {
			return mustSearch(t, c, mine, query()).Page.Provenance.Hit() && mustSearch(t, c, others, query()).Page.Provenance.Hit()
		})
	}
	for _, e := range engines {
		e.holds(26, full())
	}
	appendTo(t, log, 2)
	for _, c := range caches {
		redistest.Eventually(t, "the changed scope has the new data", func() bool { return mustSearch(t, c, mine, query()).Count.Total == 26 })
		if r := mustSearch(t, c, others, query()); !r.Page.Provenance.Hit() || r.Count.Total != 25 {
			t.Errorf("the other scope: %s, total %d", outcomes(r), r.Count.Total)
		}
	}
}

func TestAClusterOfThreeSharesAnswersAndTheLog(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	scope := tenancytest.Scope(t, 1)
	for name, o := range map[string]redisstore.Options{
		"by all its nodes": {Addresses: redistest.Addresses(nodes...)},
		"by one of them":   {Addresses: redistest.Addresses(nodes[2]), Cluster: true},
	} {
		t.Run(name, func(t *testing.T) {
			wantShared(t, o)
			wantInvalidated(t, newRedis(t, o))
			// Pages and counts of many searches lie on all nodes.
			r := newRedis(t, o)
			c := newCache(t, newEngine(), Options{Redis: r, Namespace: namespace(t), Fresh: time.Minute})
			for offset := range 30 {
				cold(t, c, scope, queryAt(offset))
			}
			for offset := range 30 {
				if got := cold(t, c, scope, queryAt(offset)); got != tierRedis {
					t.Errorf("page %d is answered by %q", offset, got)
				}
			}
		})
	}
	for _, node := range nodes {
		if n := node.Client().DBSize(t.Context()).Val(); n < 5 {
			t.Errorf("a node holds %d keys", n)
		}
	}
}

// Nodes that hang take connections and answer nothing. The account may run what
// the documentation says, which is checked beside the gateway.
func TestSearchesAreAnsweredWhileNodesOfAClusterHang(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	for _, node := range nodes {
		node.Do("ACL", "SETUSER", "gateway", "on", ">secret", "~*", "+@all", "-command")
	}
	scope := tenancytest.Scope(t, 1)
	o := redisstore.Options{
		Addresses: redistest.Addresses(nodes...), Username: "gateway", Password: "secret", Budget: redisstore.DefaultBudget,
	}
	r := newRedis(t, o)
	c := newCache(t, newEngine(), Options{
		Redis: r, Namespace: namespace(t), Keys: [][]byte{sealingKey(1)}, Log: newRedisLog(t, r, namespace(t)), Fresh: time.Hour,
	})
	redistest.Eventually(t, "Redis takes and gives values", func() bool { return cold(t, c, scope, query()) == tierRedis })
	for hanging := 1; hanging <= len(nodes); hanging++ {
		nodes[hanging-1].Pause()
		offset := 1000 * hanging
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			var searchers sync.WaitGroup
			for searcher := range 20 {
				searchers.Go(func() {
					for i := range 5 {
						mustSearch(t, c, scope, queryAt(offset+searcher*5+i))
					}
				})
			}
			searchers.Wait()
		}()
		select {
		case <-answered: // five budgets and the engine: a fraction of a second
		case <-time.After(10 * time.Second):
			t.Fatalf("100 searches, 20 at a time, are not answered in 10 s while %d of 3 nodes hang", hanging)
		}
	}
	for _, node := range nodes {
		node.Continue()
	}
	redistest.Eventually(t, "Redis takes and gives values again", func() bool { return cold(t, c, scope, query()) == tierRedis })
	for _, node := range nodes {
		if refused := node.Client().ACLLog(t.Context(), 10).Val(); len(refused) > 0 {
			t.Errorf("the account was refused %v", refused[0])
		}
	}
}

func TestAFailoverIsFollowed(t *testing.T) {
	watched := redistest.StartWatched(t, "main")
	o := redisstore.Options{Addresses: []string{watched.Sentinel.Address()}, MasterName: "main", Budget: time.Second}
	r := newRedis(t, o)
	wantShared(t, o)
	caches, engines, log := followers(t, r)
	scope := tenancytest.Scope(t, 1)
	for _, c := range caches {
		redistest.Eventually(t, "the log is followed", func() bool { return c.index.Following(time.Now()) })
		mustSearch(t, c, scope, query())
	}
	appendTo(t, log, 1)

	watched.Master.Kill()
	for i, c := range caches { // whoever searches meanwhile is answered
		if got := mustSearch(t, c, scope, queryAt(10)).Count.Total; got != 25 {
			t.Errorf("gateway %d counts %d", i, got)
		}
	}
	for _, e := range engines {
		e.holds(26, full())
	}
	redistest.Eventually(t, "the replica takes events", func() bool { return log.Append(t.Context(), []tenancy.CompanyID{1}) == nil })
	for _, c := range caches {
		redistest.Eventually(t, "what has changed is answered anew", func() bool { return mustSearch(t, c, scope, query()).Count.Total == 26 })
		redistest.Eventually(t, "the log is followed again", func() bool { return c.index.Following(time.Now()) })
	}
	wantShared(t, o)
}
