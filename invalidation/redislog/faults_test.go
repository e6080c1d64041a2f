package redislog

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/invalidation"
)

// Whoever takes the last entry away and sets the head back, again and again.
func TestAnEventThatIsTakenAwayIsNoticedByItsWriter(t *testing.T) {
	s := redistest.Start(t)
	l := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), namespace(t))
	appendTo(t, l, 1)
	known := invalidation.NewIndex(time.Now())
	known.Add(next(t, l, invalidation.Offset{}), time.Now())
	hide := redis.NewScript(`
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 2)
if #last == 2 then
  redis.call('XDEL', KEYS[2], last[1][1])
  redis.call('HSET', KEYS[1], 'seq', last[2][2][2])
end`)
	client, k := s.Client(), storeUnder(l)
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
	redistest.Eventually(t, "followers are published that something is missing", func() bool { return known.Add(next(t, l, known.Offset()), time.Now()) })
}

func TestAnEventThatStaysIsConfirmed(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	check(t, l.Confirm(t.Context())) // nothing was appended
	appendTo(t, l, 1)
	before := next(t, l, invalidation.Offset{})
	check(t, l.Confirm(t.Context()))
	if after := next(t, l, before.Offset); after.Position != before.Position {
		t.Errorf("%+v became %+v", before.Position, after.Position)
	}
}

// snatching takes away what has woken a follower, before it looks.
type snatching struct {
	Store

	l *Log
}

func (s snatching) Wait(ctx context.Context, cursor string) (string, error) {
	id, err := s.Store.Wait(ctx, cursor)
	if id != "" {
		k := storeUnder(s.l)
		_ = k.client.XDel(ctx, k.stream, id).Err()
		_ = k.client.HSet(ctx, k.head, "seq", "1").Err()
	}
	return id, err
}

func TestAnEntryThatWasSeenAndIsGoneAgainIsAGap(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	appendTo(t, l, 1)
	known := invalidation.NewIndex(time.Now())
	known.Add(next(t, l, invalidation.Offset{}), time.Now())
	appendTo(t, l, 2)
	watched := over(snatching{l.store, l}, l.name, l.ring)
	if !known.Add(next(t, watched, known.Offset()), time.Now()) {
		t.Errorf("it was not missed: %+v", known.Offset())
	}
}

func TestALogThatIsNoneAnyMoreIsMended(t *testing.T) {
	for name, spoil := range map[string]func(k *redisStore) []*redis.Cmd{
		"the head lacks its sequence": func(k *redisStore) []*redis.Cmd { return commands(k, "HDEL", k.head, "seq") },
		"the head lacks its epoch":    func(k *redisStore) []*redis.Cmd { return commands(k, "HDEL", k.head, "epoch") },
		"the sequence is a word":      func(k *redisStore) []*redis.Cmd { return commands(k, "HSET", k.head, "seq", "one") },
		"the sequence is endless": func(k *redisStore) []*redis.Cmd {
			return commands(k, "HSET", k.head, "seq", strings.Repeat("9", 50))
		},
		"the epoch is of no run": func(k *redisStore) []*redis.Cmd { return commands(k, "HSET", k.head, "epoch", "x") },
		"the epoch is very long": func(k *redisStore) []*redis.Cmd {
			return commands(k, "HSET", k.head, "epoch", strings.Repeat("e", 1<<20))
		},
		"the stream is a list": func(k *redisStore) []*redis.Cmd {
			return append(commands(k, "DEL", k.stream), commands(k, "RPUSH", k.stream, "x")...)
		},
		"the head is a string": func(k *redisStore) []*redis.Cmd { return commands(k, "SET", k.head, "x") },
		"the beat is a list": func(k *redisStore) []*redis.Cmd {
			return append(commands(k, "DEL", k.beat), commands(k, "RPUSH", k.beat, "x")...)
		},
		"the stream is a set, no head": func(k *redisStore) []*redis.Cmd {
			return append(commands(k, "DEL", k.stream, k.head), commands(k, "SADD", k.stream, "x")...)
		},
		"an entry has other fields": func(k *redisStore) []*redis.Cmd { return commands(k, "XADD", k.stream, "*", "a", "b") },
		"an entry has a sequence of 2⁷⁰": func(k *redisStore) []*redis.Cmd {
			return commands(k, "XADD", k.stream, "*", "seq", "1180591620717411303424", "body", "a", "mac", "m")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
			appendTo(t, l, 1)
			known := invalidation.NewIndex(time.Now())
			known.Add(next(t, l, invalidation.Offset{}), time.Now())
			for _, done := range spoil(storeUnder(l)) {
				check(t, done.Err())
			}
			gap := known.Add(next(t, l, known.Offset()), time.Now())
			if want := name != "the beat is a list"; gap != want {
				t.Errorf("a gap: %v", gap)
			}
			appendTo(t, l, 2)
			if got := next(t, l, known.Offset()); len(got.Events) != 1 || known.Add(got, time.Now()) {
				t.Errorf("it is not whole again: %+v", got)
			}
			// The next who spoils it is met by a writer, or a gateway that starts.
			for _, done := range spoil(storeUnder(l)) {
				check(t, done.Err())
			}
			check(t, newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t)).Ping(t.Context()))
			next(t, l, invalidation.Offset{})
		})
	}
}

func commands(k *redisStore, words ...any) []*redis.Cmd {
	return []*redis.Cmd{k.client.Do(context.Background(), words...)}
}

func TestAnEntryThatIsTooLongIsAGapAndIsNotRead(t *testing.T) {
	s := redistest.Start(t)
	l := newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{s.Address()}}), namespace(t))
	long := strings.Repeat("x", 32<<20)
	client, k := s.Client(), storeUnder(l)
	for name, values := range map[string][]any{
		"a long body": {"seq", "2", "body", long, "mac", "m"},
		"a long name": {"seq", "2", "body", "a", "mac", "m", long, ""},
		"just over":   {"seq", "2", "body", long[:MaxEntryBytes], "mac", "m"},
		"many fields": manyFields(100_000),
	} {
		t.Run(name, func(t *testing.T) {
			appendTo(t, l, 1)
			known := invalidation.NewIndex(time.Now())
			known.Add(next(t, l, invalidation.Offset{}), time.Now())
			for range 3 {
				check(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: k.stream, Values: values}).Err())
			}
			check(t, client.HSet(t.Context(), k.head, "seq", "4").Err())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if !known.Add(next(t, l, known.Offset()), time.Now()) {
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
	start := next(t, l, invalidation.Offset{})
	for range 3 * pageEntries {
		appendTo(t, l, 1)
	}
	for name, at := range map[string]invalidation.Offset{"from a mark": start.Offset, "from the end": {}} {
		if got := next(t, l, at); got.Sequence != 3*pageEntries || got.Complete != 0 || len(got.Events) != 3*pageEntries || got.Events[0].Sequence != 1 {
			t.Errorf("%s: %d events up to %d, complete behind %d", name, len(got.Events), got.Sequence, got.Complete)
		}
	}
}

func TestWhoFollowsLeavesNothingBehind(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	appendTo(t, l, 1)
	at := next(t, l, invalidation.Offset{})
	for range 3 {
		at = next(t, l, at.Offset)
	}
	k := storeUnder(l)
	if n := k.client.XLen(t.Context(), k.stream).Val(); n != 1 {
		t.Errorf("the stream has %d entries", n)
	}
	if life := k.client.PTTL(t.Context(), k.beat).Val(); life <= 0 || life > beatLife {
		t.Errorf("the beat lives for %s", life)
	}
}
