package limits

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/tcptest"
)

// slow is a budget that does not refill while a test runs.
var slow = Rate{PerMinute: 1, Burst: 10}

// testRedis is a client of the Redis that the tests run on, by the URL in
// SCOPEGATE_TEST_REDIS.
func testRedis(tb testing.TB) *redis.Client {
	tb.Helper()
	url := os.Getenv("SCOPEGATE_TEST_REDIS")
	if url == "" {
		const missing = "SCOPEGATE_TEST_REDIS is not set: it takes a URL like redis://127.0.0.1:6379"
		if os.Getenv("SCOPEGATE_REQUIRE_SERVICES") != "" {
			tb.Fatal(missing)
		}
		tb.Skip(missing)
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatalf("SCOPEGATE_TEST_REDIS: %v", err)
	}
	return clientOf(tb, o)
}

func clientOf(tb testing.TB, o *redis.Options) *redis.Client {
	tb.Helper()
	o.Protocol, o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = 2, -1, 1, true
	client := redis.NewClient(o)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// options are those of a limiter on the client, in a namespace of its own, with
// a budget that a loaded machine keeps too.
func options(tb testing.TB, client redis.UniversalClient) RedisOptions {
	tb.Helper()
	p, _ := newTestProcess(tb, 100)
	return RedisOptions{
		Client: client, Budget: 10 * time.Second, Secret: []byte("secret"), Namespace: rand.Text(),
		Process: p, Logger: slog.New(slog.DiscardHandler),
	}
}

func newRedis(tb testing.TB, o RedisOptions) *Redis {
	tb.Helper()
	r, err := NewRedis(o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestGatewaysThatShareARedisShareBudgets(t *testing.T) {
	o := options(t, testRedis(t))
	first := newRedis(t, o)
	o.Client = testRedis(t)
	second := newRedis(t, o)
	var (
		allowed atomic.Int64
		done    sync.WaitGroup
	)
	for _, limiter := range []*Redis{first, second} {
		for range 5 {
			done.Go(func() {
				for range 10 {
					if limiter.Allow(context.Background(), "a", 1, slow).Allowed {
						allowed.Add(1)
					}
				}
			})
		}
	}
	done.Wait()
	if got := allowed.Load(); got != int64(slow.Burst) {
		t.Errorf("%d were allowed by both, want %d", got, slow.Burst)
	}
	if !second.Allow(t.Context(), "b", 1, slow).Allowed {
		t.Error("another key was refused")
	}
	if o.Process.size() != 0 {
		t.Error("this process has counted as well")
	}
	o.Namespace = rand.Text()
	if !newRedis(t, o).Allow(t.Context(), "a", 1, slow).Allowed {
		t.Error("another namespace shares the budget")
	}
}

func TestRedisDecidesLikeThisProcess(t *testing.T) {
	o := options(t, testRedis(t))
	limiter := newRedis(t, o)
	for _, cost := range []int{1, 3, 0, 25, 6, 1, 25, -4} {
		got, want := limiter.Allow(t.Context(), "a", cost, slow), o.Process.Allow(t.Context(), "a", cost, slow)
		if got.Allowed != want.Allowed || got.Allowed && absolute(got.Remaining-want.Remaining) > 1 {
			t.Errorf("cost %d: Redis %+v, this process %+v", cost, got, want)
		}
		// Redis has its own clock, which goes on: it may be a little ahead.
		for _, pair := range [][2]time.Duration{{got.RetryAfter, want.RetryAfter}, {got.ResetAfter, want.ResetAfter}} {
			if pair[0] > pair[1]+time.Millisecond || pair[0] < pair[1]-time.Minute {
				t.Errorf("cost %d: Redis %+v, this process %+v", cost, got, want)
			}
		}
	}
}

func absolute(n int) int { return max(n, -n) }

func TestABudgetInRedisThatCannotBeTrueIsDeletedAndCountedByThisProcess(t *testing.T) {
	client := testRedis(t)
	now := float64(time.Now().Unix() - time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	seconds := func(s float64) string { return strconv.FormatFloat(s, 'f', 6, 64) }
	for name, stored := range map[string]string{
		"an hour ahead, as after a step back of the clock": seconds(now + 3600),
		"a little more than the window ahead":              seconds(now + slow.Window().Seconds() + 5),
		"in a thousand years":                              "99999999999",
		"longer than any number":                           strings.Repeat("9", 400),
		"infinite":                                         "inf", "infinite, negative": "-inf",
		"not a number": "nan", "not a number, negative": "-nan", "negative": "-1", "a word": "full", "hexadecimal": "0x10",
		"empty": "", "an exponent": "1e300", "large": strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, client)
			limiter := newRedis(t, o)
			check := func(plant func(name string) error) {
				t.Helper()
				if err := plant(limiter.name("a")); err != nil {
					t.Fatal(err)
				}
				got := limiter.Allow(t.Context(), "a", 1, slow)
				if !got.Allowed || got.Remaining > slow.Burst-1 || got.Remaining < 0 || got.ResetAfter > slow.Window() || got.RetryAfter != 0 {
					t.Errorf("%+v", got)
				}
			}
			check(func(name string) error { return client.Set(t.Context(), name, stored, time.Hour).Err() })
			if n := client.Exists(t.Context(), limiter.name("a")).Val(); n != 0 {
				t.Error("it is still there")
			}
			if o.Process.size() != 1 {
				t.Error("this process has not counted")
			}
			if got := limiter.Allow(t.Context(), "a", 1, slow); got.Remaining != slow.Burst-1 {
				t.Errorf("Redis counts anew: %+v", got)
			}
			check(func(name string) error { return client.Set(t.Context(), name, stored, 0).Err() })
		})
	}
}

func TestAKeyOfAnotherTypeInPlaceOfABudgetIsDeleted(t *testing.T) {
	client := testRedis(t)
	o := options(t, client)
	limiter := newRedis(t, o)
	for range 2 * budget.BreakerCalls {
		if err := client.RPush(t.Context(), limiter.name("a"), "x").Err(); err != nil {
			t.Fatal(err)
		}
		limiter.Allow(t.Context(), "a", 1, slow)
	}
	if n := client.Exists(t.Context(), limiter.name("a")).Val(); n != 0 {
		t.Error("it is still there")
	}
	if limiter.Allow(t.Context(), "a", 0, slow); o.Process.Allow(t.Context(), "a", 1, slow).Allowed {
		t.Error("this process has not counted")
	}
	if limiter.breaker.State() != circuitbreaker.ClosedState {
		t.Error("what others have planted counts as a fault of Redis")
	}
}

// What redis_rate keeps goes on to be counted: gateways change one by one.
func TestABudgetThatAnEarlierGatewayHasSpentIsRead(t *testing.T) {
	client := testRedis(t)
	limiter := newRedis(t, options(t, client))
	full := float64(time.Now().UnixMicro()-time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())/1e6 + 180.5
	if err := client.Set(t.Context(), limiter.name("a"), strconv.FormatFloat(full, 'g', 17, 64), time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if got := limiter.Allow(t.Context(), "a", 1, slow); !got.Allowed || got.Remaining > 6 || got.Remaining < 5 {
		t.Errorf("%+v, want some 6 of 10 left", got)
	}
}

func TestNoDecisionIsOutsideItsBudgetWhateverRedisAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Rate{PerMinute: rapid.IntRange(1, 100_000).Draw(t, "per minute"), Burst: rapid.IntRange(1, 1000).Draw(t, "burst")}
		d, err := readDecision(rapid.SliceOfN(rapid.Int64(), 0, 5).Draw(t, "reply"), limit)
		if err != nil {
			return
		}
		if d.Remaining < 0 || d.Remaining > limit.Burst || d.RetryAfter < 0 || d.RetryAfter > limit.Window() ||
			d.ResetAfter < 0 || d.ResetAfter > limit.Window() {
			t.Fatalf("%+v of %+v", d, limit)
		}
	})
}

