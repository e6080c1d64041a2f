package cache

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

func follows(c *Cache) func() bool { return func() bool { return c.touches.following(time.Now()) } }

func silentNow(c *Cache) func() bool { return func() bool { return !c.touches.following(time.Now()) } }

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
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	onMaster, onReplica := follower(t, master, space, newEngine(), brief), follower(t, replica, space, newEngine(), brief)
	eventually(t, "the master's log is followed", follows(onMaster))
	if onReplica.touches.following(time.Now()) {
		t.Error("a replica is followed")
	}
	wantAnew(t, onReplica)
	replica.Do("REPLICAOF", "127.0.0.1", 1)
	appendTo(t, onMaster.tail.log.(*RedisLog), 1)
	wantAnew(t, onReplica)
	replica.Do("REPLICAOF", "NO", "ONE") // it is promoted
	eventually(t, "the new master's log is followed", follows(onReplica))
}

func TestAMasterThatBecomesAReplicaFallsSilent(t *testing.T) {
	s := redistest.Start(t)
	c := follower(t, s, namespace(t), newEngine(), brief)
	eventually(t, "the log is followed", follows(c))
	s.Do("REPLICAOF", "127.0.0.1", 1)
	eventually(t, "it is silent", silentNow(c))
	wantAnew(t, c)
	s.Do("REPLICAOF", "NO", "ONE")
	eventually(t, "it is followed again", follows(c))
}

func TestAMasterThatMayNotWriteWithoutReplicasFallsSilent(t *testing.T) {
	s := redistest.Start(t)
	c := follower(t, s, namespace(t), newEngine(), brief)
	eventually(t, "the log is followed", follows(c))
	s.Do("CONFIG", "SET", "min-replicas-to-write", 1)
	eventually(t, "it is silent", silentNow(c))
	wantAnew(t, c)
	s.Do("CONFIG", "SET", "min-replicas-to-write", 0)
	eventually(t, "it is followed again", follows(c))
}

// What a full Redis cannot be told, gateways do not take for untouched.
func TestARedisThatHasNoRoomForATouchFallsSilent(t *testing.T) {
	s := redistest.Start(t)
	c := follower(t, s, namespace(t), newEngine(), brief)
	eventually(t, "the log is followed", follows(c))
	s.Do("CONFIG", "SET", "maxmemory", 1)
	eventually(t, "it is silent", silentNow(c))
	wantAnew(t, c)
	s.Do("CONFIG", "SET", "maxmemory", 0)
	eventually(t, "it is followed again", follows(c))
}

func TestARedisThatComesBackWithOlderDataBeginsANewEpoch(t *testing.T) {
	s := redistest.Start(t)
	space, scope := namespace(t), tenancytest.Scope(t, 1)
	next := newEngine()
	running := follower(t, s, space, next, time.Hour)
	eventually(t, "the log is followed", follows(running))
	log := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), space)
	appendTo(t, log, 7)
	eventually(t, "it is in Redis", func() bool { return cold(t, running, scope, query()) == tierRedis })
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
	eventually(t, "the log is followed", follows(started))
	if got := mustSearch(t, started, scope, query()); got.Count.Total != 26 {
		t.Errorf("a gateway that starts serves what was touched since: %s", outcomes(got))
	}
	if after := standsAt(t, log); after.Epoch == before.Epoch {
		t.Errorf("it goes on with %+v", after)
	}
	eventually(t, "the gateway that runs on is told", func() bool { return mustSearch(t, running, scope, query()).Count.Total == 26 })
}

// What was told of while another server was the master is not in its data, and
// its process has run on.
func TestAMasterThatWasDemotedAndIsPromotedAgainBeginsANewEpoch(t *testing.T) {
	s := redistest.Start(t)
	space, scope := namespace(t), tenancytest.Scope(t, 1)
	next := newEngine()
	before := follower(t, s, space, next, time.Hour)
	eventually(t, "the log is followed", follows(before))
	eventually(t, "it is in Redis", func() bool { return cold(t, before, scope, query()) == tierRedis })
	log := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), space)
	was := standsAt(t, log)
	s.Do("REPLICAOF", "127.0.0.1", 1)
	next.holds(26, full()) // and another master was told of it
	s.Do("REPLICAOF", "NO", "ONE")
	started := follower(t, s, space, next, time.Hour)
	eventually(t, "the log is followed", follows(started))
	if got := mustSearch(t, started, scope, query()); got.Count.Total != 26 {
		t.Errorf("a gateway that starts serves what was touched since: %s", outcomes(got))
	}
	if is := standsAt(t, log); is.Epoch == was.Epoch {
		t.Errorf("it goes on with %+v", is)
	}
}

