package cache

import (
	"bytes"
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
)

// testRedis is the Redis that the tests run on, by the URL in
// SCOPEGATE_TEST_REDIS.
func testRedis(tb testing.TB) redisstore.Options {
	tb.Helper()
	url := os.Getenv("SCOPEGATE_TEST_REDIS")
	if url == "" {
		missing(tb, "SCOPEGATE_TEST_REDIS is not set: it takes a URL like redis://127.0.0.1:6379")
	}
	parsed, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatalf("SCOPEGATE_TEST_REDIS: %v", err)
	}
	return redisstore.Options{
		Addresses: []string{parsed.Addr}, Username: parsed.Username, Password: parsed.Password,
		DB: parsed.DB, TLS: parsed.TLSConfig,
	}
}

// missing skips a test that lacks a server, or fails it where servers must be
// there.
func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("SCOPEGATE_REQUIRE_SERVICES") != "" {
		tb.Fatal(what)
	}
	tb.Skip(what)
}

// patient is a budget that a loaded machine keeps too.
const patient = 10 * time.Second

// newRedis connects to the Redis of the tests, or the one of the options.
func newRedis(tb testing.TB, o redisstore.Options) *redisstore.Client {
	tb.Helper()
	if o.Addresses == nil {
		budget := o.Budget
		o = testRedis(tb)
		o.Budget = budget
	}
	if o.Budget == 0 {
		o.Budget = patient
	}
	r, err := redisstore.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

// namespace is one that no other test and no other run has.
func namespace(tb testing.TB) string {
	tb.Helper()
	return tb.Name() + rand.Text()
}

// sealingKey is a key made of one byte.
func sealingKey(b byte) []byte { return bytes.Repeat([]byte{b}, keyBytes) }

// settle waits until nothing is on its way to the store.
func (s *shared) settle() {
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

// xadd is an entry of a log as a stranger would write it.
func xadd(l *RedisLog, sequence, body, mac string) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: kept(l).stream, Values: []string{"seq", sequence, "body", body, "mac", mac}}
}

// eventually waits for what takes its time, and fails the test when it takes
// longer than any machine would.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	within(tb, time.Minute, what, is)
}

// within waits for what is promised to come by then.
func within(tb testing.TB, bound time.Duration, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	tb.Fatalf("not within %s: %s", bound, what)
}
