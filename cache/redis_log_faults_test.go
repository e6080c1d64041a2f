package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// brief is how long answers are fresh that a test sees renewed.
const brief = 10 * time.Millisecond

// follower is a cache that follows a log on a server.
func follower(t *testing.T, s *redistest.Server, space string, next search.Searcher, fresh time.Duration) *Cache {
	t.Helper()
	r := newRedis(t, redisstore.Options{Addresses: []string{s.Address()}})
	return newCache(t, next, Options{
		Redis: r, Namespace: space, Keys: [][]byte{sealingKey(1)}, Log: newRedisLog(t, r, space), Fresh: fresh,
		Stale: time.Hour,
	})
}

func follows(c *Cache) func() bool { return func() bool { return c.index.Following(time.Now()) } }

func silentNow(c *Cache) func() bool { return func() bool { return !c.index.Following(time.Now()) } }

// wantAnew checks that an answer that is not fresh is not served, also not while
// it is renewed.
func wantAnew(t *testing.T, c *Cache) {
	t.Helper()
	scope := tenancytest.Scope(t, 1)
	mustSearch(t, c, scope, query())
	time.Sleep(2 * brief)
	if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
		t.Errorf("an answer of before is served: %s", got)
	}
}

func TestAReplicaThatIsCutOffIsNoLog(t *testing.T) {
	space := namespace(t)
	master := redistest.Start(t)
	replica := redistest.Start(t)
	client := replica.Client()
	replica.Do("REPLICAOF", "127.0.0.1", master.Port)
	redistest.Eventually(t, "the replica follows", func() bool {
		return strings.Contains(client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	onMaster, onReplica := follower(t, master, space, newEngine(), brief), follower(t, replica, space, newEngine(), brief)
	redistest.Eventually(t, "the master's log is followed", follows(onMaster))
	if onReplica.index.Following(time.Now()) {
		t.Error("a replica is followed")
	}
	wantAnew(t, onReplica)
	replica.Do("REPLICAOF", "127.0.0.1", 1)
	appendTo(t, newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{master.Address()}}), space), 1)
	wantAnew(t, onReplica)
	replica.Do("REPLICAOF", "NO", "ONE") // it is promoted
	redistest.Eventually(t, "the new master's log is followed", follows(onReplica))
}

func TestAMasterThatBecomesAReplicaFallsSilent(t *testing.T) {
	s := redistest.Start(t)
	c := follower(t, s, namespace(t), newEngine(), brief)
	redistest.Eventually(t, "the log is followed", follows(c))
	s.Do("REPLICAOF", "127.0.0.1", 1)
	redistest.Eventually(t, "it is silent", silentNow(c))
	wantAnew(t, c)
	s.Do("REPLICAOF", "NO", "ONE")
	redistest.Eventually(t, "it is followed again", follows(c))
}

func TestAMasterThatMayNotWriteWithoutReplicasFallsSilent(t *testing.T) {
	s := redistest.Start(t)
	c := follower(t, s, namespace(t), newEngine(), brief)
	redistest.Eventually(t, "the log is followed", follows(c))
	s.Do("CONFIG", "SET", "min-replicas-to-write", 1)
	redistest.Eventually(t, "it is silent", silentNow(c))
	wantAnew(t, c)
	s.Do("CONFIG", "SET", "min-replicas-to-write", 0)
	redistest.Eventually(t, "it is followed again", follows(c))
}

// Gateways do not take for unchanged what a full Redis has no room for.
func TestARedisThatHasNoRoomForAnEventFallsSilent(t *testing.T) {
	s := redistest.Start(t)
	c := follower(t, s, namespace(t), newEngine(), brief)
	redistest.Eventually(t, "the log is followed", follows(c))
	s.Do("CONFIG", "SET", "maxmemory", 1)
	redistest.Eventually(t, "it is silent", silentNow(c))
	wantAnew(t, c)
	s.Do("CONFIG", "SET", "maxmemory", 0)
	redistest.Eventually(t, "it is followed again", follows(c))
}

