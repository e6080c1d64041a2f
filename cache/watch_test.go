package cache

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// watchedIndex is one whose version a test sets; "" fails.
type watchedIndex struct{ version atomic.Pointer[string] }

func newWatchedIndex() *watchedIndex {
	i := &watchedIndex{}
	i.is("first")
	return i
}

func (i *watchedIndex) is(version string) { i.version.Store(&version) }

func (i *watchedIndex) Version(context.Context) (string, error) {
	if v := *i.version.Load(); v != "" {
		return v, nil
	}
	return "", search.ErrUnavailable
}

const watchEvery = 5 * time.Second

func TestAnUnannouncedChangeMakesAllThatIsOlderStale(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next := newWatchedIndex(), newEngine()
		c, _ := followedCache(t, next, Options{Fresh: time.Minute, Watch: invalidation.Watch{Version: index.Version, Every: watchEvery}})
		mustSearch(t, c, scope, query())
		time.Sleep(2*watchEvery + time.Second) // between two looks
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("nothing has moved: %s", got)
		}
		index.is("second")
		next.holds(26, full())
		time.Sleep(watchEvery)
		synctest.Wait()
		if r := mustSearch(t, c, scope, query()); outcomes(r) != "engine engine" || r.Count.Total != 26 {
			t.Errorf("after it moved: %s, total %d", outcomes(r), r.Count.Total)
		}
		time.Sleep(watchEvery)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("what was loaded since: %s", got)
		}
	})
}

func TestAnAnnouncedChangeLeavesOthersTheirFreshness(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next := newWatchedIndex(), newEngine()
		c, log := followedCache(t, next, Options{Fresh: 20 * time.Second, Watch: invalidation.Watch{Version: index.Version, Every: watchEvery}})
		time.Sleep(time.Second) // between two looks
		mustSearch(t, c, scope, query())
		index.is("second")
		log.publish(2)
		time.Sleep(20*time.Second - 1)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("fresh: %s", got)
		}
		time.Sleep(time.Nanosecond)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("no longer fresh, and it may be what has changed: %s", got)
		}
	})
}

func TestALoadOfBeforeTheIndexMovedIsNotJoined(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next, held := newWatchedIndex(), newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{Fresh: time.Minute, Watch: invalidation.Watch{Version: index.Version, Every: watchEvery}})
		time.Sleep(time.Second) // between two looks
		slow := begin(t.Context(), c, scope, query())
		synctest.Wait()
		index.is("second")
		time.Sleep(watchEvery)
		synctest.Wait()
		next.hold(nil)
		if a := <-begin(t.Context(), c, scope, query()); outcomes(a.result) != "engine engine" {
			t.Errorf("a later caller: %s", outcomes(a.result))
		}
		close(held)
		if a := <-slow; a.err != nil || a.result.Page.Provenance.Stored {
			t.Errorf("the slow one: %+v, %v", a.result.Page.Provenance, a.err)
		}
	})
}

func TestAnIndexThatCannotBeWatchedIsComparedWhenItCan(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		index, next := newWatchedIndex(), newEngine()
		c, _ := followedCache(t, next, Options{Fresh: time.Minute, Watch: invalidation.Watch{Version: index.Version, Every: watchEvery}})
		time.Sleep(time.Second) // between two looks
		mustSearch(t, c, scope, query())
		for _, step := range []struct{ version, want string }{{"", "memory memory"}, {"first", "memory memory"}, {"", "memory memory"}, {"second", "engine engine"}} {
			index.is(step.version)
			time.Sleep(watchEvery)
			synctest.Wait()
			if got := outcomes(mustSearch(t, c, scope, query())); got != step.want {
				t.Errorf("at version %q: %s, want %s", step.version, got, step.want)
			}
		}
	})
	if _, err := New(newEngine(), testOptions(Options{Watch: invalidation.Watch{Version: newWatchedIndex().Version}})); err == nil {
		t.Error("to look never was taken")
	}
}
