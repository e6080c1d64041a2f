package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestAnEmptyAnswerIsServedBrieflyAndNeverStale(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		next.holds(0, search.Page{})
		c, _ := followedCache(t, next, Options{Fresh: time.Minute})
		if r := mustSearch(t, c, scope, query()); r.Page.Provenance.TTL != emptyFresh || r.Count.Provenance.TTL != emptyFresh {
			t.Errorf("count %+v, page %+v", r.Count.Provenance, r.Page.Provenance)
		}
		time.Sleep(emptyFresh - 1)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("just fresh: %s", got)
		}
		next.hold(func(context.Context, search.Query) error { return search.ErrUnavailable })
		time.Sleep(time.Nanosecond)
		if _, err := c.Search(t.Context(), scope, query()); !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("no longer fresh, the engine being down: %v", err)
		}
	})
}

func TestFreshnessEndsAtDifferentTimesAndNoneTooLate(t *testing.T) {
	life := testOptions(Options{Fresh: 10 * time.Second, Jitter: 0.1}).lifetimes()
	scope, seen := tenancytest.Scope(t, 1), map[time.Duration]bool{}
	shortest, longest := time.Hour, time.Duration(0)
	for i := range 1000 {
		m := meta{key: newKeyspace("", "").bind(pageKind{}, scope, queryAt(i%250).PageKey()), loadedAt: time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond)}
		fresh := life.freshUntil(&entry[count]{meta: m, value: 1})
		if fresh != life.freshUntil(&entry[count]{meta: m, value: 2}) {
			t.Fatal("another gateway gives it another life")
		}
		seen[fresh] = true
		shortest, longest = min(shortest, fresh), max(longest, fresh)
	}
	if shortest < 9*time.Second || longest > 10*time.Second || longest-shortest < 900*time.Millisecond || len(seen) < 100 {
		t.Errorf("%d different lives of %v to %v", len(seen), shortest, longest)
	}
}

// A page of more than a megabyte would push out hundreds of others.
func TestAPageOverAMegabyteIsAnsweredAndNotStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	for size, want := range map[int]string{1000 << 10: "memory memory", 1 << 20: "memory engine"} {
		next := newEngine()
		next.holds(25, search.Page{More: true, Rows: []search.Row{{CompanyID: 1, JSON: make([]byte, size)}}})
		c := newCache(t, next, Options{})
		mustSearch(t, c, scope, query())
		if got := outcomes(mustSearch(t, c, scope, query())); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
	}
}
