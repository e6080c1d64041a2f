package cache

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// double is a store in memory that can be made to fail, or to wait.
type double struct {
	mu     sync.Mutex
	values map[string][]byte
	calls  map[string]int // by operation
	before func(ctx context.Context, operation string) error
}

var _ store = (*double)(nil)

func newDouble() *double { return &double{values: map[string][]byte{}, calls: map[string]int{}} }

func (d *double) called(ctx context.Context, operation string) error {
	d.mu.Lock()
	d.calls[operation]++
	before := d.before
	d.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, operation)
}

func (d *double) Get(ctx context.Context, names []string) ([][]byte, error) {
	if err := d.called(ctx, operationGet); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	values := make([][]byte, len(names))
	for i, name := range names {
		values[i] = d.values[name]
	}
	return values, nil
}

func (d *double) Set(ctx context.Context, name string, value []byte, _ time.Duration) error {
	if err := d.called(ctx, operationSet); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values[name] = value
	return nil
}

func (d *double) hold(before func(ctx context.Context, operation string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = before
}

// holdWrites has each write wait first.
func (d *double) holdWrites(wait func(ctx context.Context)) {
	d.hold(func(ctx context.Context, operation string) error {
		if operation == operationSet {
			wait(ctx)
		}
		return ctx.Err()
	})
}

func (d *double) asked() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.calls)
}

// newSharedCache is a cache with a double behind its memory.
func newSharedCache(t *testing.T, next search.Searcher, d store, o Options) *Cache {
	t.Helper()
	c := newCache(t, next, o)
	var err error
	if c.shared, err = newShared(d, redisstore.DefaultBudget, testOptions(o)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCountAndPageAreOneCallOfRedis(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	d := newDouble()
	first := newSharedCache(t, newEngine(), d, Options{})
	mustSearch(t, first, scope, query())
	first.shared.drain()
	next := newEngine()
	if got := outcomes(mustSearch(t, newSharedCache(t, next, d, Options{}), scope, query())); got != "redis redis" {
		t.Errorf("the second cache: %s", got)
	}
	next.wantSearches(t, 0, 0)
	if diff := cmp.Diff(map[string]int{operationGet: 2, operationSet: 2}, d.asked()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAStampedeSharesItsCallsOfRedis(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, d := newEngine(), newDouble()
		d.hold(func(_ context.Context, operation string) error {
			if operation == operationGet {
				time.Sleep(time.Millisecond) // all callers come meanwhile
			}
			return nil
		})
		c := newSharedCache(t, next, d, Options{})
		var callers []<-chan answerOf
		for range 100 {
			callers = append(callers, begin(t.Context(), c, scope, query()))
		}
		for _, done := range callers {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		if got := d.asked()[operationGet]; got > maxBatches+1 {
			t.Errorf("the store was asked %d times", got)
		}
		next.wantSearches(t, 1, 1)
	})
}

func TestASlowRedisCostsItsBudgetAndNoMore(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.hold(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		c := newSharedCache(t, newEngine(), d, Options{})
		start := time.Now()
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("the search: %s", got)
		}
		if took := time.Since(start); took != redisstore.DefaultBudget {
			t.Errorf("it took %v, want the budget of %v and none for the writes", took, redisstore.DefaultBudget)
		}
	})
}

func TestAWriteSurvivesItsCaller(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.holdWrites(func(context.Context) { time.Sleep(redisstore.DefaultBudget / 2) })
		c := newSharedCache(t, newEngine(), d, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		a := <-begin(ctx, c, scope, query())
		cancel()
		if a.err != nil || !a.result.Page.Provenance.Stored {
			t.Errorf("the search: %+v, %v", a.result.Page.Provenance, a.err)
		}
		c.shared.drain()
		if len(d.values) != 2 {
			t.Errorf("%d values are stored, want 2", len(d.values))
		}
	})
}

func TestClosingWaitsForTheWrites(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.holdWrites(func(context.Context) { time.Sleep(redisstore.DefaultBudget / 2) })
		c, err := New(newEngine(), testOptions(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		if c.shared, err = newShared(d, redisstore.DefaultBudget, testOptions(Options{})); err != nil {
			t.Fatal(err)
		}
		mustSearch(t, c, scope, query())
		c.Close()
		if len(d.values) != 2 {
			t.Errorf("%d values are stored, want 2", len(d.values))
		}
		c.shared.put(t.Context(), &entry[count]{meta: meta{loadedAt: time.Now()}}) // a search that was late
		synctest.Wait()
		if len(d.values) != 2 {
			t.Error("something was stored after Close")
		}
	})
}