func TestARedisThatComesBackWithOlderDataBeginsANewEpoch(t *testing.T) {
	s := redistest.Start(t)
	space, scope := namespace(t), tenancytest.Scope(t, 1)
	next := newEngine()
	running := follower(t, s, space, next, time.Hour)
	redistest.Eventually(t, "the log is followed", follows(running))
	log := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), space)
	appendTo(t, log, 7)
	redistest.Eventually(t, "it is in Redis", func() bool { return cold(t, running, scope, query()) == tierRedis })
	s.Do("SAVE")
	next.holds(26, full())
	appendTo(t, log, 1)
	before := standsAt(t, log)
	s.Kill()
	s.Restart() // with what was saved
	if n := s.Client().DBSize(t.Context()).Val(); n < 3 {
		t.Fatalf("it came back with %d keys", n)
	}
	started := follower(t, s, space, next, time.Hour)
	redistest.Eventually(t, "the log is followed", follows(started))
	if got := mustSearch(t, started, scope, query()); got.Count.Total != 26 {
		t.Errorf("a gateway that starts serves what has changed since: %s", outcomes(got))
	}
	if after := standsAt(t, log); after.Epoch == before.Epoch {
		t.Errorf("it goes on with %+v", after)
	}
	redistest.Eventually(t, "the gateway that runs on reads the event", func() bool { return mustSearch(t, running, scope, query()).Count.Total == 26 })
}

// An event that was published while another server was the master is not in its data, and
// its process has run on.
func TestAMasterThatWasDemotedAndIsPromotedAgainBeginsANewEpoch(t *testing.T) {
	s := redistest.Start(t)
	space, scope := namespace(t), tenancytest.Scope(t, 1)
	next := newEngine()
	before := follower(t, s, space, next, time.Hour)
	redistest.Eventually(t, "the log is followed", follows(before))
	redistest.Eventually(t, "it is in Redis", func() bool { return cold(t, before, scope, query()) == tierRedis })
	log := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), space)
	was := standsAt(t, log)
	s.Do("REPLICAOF", "127.0.0.1", 1)
	next.holds(26, full()) // and its event is published to another master
	s.Do("REPLICAOF", "NO", "ONE")
	started := follower(t, s, space, next, time.Hour)
	redistest.Eventually(t, "the log is followed", follows(started))
	if got := mustSearch(t, started, scope, query()); got.Count.Total != 26 {
		t.Errorf("a gateway that starts serves what has changed since: %s", outcomes(got))
	}
	if is := standsAt(t, log); is.Epoch == was.Epoch {
		t.Errorf("it goes on with %+v", is)
	}
}

// Two gateways, a writer, and one Redis that is restarted without its data.
func TestTwoCachesOnOneLog(t *testing.T) {
	s := redistest.Start(t)
	r := newRedis(t, redisstore.Options{Addresses: []string{s.Address()}, Budget: patient})
	space := namespace(t)
	engines := []*engine{newEngine(), newEngine()}
	var caches []*Cache
	for _, e := range engines {
		caches = append(caches, newCache(t, e, Options{
			Redis: r, Namespace: space, Keys: [][]byte{sealingKey(1)}, Log: newRedisLog(t, r, space), Fresh: time.Minute,
		}))
	}
	mine, others := tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 3)
	warm := func() {
		for _, c := range caches {
			redistest.Eventually(t, "both hit", func() bool {
				return mustSearch(t, c, mine, query()).Page.Provenance.Hit() && mustSearch(t, c, others, query()).Page.Provenance.Hit()
			})
		}
	}
	holds := func(total int64) {
		for _, e := range engines {
			e.holds(total, full())
		}
	}
	warm()
	holds(26)
	appendTo(t, newRedisLog(t, r, space), 2)
	for i, c := range caches {
		redistest.Eventually(t, "the changed scope has the new data", func() bool { return mustSearch(t, c, mine, query()).Count.Total == 26 })
		if got := mustSearch(t, c, others, query()); !got.Page.Provenance.Hit() || got.Count.Total != 25 {
			t.Errorf("gateway %d, the other scope: %s, total %d", i, outcomes(got), got.Count.Total)
		}
	}
	s.Kill()
	holds(27)
	s.Restart()
	for _, c := range caches {
		redistest.Eventually(t, "nothing of before the loss is served", func() bool {
			return mustSearch(t, c, mine, query()).Count.Total == 27 && mustSearch(t, c, others, query()).Count.Total == 27
		})
		redistest.Eventually(t, "the log is followed again", func() bool { return c.index.Following(time.Now()) })
	}
	holds(28)
	appendTo(t, newRedisLog(t, r, space), 1)
	for _, c := range caches {
		redistest.Eventually(t, "events arrive again", func() bool { return mustSearch(t, c, mine, query()).Count.Total == 28 })
	}
}
