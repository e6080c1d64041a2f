package cache

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// The same on real servers, in fewer histories and in real time: two faults
// each, after which each gateway must notice what is published.
func TestNoInvalidatedAnswerIsServedWhateverRealServersDo(t *testing.T) {
	const histories = 20
	for history := range histories {
		t.Run(string(rune('a'+history)), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			h := newRealTrial(t)
			h.look(t)
			h.fault(t, random, history%realFaults)
			h.look(t)
			h.fault(t, random, random.IntN(realFaults))
			h.total++
			h.next.holds(h.total, full())
			if h.writer.Append(t.Context(), companiesFrom(1, 1)) == nil && h.writer.Confirm(t.Context()) == nil {
				h.wantNoticed(t)
			}
		})
	}
}

// realFaults is how many faults there are to choose from.
const realFaults = 8

// realTrial is two gateways on a master, or on its replica, and a writer on the
// master.
type realTrial struct {
	master, replica *redistest.Server
	space           string
	next            *engine
	total           int64
	gateways        []*Cache
	writer          *redislog.Log
}

func newRealTrial(t *testing.T) *realTrial {
	t.Helper()
	h := &realTrial{
		master: redistest.Start(t, "--repl-diskless-sync-delay", "0"), replica: redistest.Start(t), space: namespace(t), next: newEngine(), total: 25,
	}
	h.replica.Do("REPLICAOF", "127.0.0.1", h.master.Port)
	client := h.replica.Client()
	redistest.Eventually(t, "the replica follows", func() bool {
		return strings.Contains(client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	h.gateways = []*Cache{h.start(t, h.master), h.start(t, h.master), h.start(t, h.replica)}
	h.writer = newRedisLog(t, newRedis(t, redisstore.Options{Addresses: []string{h.master.Address()}}), h.space)
	for _, c := range h.gateways[:2] {
		redistest.Eventually(t, "the log is followed", follows(c))
	}
	return h
}

func (h *realTrial) start(t *testing.T, s *redistest.Server) *Cache {
	t.Helper()
	return follower(t, s, h.space, h.next, 100*time.Millisecond)
}

// look has all gateways keep an answer.
func (h *realTrial) look(t *testing.T) {
	t.Helper()
	for _, c := range h.gateways {
		mustSearch(t, c, tenancytest.Scope(t, 1), query())
		c.shared.drain()
	}
}

func (h *realTrial) fault(t *testing.T, random *rand.Rand, which int) {
	t.Helper()
	head, stream := logKeys(t, h.master)
	switch which {
	case 0: // a restart without data
		h.master.Kill()
		h.master.Restart()
	case 1: // a restart with older data, and a gateway that starts then
		client := h.master.Client()
		redistest.Eventually(t, "it is saved", func() bool { return client.Save(t.Context()).Err() == nil }) // one save at a time
		appendTo(t, h.writer, 1)
		h.master.Kill()
		h.master.Restart()
		h.gateways = append(h.gateways, h.start(t, h.master))
	case 2: // the replica is cut off
		h.replica.Do("REPLICAOF", "127.0.0.1", 1)
	case 3: // it is promoted, and made a replica again
		h.replica.Do("REPLICAOF", "NO", "ONE")
		h.replica.Do("REPLICAOF", "127.0.0.1", h.master.Port)
	case 4:
		h.hostile(t, "XADD", stream, "*", "seq", "1", "body", strings.Repeat("x", 8<<20), "mac", "m")
	case 5:
		h.master.Do("HSET", head, "seq", random.IntN(3))
	case 6:
		h.hostile(t, "XTRIM", stream, "MAXLEN", 0)
	case 7:
		h.master.Do("DEL", head, stream)
		h.master.Do("RPUSH", stream, "x")
	}
}

// hostile runs a command of somebody else on the master. One for a stream may come
// when there is none any more: Redis refuses it, and nothing has changed.
func (h *realTrial) hostile(t *testing.T, command ...any) {
	t.Helper()
	err := h.master.Client().Do(t.Context(), command...).Err()
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		t.Fatalf("%v: %v", command[:2], err)
	}
}

// wantNoticed checks that no gateway serves what was before, from the time on
// that it may take to notice.
func (h *realTrial) wantNoticed(t *testing.T) {
	t.Helper()
	time.Sleep(invalidation.Silence) // beside the two seconds that the writer has waited
	for i, c := range h.gateways {
		if got := mustSearch(t, c, tenancytest.Scope(t, 1), query()); got.Count.Total != h.total {
			t.Errorf("gateway %d serves %d, want %d: %s", i, got.Count.Total, h.total, outcomes(got))
		}
	}
}