func TestWritesUnderWayAreBounded(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.holdWrites(func(ctx context.Context) { <-ctx.Done() })
		next := newEngine()
		c := newSharedCache(t, next, d, Options{})
		pages := 2 * maxWrites
		for offset := range pages {
			q := queryAt(offset)
			q.WithoutCount = true
			mustSearch(t, c, scope, q)
		}
		synctest.Wait()
		if got := d.asked()[operationSet]; got != maxWrites {
			t.Errorf("%d writes are under way, want %d", got, maxWrites)
		}
		next.wantSearches(t, 0, pages) // none waited for a write
	})
}

func TestAFailingRedisIsLeftAloneUntilItAnswers(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := newDouble()
		d.hold(func(context.Context, string) error { return errors.New("connection refused") })
		next := newEngine()
		c := newSharedCache(t, next, d, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		search := func(offset int) string {
			q := queryAt(offset)
			q.WithoutCount = true
			outcome := outcomes(mustSearch(t, c, scope, q))
			c.shared.drain()
			return outcome
		}
		for offset := range 100 {
			if got := search(offset); got != "engine engine" {
				t.Fatalf("search %d: %s", offset, got)
			}
		}
		before := map[string]int{operationGet: budget.BreakerFailures, operationSet: budget.BreakerFailures - 1}
		if diff := cmp.Diff(before, d.asked()); diff != "" {
			t.Errorf("calls of a dead store (-want +got):\n%s", diff)
		}

		time.Sleep(budget.BreakerDelay)
		search(100) // one try, of which nothing came
		search(101)
		before[operationGet]++
		if diff := cmp.Diff(before, d.asked()); diff != "" {
			t.Errorf("calls after a second (-want +got):\n%s", diff)
		}

		d.hold(nil)
		time.Sleep(budget.BreakerDelay)
		search(102)
		c.memory.entries.InvalidateAll()
		if got := search(102); got != "engine redis" {
			t.Errorf("after the outage: %s", got)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "Redis is failing") || !strings.Contains(lines[1], "Redis answers again") {
			t.Errorf("the log: %q", lines)
		}
	})
}

// As a gateway does that has just started and loads all at once.
func TestWritesThatTakeLongAreStoredAndKeepNobodyFromReading(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.holdWrites(func(context.Context) { time.Sleep(redisstore.WriteBudgets * redisstore.DefaultBudget / 2) })
		c := newSharedCache(t, newEngine(), d, Options{})
		for offset := range budget.BreakerCalls {
			mustSearch(t, c, scope, queryAt(offset))
		}
		c.shared.drain()
		c.memory.entries.InvalidateAll()
		for offset := range budget.BreakerCalls {
			if got := outcomes(mustSearch(t, c, scope, queryAt(offset))); !strings.HasSuffix(got, "redis") {
				t.Errorf("page %d: %s", offset, got)
			}
		}
	})
}

func TestAStoreThatIsOnlyReadIsRead(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		c := newSharedCache(t, newEngine(), d, Options{})
		mustSearch(t, c, scope, queryAt(0))
		c.shared.drain()
		d.holdWrites(func(ctx context.Context) { <-ctx.Done() })
		for offset := range 2 * budget.BreakerCalls {
			mustSearch(t, c, scope, queryAt(offset+1))
		}
		c.shared.drain()
		c.memory.entries.InvalidateAll()
		if got := outcomes(mustSearch(t, c, scope, queryAt(0))); got != "redis redis" {
			t.Errorf("what was stored before: %s", got)
		}
	})
}

func TestAValueFromTheFutureIsRefused(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	d := newDouble()
	ahead := newSharedCache(t, newEngine(), d, Options{now: func() time.Time { return time.Now().Add(time.Hour) }})
	mustSearch(t, ahead, scope, query())
	ahead.shared.drain()
	if got := outcomes(mustSearch(t, newSharedCache(t, newEngine(), d, Options{}), scope, query())); got != "engine engine" {
		t.Errorf("a gateway an hour behind: %s", got)
	}
	next := newEngine()
	late := newSharedCache(t, next, d, Options{now: func() time.Time { return time.Now().Add(time.Hour + testFresh) }})
	if got := outcomes(mustSearch(t, late, scope, query())); got != "engine engine" {
		t.Errorf("when it is stale: %s", got)
	}
}
