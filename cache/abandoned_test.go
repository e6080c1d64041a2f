package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// cancellations holds searches back for ever, and counts those that are
// cancelled.
type cancellations struct{ atomic.Int64 }

func (n *cancellations) wait(ctx context.Context, _ search.Query) error {
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.Canceled) {
		n.Add(1)
	}
	return ctx.Err()
}

func TestALoadThatNobodyWaitsForIsCancelledAfterASecond(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, cancelled := newEngine(), &cancellations{}
		next.hold(cancelled.wait)
		c := newCache(t, next, Options{LoadTimeout: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		first, second := begin(ctx, c, scope, query()), begin(ctx, c, scope, query())
		synctest.Wait()
		cancel()
		<-first
		<-second
		time.Sleep(abandonedAfter - 1)
		if n := cancelled.Load(); n != 0 {
			t.Errorf("%d were cancelled at once", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := cancelled.Load(); n != 2 { // count and page
			t.Errorf("%d were cancelled, want both", n)
		}
		next.hold(nil)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("who comes then: %s", got)
		}
	})
}

func TestWhoJoinsALoadWithinTheSecondSavesIt(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{LoadTimeout: time.Hour, Fresh: time.Hour})
		for range 3 { // each time anew
			ctx, cancel := context.WithCancel(t.Context())
			gone := begin(ctx, c, scope, query())
			synctest.Wait()
			cancel()
			<-gone
			time.Sleep(abandonedAfter - 1)
		}
		saved := begin(t.Context(), c, scope, query())
		time.Sleep(10 * abandonedAfter)
		close(held)
		if a := <-saved; a.err != nil || outcomes(a.result) != "shared shared" {
			t.Errorf("%s, %v", outcomes(a.result), a.err)
		}
		next.wantSearches(t, 1, 1)
	})
}

func TestALoadGoesOnWhileOneOfItsCallersWaits(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{LoadTimeout: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		gone := begin(ctx, c, scope, query())
		synctest.Wait()
		stays := begin(t.Context(), c, scope, query())
		synctest.Wait()
		cancel()
		<-gone
		time.Sleep(10 * abandonedAfter)
		close(held)
		if a := <-stays; a.err != nil || outcomes(a.result) != "shared shared" {
			t.Errorf("%s, %v", outcomes(a.result), a.err)
		}
	})
}

func TestTheOtherPartOfASearchThatFailedIsCancelled(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, cancelled := newEngine(), &cancellations{}
		next.hold(func(ctx context.Context, q search.Query) error {
			if q.WithoutItems {
				return search.ErrUnavailable
			}
			return cancelled.wait(ctx, q)
		})
		c := newCache(t, next, Options{LoadTimeout: time.Hour})
		if a := <-begin(t.Context(), c, scope, query()); !errors.Is(a.err, search.ErrUnavailable) {
			t.Errorf("Search: %v", a.err)
		}
		time.Sleep(abandonedAfter)
		synctest.Wait()
		if n := cancelled.Load(); n != 1 {
			t.Errorf("%d were cancelled, want the page", n)
		}
	})
}

func TestARenewalIsNotCancelledThoughNobodyWaitsForIt(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		c, _ := followedCache(t, next, Options{Fresh: time.Second, LoadTimeout: time.Hour})
		mustSearch(t, c, scope, query())
		time.Sleep(2 * time.Second)
		next.hold(held.wait)
		mustSearch(t, c, scope, query()) // served, and renewed
		time.Sleep(10 * abandonedAfter)
		next.holds(26, full())
		close(held)
		synctest.Wait()
		if r := mustSearch(t, c, scope, query()); r.Count.Total != 26 {
			t.Errorf("total %d: it was not renewed", r.Count.Total)
		}
	})
}

func TestWhoAsksAgainAfterOnePartHasFailedSharesNoFailureOfTheOther(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, failing := newEngine(), make(gate)
		next.hold(func(ctx context.Context, q search.Query) error {
			if !q.WithoutCount {
				return search.ErrUnavailable
			}
			if err := failing.wait(ctx, q); err != nil {
				return err
			}
			return search.ErrUnavailable
		})
		c := newCache(t, next, Options{LoadTimeout: time.Hour})
		if _, err := c.Search(t.Context(), scope, query()); !errors.Is(err, search.ErrUnavailable) {
			t.Fatalf("error %v", err)
		}
		next.hold(nil) // the page of the first search has yet to fail
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("who asks again: %s", got)
		}
		close(failing)
		synctest.Wait()
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("when that has failed: %s", got)
		}
	})
}