// standsAt is where a log stands.
func standsAt(t *testing.T, l *RedisLog) Position {
	t.Helper()
	var at Position
	eventually(t, "the log answers", func() bool {
		n, err := l.Next(t.Context(), Mark{})
		at = n.Position
		return err == nil
	})
	return at
}

// Whoever takes the last entry away and sets the head back, again and again.
func TestATouchThatIsTakenAwayIsNoticedByItsWriter(t *testing.T) {
	s := redistest.Start(t)
	l := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), namespace(t))
	appendTo(t, l, 1)
	known := newTouches(time.Now())
	known.take(next(t, l, Mark{}), time.Now())
	hide := redis.NewScript(`
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 2)
if #last == 2 then
  redis.call('XDEL', KEYS[2], last[1][1])
  redis.call('HSET', KEYS[1], 'seq', last[2][2][2])
end`)
	client, k := s.Client(), kept(l)
	ctx, stop := context.WithCancel(t.Context())
	hiding := make(chan struct{})
	go func() {
		defer close(hiding)
		for ctx.Err() == nil {
			_ = hide.Run(ctx, client, []string{k.head, k.stream}).Err()
		}
	}()
	defer func() { stop(); <-hiding }()
	appendTo(t, l, 2)
	check(t, l.Confirm(t.Context()))
	eventually(t, "followers are told that something is missing", func() bool { return known.take(next(t, l, known.mark()), time.Now()) })
}

func TestATouchThatStaysIsConfirmed(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	check(t, l.Confirm(t.Context())) // nothing was appended
	appendTo(t, l, 1)
	before := next(t, l, Mark{})
	check(t, l.Confirm(t.Context()))
	if after := next(t, l, before.Mark); after.Position != before.Position {
		t.Errorf("%+v became %+v", before.Position, after.Position)
	}
}

// snatching takes away what has woken a follower, before it looks.
type snatching struct {
	logStore

	l *RedisLog
}

func (s snatching) wait(ctx context.Context, cursor string) (string, error) {
	id, err := s.logStore.wait(ctx, cursor)
	if id != "" {
		k := kept(s.l)
		_ = k.client.XDel(ctx, k.stream, id).Err()
		_ = k.client.HSet(ctx, k.head, "seq", "1").Err()
	}
	return id, err
}

func TestAnEntryThatWasSeenAndIsGoneAgainIsAGap(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	appendTo(t, l, 1)
	known := newTouches(time.Now())
	known.take(next(t, l, Mark{}), time.Now())
	appendTo(t, l, 2)
	watched := redisLogOn(snatching{l.store, l}, l.name, l.ring)
	if !known.take(next(t, watched, known.mark()), time.Now()) {
		t.Errorf("it was not missed: %+v", known.mark())
	}
}

