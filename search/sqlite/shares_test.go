package sqlite

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func as(ctx context.Context, name string) context.Context {
	return tenancy.WithCaller(ctx, tenancy.Caller{Account: tenancy.Account{Issuer: "issuer", Subject: name}})
}

// entering calls enter in a goroutine; the channel delivers the slot when it is
// granted.
func entering(ctx context.Context, s *shares) <-chan *slot {
	got := make(chan *slot, 1)
	go func() {
		if p, err := s.enter(ctx); err == nil {
			got <- p
		}
	}()
	return got
}

// granted reports whether the slot was granted once all goroutines are blocked.
func granted(got <-chan *slot) bool {
	synctest.Wait()
	return len(got) > 0
}

func TestAnAccountLeavesConnectionsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares(4, 2)
		var all []<-chan *slot
		for range 6 {
			all = append(all, entering(as(t.Context(), "greedy"), s))
			synctest.Wait() // in this order
		}
		if !granted(all[0]) || !granted(all[1]) || granted(all[2]) {
			t.Fatal("want two of the account's searches under way")
		}
		other := entering(as(t.Context(), "other"), s)
		if !granted(other) {
			t.Fatal("another account waits")
		}
		s.leave(<-other)
		for _, got := range all {
			if !granted(got) {
				t.Fatal("a search of the account never gets its turn")
			}
			s.leave(<-got)
		}
	})
}

func TestAnAccountThatHasHadMuchGetsLessAndComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares(4, 2)
		first := entering(as(t.Context(), "heavy"), s)
		second := entering(as(t.Context(), "heavy"), s)
		synctest.Wait()
		time.Sleep(time.Second)
		s.leave(<-first)
		if third := entering(as(t.Context(), "heavy"), s); granted(third) {
			t.Error("a heavy account has two connections")
		}
		s.leave(<-second)
		// The third runs. Of those who wait now, the light account comes first.
		blockers := []<-chan *slot{entering(as(t.Context(), "a"), s), entering(as(t.Context(), "b"), s), entering(t.Context(), s)}
		for i, got := range blockers {
			if !granted(got) {
				t.Fatalf("blocker %d waits", i)
			}
		}
		again := entering(as(t.Context(), "heavy"), s)
		synctest.Wait()
		light := entering(as(t.Context(), "light"), s)
		nobody := entering(t.Context(), s)
		synctest.Wait()
		s.leave(<-blockers[0])
		if !granted(nobody) || granted(light) || granted(again) {
			t.Error("what is for no account does not come first")
		}
		s.leave(<-nobody)
		if !granted(light) || granted(again) {
			t.Error("a light account waits for a heavy one")
		}
	})
}

func TestWhatAnAccountHasHadIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares(4, 2)
		one, err := s.enter(as(t.Context(), "a"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		s.leave(one)
		time.Sleep(10 * halfLife)
		first, second := entering(as(t.Context(), "a"), s), entering(as(t.Context(), "a"), s)
		if !granted(first) || !granted(second) {
			t.Error("the account is still heavy")
		}
	})
}

func TestWhoLeavesTheQueueTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares(1, 1)
		one, err := s.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(as(t.Context(), "a"))
		left := make(chan error, 1)
		go func() { _, err := s.enter(ctx); left <- err }()
		next := entering(as(t.Context(), "b"), s)
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		s.leave(one)
		if !granted(next) {
			t.Error("the next one waits")
		}
	})
}

func TestConnectionsAreSharedWithoutLoss(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		connections := rapid.IntRange(1, 8).Draw(r, "connections")
		s := newShares(connections, rapid.IntRange(1, 8).Draw(r, "processors"))
		now := time.Unix(0, 0)
		s.now = func() time.Time { return now }
		var waiting []*slot
		for range rapid.IntRange(1, 80).Draw(r, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 500).Draw(r, "ms")) * time.Millisecond)
			if len(s.running) > 0 && rapid.Bool().Draw(r, "leave") {
				s.leave(s.running[rapid.IntRange(0, len(s.running)-1).Draw(r, "which")])
			} else {
				p := &slot{granted: make(chan struct{}), counted: rapid.IntRange(0, 5).Draw(r, "counted") > 0}
				p.account.Subject = strconv.Itoa(rapid.IntRange(0, 3).Draw(r, "account"))
				s.waiting = append(s.waiting, p)
				waiting = append(waiting, p)
				s.grant()
			}
			if len(s.running)+s.free != connections {
				r.Fatalf("%d run, %d are free, of %d", len(s.running), s.free, connections)
			}
			if len(s.running) == 0 && len(s.waiting) > 0 {
				r.Fatal("all wait for nobody")
			}
		}
		for len(s.running) > 0 {
			s.leave(s.running[0])
		}
		if len(s.waiting) > 0 {
			r.Fatalf("%d wait for ever", len(s.waiting))
		}
		for _, p := range waiting {
			select {
			case <-p.granted:
			default:
				r.Fatal("a turn was lost")
			}
		}
	})
}

// The searches of one account run as long as the test.
func TestOneAccountsSearchesHoldUpNeitherOthersNorReadiness(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 4})
	write(t, s, newSession(t, "a", 1, nil))
	ctx, cancel := context.WithCancel(as(t.Context(), "greedy"))
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			_ = s.readers.use(ctx, func(r *reader) error { // ends with the context
				_, err := r.number(ctx, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
				return err
			})
		})
	}
	defer all.Wait()
	defer cancel()
	for running := 0; running < 2; {
		s.readers.shares.mu.Lock()
		running = len(s.readers.shares.running)
		s.readers.shares.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	got, err := s.Search(as(t.Context(), "other"), tenancytest.Scope(t, 1), search.Query{Sort: search.DefaultSort(), Limit: 1})
	if err != nil || got.Count.Total != 1 {
		t.Errorf("another account: count %d, error %v", got.Count.Total, err)
	}
	if _, err := s.Load(t.Context()); err != nil {
		t.Errorf("the directory: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("readiness: %v", err)
	}
}
