package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// gate holds an engine's searches back until it is opened.
type gate chan struct{}

func (g gate) wait(ctx context.Context, _ search.Query) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answerOf is what one Search came back with.
type answerOf struct {
	result search.Result
	err    error
}

// begin searches in a goroutine of its own.
func begin(ctx context.Context, c *Cache, scope tenancy.Scope, q search.Query) <-chan answerOf {
	done := make(chan answerOf, 1)
	go func() {
		r, err := c.Search(ctx, scope, q)
		done <- answerOf{r, err}
	}()
	return done
}

func TestAStampedeIsOneLoad(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{})
		var callers []<-chan answerOf
		for range 500 {
			callers = append(callers, begin(t.Context(), c, scope, query()))
		}
		synctest.Wait() // all of them wait for the engine
		close(held)
		own := 0
		for _, done := range callers {
			a := <-done
			if a.err != nil || a.result.Count.Total != 25 || len(a.result.Page.Rows) != 10 {
				t.Fatalf("a caller got %+v, %v", a.result.Count, a.err)
			}
			if !a.result.Page.Provenance.Shared {
				own++
			}
		}
		if own != 1 {
			t.Errorf("%d callers say that the load was theirs", own)
		}
		next.wantSearches(t, 1, 1)
	})
}

// The window between a caller's look and its turn is too short for the test
// above: here callers come while loads end.
func TestCallersWhoComeAsALoadEndsFindWhatItStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	c := newCache(t, next, Options{Fresh: time.Hour})
	for offset := range 200 {
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() { mustSearch(t, c, scope, queryAt(offset)) })
		}
		callers.Wait()
	}
	next.wantSearches(t, 1, 200)
}

func TestCountAndPageAreLoadedInParallel(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{})
		done := begin(t.Context(), c, scope, query())
		synctest.Wait()
		next.wantSearches(t, 1, 1) // neither waits for the other
		close(held)
		if a := <-done; a.err != nil {
			t.Error(a.err)
		}
	})
}

func TestALoadSurvivesItsFirstCaller(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		first := begin(ctx, c, scope, query())
		synctest.Wait()
		second := begin(t.Context(), c, scope, query())
		synctest.Wait()

		cancel()
		if a := <-first; !errors.Is(a.err, context.Canceled) { // at once: the engine is still held
			t.Errorf("the caller who left got %v", a.err)
		}
		close(held)
		a := <-second
		if a.err != nil || outcomes(a.result) != "shared shared" {
			t.Errorf("the caller who stayed got %s, %v", outcomes(a.result), a.err)
		}
		next.wantSearches(t, 1, 1)
	})
}

func TestALoadThatAllCallersLeftIsStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if a := <-begin(ctx, c, scope, query()); !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("the caller whose time was up got %v", a.err)
		}
		close(held)
		synctest.Wait()
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("the next caller: %s", got)
		}
	})
}

func TestACallerWhoHasLeftStartsNothing(t *testing.T) {
	next := newEngine()
	c := newCache(t, next, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Search(ctx, tenancytest.Scope(t, 1), query()); !errors.Is(err, context.Canceled) {
		t.Errorf("Search: %v", err)
	}
	next.wantSearches(t, 0, 0)
}

func TestAFailureReachesAllWhoWaitAndIsNotStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	for _, sentinel := range []error{
		search.ErrUnavailable, search.ErrTimeout, search.ErrForeignRow, search.ErrInvalidPosition,
	} {
		t.Run(sentinel.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next, held := newEngine(), make(gate)
				next.hold(func(ctx context.Context, q search.Query) error {
					return errors.Join(held.wait(ctx, q), fmt.Errorf("engine: %w", sentinel))
				})
				c := newCache(t, next, Options{})
				callers := []<-chan answerOf{begin(t.Context(), c, scope, query()), begin(t.Context(), c, scope, query())}
				synctest.Wait()
				close(held)
				for _, done := range callers {
					if a := <-done; !errors.Is(a.err, sentinel) {
						t.Errorf("a caller got %v", a.err)
					}
				}
				synctest.Wait() // one part's failure does not wait for the other's
				next.hold(nil)
				if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
					t.Errorf("after the failure: %s", got)
				}
			})
		})
	}
}