// A client that waits for what no context ends, as go-redis's own for a Cluster
// did for COMMAND.
func TestACallThatNoContextEndsHoldsNobodyUp(t *testing.T) {
	client := testRedis(t)
	held := make(chan struct{})
	client.AddHook(holding(held))
	o := options(t, client)
	o.Budget = 10 * time.Millisecond
	limiter := newRedis(t, o)
	for range 100 {
		limiter.Allow(t.Context(), "a", 1, slow)
	}
	if limiter.breaker.State() != circuitbreaker.OpenState {
		t.Errorf("the breaker is %s", limiter.breaker.State())
	}
	close(held)
}

// holding is a hook under which each command waits first.
type holding <-chan struct{}

func (h holding) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h holding) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { <-h; return next(ctx, cmd) }
}
func (h holding) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestRedisGetsToKnowNoKey(t *testing.T) {
	client := testRedis(t)
	o := options(t, client)
	const subject = "planted-subject"
	newRedis(t, o).Allow(t.Context(), subject, 1, slow)
	name := newRedis(t, o).name(subject)
	if n, err := client.Exists(t.Context(), name).Result(); err != nil || n != 1 {
		t.Fatalf("the budget is not at its name: %d, %v", n, err)
	}
	if strings.Contains(name, subject) || strings.Contains(name, o.Namespace) {
		t.Errorf("name %q", name)
	}
	o.Secret = []byte("another")
	if newRedis(t, o).name(subject) == name {
		t.Error("the name can be made without the secret")
	}
	// A budget that is full again is not kept.
	if life := client.TTL(t.Context(), name).Val(); life <= 0 || life > slow.Window() {
		t.Errorf("it is kept for %s", life)
	}
}

