package cache

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/tenancy"
)

// newRedis connects to the Redis of the tests, or the one of the options.
func newRedis(tb testing.TB, o redisstore.Options) *redisstore.Client {
	tb.Helper()
	return redistest.Connect(tb, o)
}

// patient is a budget that a loaded machine keeps too.
const patient = redistest.Patient

// namespace is one that no other test and no other run has.
func namespace(tb testing.TB) string {
	tb.Helper()
	return tb.Name() + rand.Text()
}

// sealingKey is a key made of one byte.
func sealingKey(b byte) []byte { return bytes.Repeat([]byte{b}, keyBytes) }

// drain waits until nothing is on its way to the store.
func (s *shared) drain() {
	for range maxWrites {
		s.slots <- struct{}{}
	}
	for range maxWrites {
		<-s.slots
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func newRedisLog(tb testing.TB, r *redisstore.Client, space string) *redislog.Log {
	tb.Helper()
	l, err := redislog.New(r, space, [][]byte{sealingKey(1)})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// logOver is a log that a store keeps.
func logOver(s redislog.Store, name string) *redislog.Log {
	return must(redislog.NewOver(s, name, [][]byte{sealingKey(1)}))
}

func appendTo(tb testing.TB, l *redislog.Log, companies ...tenancy.CompanyID) {
	tb.Helper()
	if err := l.Append(tb.Context(), companies); err != nil {
		tb.Fatal(err)
	}
}

// standsAt is where a log stands.
func standsAt(t *testing.T, l *redislog.Log) invalidation.Position {
	t.Helper()
	var at invalidation.Position
	redistest.Eventually(t, "the log answers", func() bool {
		n, err := l.Next(t.Context(), invalidation.Offset{})
		at = n.Position
		return err == nil
	})
	return at
}

// logKeys are the names of the head and the stream of the only log of a server.
func logKeys(t *testing.T, s *redistest.Server) (head, stream string) {
	t.Helper()
	client := s.Client()
	redistest.Eventually(t, "there is a log", func() bool {
		names := client.Keys(t.Context(), "*}:head").Val()
		if len(names) == 1 {
			head = names[0]
		}
		return head != ""
	})
	return head, strings.TrimSuffix(head, "head") + "stream"
}
