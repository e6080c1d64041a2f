package cache

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// stepped is a time whose wall clock was set by d and whose monotonic clock, as
// the runtime's, was not: what Add moves is only shown by what has no monotonic
// reading.
func stepped(t time.Time, d time.Duration) time.Time { return t.Round(0).Add(d) }

func TestAnEntryFromTheFutureIsNotServedAndGivesWay(t *testing.T) {
	scope, next := tenancytest.Scope(t, 1), newEngine()
	c := newCache(t, next, Options{Fresh: time.Minute})
	k := countKey(c, scope, query())
	future := &entry[count]{meta: meta{key: k, loadedAt: stepped(time.Now(), time.Hour)}, value: 99}
	if c.freshness(future, scope, time.Now()) != expired {
		t.Error("it is good for something")
	}
	c.memory.entries.Set(k, future) // as it is there after the wall clock stepped back
	for _, want := range []string{"engine engine", "memory memory"} {
		if r := mustSearch(t, c, scope, query()); outcomes(r) != want || r.Count.Total != 25 {
			t.Errorf("%s, total %d, want %s", outcomes(r), r.Count.Total, want)
		}
	}
}

func TestWhatCameFromRedisAgesByTheMonotonicClock(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	c := newCache(t, newEngine(), Options{Fresh: time.Minute})
	s, err := newShared(newDouble(), redisstore.DefaultBudget, testOptions(Options{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	k := countKey(c, scope, query())
	began := time.Now()
	value := s.ring.seal(k, appendEntry(nil, &entry[count]{meta: meta{key: k, loadedAt: began.Add(-time.Second)}, value: 1}))
	e, err := s.read(k, countKind{}, value)
	if err != nil {
		t.Fatal(err)
	}
	loadedAt := e.about().loadedAt
	if loadedAt == loadedAt.Round(0) { //nolint:staticcheck // Equal does not look whether there is a monotonic reading
		t.Error("it has no reading of the monotonic clock: a step of the wall clock makes it young again")
	}
	if age := began.Sub(loadedAt); age < 0 || age > time.Minute {
		t.Errorf("its age is %s", age)
	}
}

func TestAStepOfTheWallClockEndsNoPauseLaterAndNoneSooner(t *testing.T) {
	now := time.Now()
	var m lastTime
	if m.within(time.Hour, now) {
		t.Error("what never was is not long ago")
	}
	m.set(now)
	if !m.within(time.Second, now.Add(time.Second-1)) || m.within(time.Second, now.Add(time.Second)) {
		t.Error("a pause of a second takes another time")
	}
	if stored := *m.at.Load(); stored == stored.Round(0) { //nolint:staticcheck // as above
		t.Error("it has no reading of the monotonic clock")
	}
}

// wall is a clock that can step.
type wall struct {
	mu sync.Mutex
	by time.Duration
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Round(0).Add(w.by)
}

func (w *wall) step(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by += by
}

// Even where there is no monotonic clock, nothing is served from the future, and
// what is loaded after the step is kept.
func TestAfterAStepBackAnswersAreLoadedAndStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, clock := newEngine(), &wall{}
		c := newCache(t, next, Options{Fresh: 5 * time.Second, now: clock.now})
		mustSearch(t, c, scope, query())
		clock.step(-time.Hour)
		next.holds(26, search.Page{Rows: rows(10), More: true})
		for _, want := range []string{"engine engine", "memory memory"} {
			if r := mustSearch(t, c, scope, query()); outcomes(r) != want || r.Count.Total != 26 {
				t.Errorf("%s, total %d, want %s", outcomes(r), r.Count.Total, want)
			}
		}
	})
}
