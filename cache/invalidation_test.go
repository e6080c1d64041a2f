package cache

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// fakeWait is how long a log waits for events.
const fakeWait = 500 * time.Millisecond

// fakeLog is a log in memory.
type fakeLog struct {
	mu      sync.Mutex
	epoch   string
	events  []invalidation.Event
	missing uint64 // the sequence up to which events are lost
	fault   error
	changed chan struct{}
}

func newFakeLog() *fakeLog { return &fakeLog{epoch: "a", changed: make(chan struct{})} }

func (l *fakeLog) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	n, changed, err := l.behind(at)
	if err != nil || n.Position != at.Position {
		return n, err
	}
	wait := time.NewTimer(fakeWait)
	defer wait.Stop()
	select {
	case <-changed:
	case <-wait.C:
	case <-ctx.Done():
		return invalidation.Batch{}, ctx.Err()
	}
	n, _, err = l.behind(at)
	return n, err
}

func (l *fakeLog) behind(at invalidation.Offset) (invalidation.Batch, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return invalidation.Batch{}, nil, l.fault
	}
	end := uint64(len(l.events))
	n := invalidation.Batch{Offset: invalidation.Offset{Position: invalidation.Position{Epoch: l.epoch, Sequence: end}}, Complete: end}
	if at.Epoch == l.epoch && at.Sequence >= l.missing {
		n.Complete, n.Events = at.Sequence, l.events[at.Sequence:]
	}
	return n, l.changed, nil
}

func (l *fakeLog) change(by func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	by()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *fakeLog) publish(companies ...tenancy.CompanyID) {
	l.change(func() {
		l.events = append(l.events, invalidation.Event{Sequence: uint64(len(l.events)) + 1, Companies: companies, All: len(companies) == 0})
	})
}

func (l *fakeLog) fail(err error) { l.change(func() { l.fault = err }) }

// followedCache is a cache on a log that it has read.
func followedCache(t *testing.T, next search.Searcher, o Options) (*Cache, *fakeLog) {
	t.Helper()
	l := newFakeLog()
	o.Log = l
	return newCache(t, next, o), l
}

func TestAnInvalidatedAnswerIsLoadedAnewAndOthersStayHits(t *testing.T) {
	mine, others := tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 3)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c, log := followedCache(t, next, Options{})
		mustSearch(t, c, mine, query())
		mustSearch(t, c, others, query())
		next.holds(26, full())
		log.publish(2)
		synctest.Wait()
		if r := mustSearch(t, c, mine, query()); outcomes(r) != "engine engine" || r.Count.Total != 26 {
			t.Errorf("the changed scope: %s, total %d", outcomes(r), r.Count.Total)
		}
		if r := mustSearch(t, c, others, query()); outcomes(r) != "memory memory" || r.Count.Total != 25 {
			t.Errorf("the other: %s, total %d", outcomes(r), r.Count.Total)
		}
		if got := outcomes(mustSearch(t, c, mine, query())); got != "memory memory" {
			t.Errorf("the changed scope again: %s", got)
		}
		log.publish() // all
		time.Sleep(invalidation.Step)
		synctest.Wait()
		if got := outcomes(mustSearch(t, c, others, query())); got != "engine engine" {
			t.Errorf("after an event of all: %s", got)
		}
	})
}

func TestALoadPausedAcrossAnEventIsNeitherJoinedNorServedAfterwards(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c, log := followedCache(t, next, Options{})
		slow := begin(t.Context(), c, scope, query())
		synctest.Wait()
		log.publish(1)
		synctest.Wait()
		next.hold(nil)
		next.holds(26, full())
		if a := <-begin(t.Context(), c, scope, query()); a.err != nil || a.result.Count.Total != 26 {
			t.Errorf("a caller after the event: total %d, %v", a.result.Count.Total, a.err)
		}
		next.holds(25, full()) // what the slow one had seen
		close(held)
		if a := <-slow; a.err != nil || a.result.Count.Provenance.Stored {
			t.Errorf("the slow one: %+v, %v", a.result.Count, a.err)
		}
		if r := mustSearch(t, c, scope, query()); r.Count.Total != 26 || outcomes(r) != "memory memory" {
			t.Errorf("afterwards: %s, total %d", outcomes(r), r.Count.Total)
		}
	})
}