func TestALogThatIsNoneAnyMoreIsMended(t *testing.T) {
	for name, spoil := range map[string]func(k *redisLogStore) []*redis.Cmd{
		"the head lacks its sequence": func(k *redisLogStore) []*redis.Cmd { return commands(k, "HDEL", k.head, "seq") },
		"the head lacks its epoch":    func(k *redisLogStore) []*redis.Cmd { return commands(k, "HDEL", k.head, "epoch") },
		"the sequence is a word":      func(k *redisLogStore) []*redis.Cmd { return commands(k, "HSET", k.head, "seq", "one") },
		"the sequence is endless": func(k *redisLogStore) []*redis.Cmd {
			return commands(k, "HSET", k.head, "seq", strings.Repeat("9", 50))
		},
		"the epoch is of no run": func(k *redisLogStore) []*redis.Cmd { return commands(k, "HSET", k.head, "epoch", "x") },
		"the epoch is very long": func(k *redisLogStore) []*redis.Cmd {
			return commands(k, "HSET", k.head, "epoch", strings.Repeat("e", 1<<20))
		},
		"the stream is a list": func(k *redisLogStore) []*redis.Cmd {
			return append(commands(k, "DEL", k.stream), commands(k, "RPUSH", k.stream, "x")...)
		},
		"the head is a string": func(k *redisLogStore) []*redis.Cmd { return commands(k, "SET", k.head, "x") },
		"the beat is a list": func(k *redisLogStore) []*redis.Cmd {
			return append(commands(k, "DEL", k.beat), commands(k, "RPUSH", k.beat, "x")...)
		},
		"the stream is a set, no head": func(k *redisLogStore) []*redis.Cmd {
			return append(commands(k, "DEL", k.stream, k.head), commands(k, "SADD", k.stream, "x")...)
		},
		"an entry has other fields": func(k *redisLogStore) []*redis.Cmd { return commands(k, "XADD", k.stream, "*", "a", "b") },
		"an entry has a sequence of 2⁷⁰": func(k *redisLogStore) []*redis.Cmd {
			return commands(k, "XADD", k.stream, "*", "seq", "1180591620717411303424", "body", "a", "mac", "m")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
			appendTo(t, l, 1)
			known := newTouches(time.Now())
			known.take(next(t, l, Mark{}), time.Now())
			for _, done := range spoil(kept(l)) {
				check(t, done.Err())
			}
			gap := known.take(next(t, l, known.mark()), time.Now())
			if want := name != "the beat is a list"; gap != want {
				t.Errorf("a gap: %v", gap)
			}
			appendTo(t, l, 2)
			if got := next(t, l, known.mark()); len(got.Touches) != 1 || known.take(got, time.Now()) {
				t.Errorf("it is not whole again: %+v", got)
			}
			// The next who spoils it is met by a writer, or a gateway that starts.
			for _, done := range spoil(kept(l)) {
				check(t, done.Err())
			}
			check(t, newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t)).Ping(t.Context()))
			next(t, l, Mark{})
		})
	}
}

func commands(k *redisLogStore, words ...any) []*redis.Cmd {
	return []*redis.Cmd{k.client.Do(context.Background(), words...)}
}

func TestAnEntryThatIsTooLongIsAGapAndIsNotRead(t *testing.T) {
	s := redistest.Start(t)
	l := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), namespace(t))
	long := strings.Repeat("x", 32<<20)
	client, k := s.Client(), kept(l)
	for name, values := range map[string][]any{
		"a long body": {"seq", "2", "body", long, "mac", "m"},
		"a long name": {"seq", "2", "body", "a", "mac", "m", long, ""},
		"just over":   {"seq", "2", "body", long[:logEntryBytes], "mac", "m"},
		"many fields": manyFields(100_000),
	} {
		t.Run(name, func(t *testing.T) {
			appendTo(t, l, 1)
			known := newTouches(time.Now())
			known.take(next(t, l, Mark{}), time.Now())
			for range 3 {
				check(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: k.stream, Values: values}).Err())
			}
			check(t, client.HSet(t.Context(), k.head, "seq", "4").Err())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if !known.take(next(t, l, known.mark()), time.Now()) {
				t.Error("no gap")
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
				t.Errorf("%d MiB were read", took>>20)
			}
		})
	}
}

func manyFields(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = "f"
	}
	return list
}

func TestALogOfManyEntriesIsReadInPages(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	start := next(t, l, Mark{})
	for range 3 * logPageEntries {
		appendTo(t, l, 1)
	}
	for name, at := range map[string]Mark{"from a mark": start.Mark, "from the end": {}} {
		if got := next(t, l, at); got.Sequence != 3*logPageEntries || got.Complete != 0 || len(got.Touches) != 3*logPageEntries || got.Touches[0].Sequence != 1 {
			t.Errorf("%s: %d touches up to %d, complete behind %d", name, len(got.Touches), got.Sequence, got.Complete)
		}
	}
}

func TestWhoFollowsLeavesNothingBehind(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	appendTo(t, l, 1)
	at := next(t, l, Mark{})
	for range 3 {
		at = next(t, l, at.Mark)
	}
	k := kept(l)
	if n := k.client.XLen(t.Context(), k.stream).Val(); n != 1 {
		t.Errorf("the stream has %d entries", n)
	}
	if life := k.client.PTTL(t.Context(), k.beat).Val(); life <= 0 || life > logBeatLife {
		t.Errorf("the beat lives for %s", life)
	}
}
