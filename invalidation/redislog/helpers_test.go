package redislog

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
)

func newRedis(tb testing.TB, o redisstore.Options) *redisstore.Client {
	tb.Helper()
	return redistest.Connect(tb, o)
}

// namespace is one that no other test and no other run has.
func namespace(tb testing.TB) string {
	tb.Helper()
	return tb.Name() + rand.Text()
}

// sealingKey is a key made of one byte.
func sealingKey(b byte) []byte { return bytes.Repeat([]byte{b}, sha256.Size) }

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
func xadd(l *Log, sequence, body, mac string) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: storeUnder(l).stream, Values: []string{"seq", sequence, "body", body, "mac", mac}}
}