func TestACurrentAnswerIsServedWhileItIsRenewed(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c, _ := followedCache(t, next, Options{})
		mustSearch(t, c, scope, query())
		time.Sleep(30 * time.Second)
		held := make(gate)
		next.hold(held.wait)
		next.holds(26, full())
		for range 100 { // all of them at once, none waits
			r := mustSearch(t, c, scope, query())
			if s := r.Count.Provenance; outcomes(r) != "memory memory" || r.Count.Total != 25 || s.TTL != -25*time.Second || s.Outage {
				t.Fatalf("while it is renewed: %s, %+v", outcomes(r), r.Count)
			}
		}
		synctest.Wait()
		next.wantSearches(t, 2, 2)
		close(held)
		synctest.Wait()
		if r := mustSearch(t, c, scope, query()); outcomes(r) != "memory memory" || r.Count.Total != 26 || r.Count.Provenance.TTL != testFresh {
			t.Errorf("renewed: %s, %+v", outcomes(r), r.Count)
		}
	})
}

func TestHowOldAnAnswerMayBecome(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	window := func(end time.Duration) search.Query {
		q := query()
		q.Filter.To = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(end) // synctest's clock begins then
		return q
	}
	for name, tt := range map[string]struct {
		query search.Query
		age   time.Duration
		want  string
	}{
		"up to a minute":                   {query(), time.Minute - 1, "memory memory"},
		"no more than a minute":            {query(), time.Minute, "engine engine"},
		"a window that ended yesterday":    {window(-24*time.Hour - 1), 10*time.Minute - 1, "memory memory"},
		"it no more than ten minutes":      {window(-24*time.Hour - 1), 10 * time.Minute, "engine engine"},
		"a window that ended a day ago":    {window(-24 * time.Hour), time.Minute, "engine engine"},
		"a window that is not over at all": {window(time.Hour), time.Minute, "engine engine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := followedCache(t, newEngine(), Options{})
				mustSearch(t, c, scope, tt.query)
				time.Sleep(tt.age)
				if got := outcomes(mustSearch(t, c, scope, tt.query)); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestWhileTheEngineFailsACurrentAnswerIsServed(t *testing.T) {
	scope, other := tenancytest.Scope(t, 1), tenancytest.Scope(t, 2)
	for _, outage := range []error{search.ErrUnavailable, search.ErrTimeout} {
		t.Run(outage.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := newEngine()
				c, log := followedCache(t, next, Options{})
				mustSearch(t, c, scope, query())
				mustSearch(t, c, other, query())
				next.hold(func(context.Context, search.Query) error { return outage })
				time.Sleep(5 * time.Minute)
				r := mustSearch(t, c, scope, query())
				if s := r.Page.Provenance; r.Count.Total != 25 || !s.Outage || s.Tier != tierMemory || s.TTL != testFresh-5*time.Minute {
					t.Errorf("five minutes old: %+v", s)
				}
				if _, err := c.Search(WithMaxAge(t.Context(), 0), scope, query()); !errors.Is(err, outage) {
					t.Errorf("for a caller who wants none: %v", err)
				}
				log.publish(2)
				time.Sleep(invalidation.Step)
				if _, err := c.Search(t.Context(), other, query()); !errors.Is(err, outage) {
					t.Errorf("changed: %v, want %v", err, outage)
				}
				time.Sleep(5*time.Minute - invalidation.Step)
				if _, err := c.Search(t.Context(), scope, query()); !errors.Is(err, outage) {
					t.Errorf("ten minutes old: %v, want %v", err, outage)
				}
			})
		})
	}
}

