package redistest

import (
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
)

// Patient is a budget that a loaded machine keeps too.
const Patient = 10 * time.Second

// Connect connects to the Redis of the options until the test ends: with no
// addresses, to that of the URL in SCOPEGATE_TEST_REDIS. A test that lacks it is
// skipped, or fails where SCOPEGATE_REQUIRE_SERVICES is set. No budget is Patient.
func Connect(tb testing.TB, o redisstore.Options) *redisstore.Client {
	tb.Helper()
	if o.Addresses == nil {
		budget := o.Budget
		o = Options(tb)
		o.Budget = budget
	}
	if o.Budget == 0 {
		o.Budget = Patient
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

// Options are those of the Redis of the URL in SCOPEGATE_TEST_REDIS; see Connect.
func Options(tb testing.TB) redisstore.Options {
	tb.Helper()
	const missing = "SCOPEGATE_TEST_REDIS is not set: it takes a URL like redis://127.0.0.1:6379"
	url := os.Getenv("SCOPEGATE_TEST_REDIS")
	switch {
	case url == "" && os.Getenv("SCOPEGATE_REQUIRE_SERVICES") != "":
		tb.Fatal(missing)
	case url == "":
		tb.Skip(missing)
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