func TestWithoutRedisThisProcessCounts(t *testing.T) {
	var logs bytes.Buffer
	o := options(t, clientOf(t, &redis.Options{Addr: "127.0.0.1:1"}))
	o.Logger = slog.New(slog.NewTextHandler(&logs, nil))
	limiter := newRedis(t, o)
	allowed := 0
	for range 100 {
		if limiter.Allow(t.Context(), "a", 1, slow).Allowed {
			allowed++
		}
	}
	if allowed != slow.Burst {
		t.Errorf("%d were allowed, want %d", allowed, slow.Burst)
	}
	if limiter.breaker.State() != circuitbreaker.OpenState {
		t.Errorf("the breaker is %s", limiter.breaker.State())
	}
	if strings.Count(logs.String(), "counts rate limits by itself") != 1 {
		t.Errorf("logs: %s", logs.String())
	}
}

func TestARedisThatHangsHoldsNobodyUpForLong(t *testing.T) {
	o := options(t, clientOf(t, &redis.Options{Addr: tcptest.Silent(t)}))
	o.Budget = 10 * time.Millisecond
	limiter := newRedis(t, o)
	for range 200 { // without a budget the first would take seconds, without a breaker each some milliseconds
		limiter.Allow(t.Context(), "a", 1, slow)
	}
	if limiter.breaker.State() != circuitbreaker.OpenState {
		t.Errorf("the breaker is %s", limiter.breaker.State())
	}
	if o.Process.Allow(t.Context(), "a", 1, slow).Allowed {
		t.Error("this process has not counted")
	}
}

func TestACallerThatLeavesIsNoFailureOfRedis(t *testing.T) {
	limiter := newRedis(t, options(t, testRedis(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 30 {
		limiter.Allow(ctx, "a", 1, slow)
	}
	if limiter.breaker.State() != circuitbreaker.ClosedState {
		t.Errorf("the breaker is %s", limiter.breaker.State())
	}
}

func TestAScriptThatRedisHasForgottenIsSentAgain(t *testing.T) {
	client := testRedis(t)
	limiter := newRedis(t, options(t, client))
	limiter.Allow(t.Context(), "a", 1, slow)
	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if d := limiter.Allow(t.Context(), "a", 1, slow); d.Remaining > slow.Burst-2 {
		t.Errorf("%+v: counted elsewhere", d)
	}
}

func TestWhatALimiterNeedsIsAskedForTogether(t *testing.T) {
	_, err := NewRedis(RedisOptions{})
	for _, want := range []string{"Client", "Budget", "Secret", "Process", "Logger"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestWhatIsGivenBackIsInTheSharedBudgetAgain(t *testing.T) {
	o := options(t, testRedis(t))
	limiter := newRedis(t, o)
	limiter.Allow(t.Context(), "a", 5, slow)
	for range 20 {
		if !limiter.Allow(t.Context(), "a", 5, slow).Allowed {
			t.Fatal("refused, though all was given back")
		}
		limiter.Refund(t.Context(), "a", 5, slow)
	}
	limiter.Refund(t.Context(), "a", 5, Rate{})
	if o.Process.size() != 0 {
		t.Error("this process has counted as well")
	}
}