func TestOtherFailuresHaveNoStandIn(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	for _, failure := range []error{search.ErrForeignRow, search.ErrInvalidPosition, errors.New("other")} {
		synctest.Test(t, func(t *testing.T) {
			next := newEngine()
			c, _ := followedCache(t, next, Options{})
			mustSearch(t, c, scope, query())
			next.hold(func(context.Context, search.Query) error { return failure })
			time.Sleep(2 * time.Minute)
			if _, err := c.Search(t.Context(), scope, query()); !errors.Is(err, failure) {
				t.Errorf("Search: %v, want %v", err, failure)
			}
		})
	}
}

func TestAnInvalidatedAnswerIsNotServedWhileTheEngineIsDownNorWhileItIsRenewed(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c, log := followedCache(t, next, Options{})
		mustSearch(t, c, scope, query())
		time.Sleep(30 * time.Second)
		held := make(gate)
		next.hold(func(ctx context.Context, q search.Query) error {
			return errors.Join(held.wait(ctx, q), search.ErrUnavailable)
		})
		mustSearch(t, c, scope, query()) // begins to renew it
		synctest.Wait()
		log.publish(1)
		synctest.Wait()
		waiting := begin(t.Context(), c, scope, query())
		synctest.Wait()
		next.wantSearches(t, 3, 3) // it has not joined what was begun before
		close(held)
		if a := <-waiting; !errors.Is(a.err, search.ErrUnavailable) {
			t.Errorf("the engine failed, and it got %+v, %v", a.result.Count, a.err)
		}
	})
}

func TestAFailedRenewalIsNotTriedByEveryHit(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c, _ := followedCache(t, next, Options{})
		mustSearch(t, c, scope, query())
		next.hold(func(context.Context, search.Query) error { return search.ErrUnavailable })
		time.Sleep(10 * time.Second)
		for range 10 {
			mustSearch(t, c, scope, query())
			synctest.Wait()
		}
		next.wantSearches(t, 2, 2)
		time.Sleep(refreshPause)
		mustSearch(t, c, scope, query())
		synctest.Wait()
		next.wantSearches(t, 3, 3)
	})
}

func TestWithALogThatFailsOnlyFreshAnswersAreServed(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c, log := followedCache(t, next, Options{})
		mustSearch(t, c, scope, query())
		log.fail(errors.New("down"))
		time.Sleep(invalidation.Silence)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("within the invalidation.Silence that is allowed: %s", got)
		}
		time.Sleep(time.Second)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("what is older, though fresh: %s", got)
		}
		time.Sleep(testFresh - 1)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("fresh: %s", got)
		}
		time.Sleep(time.Nanosecond)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("no more than fresh: %s", got)
		}
		log.fail(nil)
		time.Sleep(2 * invalidation.LongestPause)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
			t.Errorf("the log is back, and what was loaded without it: %s", got)
		}
		time.Sleep(30 * time.Second)
		if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
			t.Errorf("loaded with it: %s", got)
		}
	})
}

func TestWithoutALogAnAnswerLivesNoLongerThanFresh(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newEngine()
		c := newCache(t, next, Options{})
		mustSearch(t, c, scope, query())
		next.hold(func(context.Context, search.Query) error { return search.ErrUnavailable })
		time.Sleep(testFresh)
		if _, err := c.Search(t.Context(), scope, query()); !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("Search: %v", err)
		}
	})
}

func TestALogThatDoesNotAnswerDoesNotHoldTheStart(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := newCache(t, newEngine(), Options{Log: deafLog{}})
		if took := time.Since(began); took > invalidation.StartTimeout {
			t.Errorf("it started after %v", took)
		}
		mustSearch(t, c, scope, query())
	})
}

type deafLog struct{}

func (deafLog) Next(ctx context.Context, _ invalidation.Offset) (invalidation.Batch, error) {
	<-ctx.Done()
	return invalidation.Batch{}, ctx.Err()
}