func TestALoadHasItsOwnDeadline(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		next.hold(make(gate).wait) // never opened
		c := newCache(t, next, Options{LoadTimeout: 3 * time.Second})
		start := time.Now()
		a := <-begin(t.Context(), c, scope, query())
		if !errors.Is(a.err, search.ErrTimeout) || errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("Search: %v, want the engine's timeout and not the caller's", a.err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it ended after %v", took)
		}
	})
}

func TestALoadThatIsTooOldIsNotJoined(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, old := newEngine(), make(gate)
		next.hold(old.wait)
		c := newCache(t, next, Options{Fresh: 5 * time.Second, LoadTimeout: time.Minute})
		slow := begin(t.Context(), c, scope, query())
		synctest.Wait()

		time.Sleep(5*time.Second - 1)
		joining := begin(t.Context(), c, scope, query())
		synctest.Wait()
		next.wantSearches(t, 1, 1)

		time.Sleep(time.Nanosecond) // now it may miss a write that is 5 s old
		next.hold(nil)
		next.holds(26, full())
		fresh := <-begin(t.Context(), c, scope, query())
		if outcomes(fresh.result) != "engine engine" || fresh.result.Count.Total != 26 {
			t.Errorf("a late caller: %s, total %d", outcomes(fresh.result), fresh.result.Count.Total)
		}
		close(old)
		for _, done := range []<-chan answerOf{slow, joining} {
			if a := <-done; a.err != nil {
				t.Errorf("those who waited for the old load: %v", a.err)
			}
		}
	})
}

func TestALoadThatBeganEarlierDoesNotReplaceALaterOne(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, old := newEngine(), make(gate)
		var late atomic.Bool
		next.hold(func(ctx context.Context, q search.Query) error {
			if late.Load() {
				return nil
			}
			return old.wait(ctx, q)
		})
		c := newCache(t, next, Options{})
		slow := begin(t.Context(), c, scope, query())
		synctest.Wait()
		time.Sleep(time.Second)

		late.Store(true)
		next.holds(26, full())
		if a := <-begin(WithMaxAge(t.Context(), 0), c, scope, query()); a.result.Count.Total != 26 {
			t.Errorf("revalidated: total %d, %v", a.result.Count.Total, a.err)
		}
		next.holds(25, full()) // what the slow one saw
		close(old)
		if a := <-slow; a.result.Count.Total != 25 || a.result.Count.Provenance.Stored {
			t.Errorf("the slow one: %+v", a.result.Count)
		}
		if r := mustSearch(t, c, scope, query()); r.Count.Total != 26 {
			t.Errorf("kept is %d, want the later 26", r.Count.Total)
		}
	})
}

func TestClosingEndsTheLoads(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		next.hold(make(gate).wait) // never opened
		c := newCache(t, next, Options{})
		done := begin(t.Context(), c, scope, query())
		synctest.Wait()
		c.Close()
		if a := <-done; !errors.Is(a.err, search.ErrUnavailable) || errors.Is(a.err, context.Canceled) {
			t.Errorf("Search: %v", a.err)
		}
	})
}

func TestAPanicOfTheEngineReachesItsCallers(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newEngine()
	next.hold(func(context.Context, search.Query) error { panic("broken engine") })
	c := newCache(t, next, Options{})
	for range 2 { // a key whose load panicked can be loaded again
		func() {
			defer func() {
				p, ok := recover().(error)
				if !ok || !strings.Contains(p.Error(), "broken engine") || !strings.Contains(p.Error(), "load_test.go") {
					t.Errorf("recovered %v, want the engine's panic and where it came from", p)
				}
			}()
			_, err := c.Search(t.Context(), scope, query())
			t.Errorf("Search returned %v", err)
		}()
	}
}

func TestAnEngineThatEndsItsGoroutineIsAnError(t *testing.T) {
	next := newEngine()
	next.hold(func(context.Context, search.Query) error { runtime.Goexit(); return nil })
	c := newCache(t, next, Options{})
	if _, err := c.Search(t.Context(), tenancytest.Scope(t, 1), query()); !errors.Is(err, errCallExited) {
		t.Errorf("Search: %v", err)
	}
}
