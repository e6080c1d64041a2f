package limits

import (
	"context"
	"errors"
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

func mustAdmit(t *testing.T, l *Loads, name string, n int) (release func()) {
	t.Helper()
	release, err := l.Admit(as(t.Context(), name), n)
	if err != nil {
		t.Fatalf("%s was refused: %v", name, err)
	}
	return release
}

func TestLoadsAreBoundedForEachAccountByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoads(3)
		first := mustAdmit(t, l, "a", 2)
		mustAdmit(t, l, "a", 1)
		mustAdmit(t, l, "b", 3)
		began := time.Now()
		if _, err := l.Admit(as(t.Context(), "a"), 1); !errors.Is(err, search.ErrTooManyLoads) || time.Since(began) != Patience {
			t.Errorf("a fourth: %v after %s", err, time.Since(began))
		}
		if _, ok := l.TryAdmit(as(t.Context(), "a"), 1); ok {
			t.Error("a fourth was admitted that does not wait")
		}
		first()
		mustAdmit(t, l, "a", 1)
	})
}

func TestWhoWaitsIsAdmittedInTurnAndAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoads(2)
		release := mustAdmit(t, l, "a", 2)
		var pair, one sync.WaitGroup
		var afterPair func()
		pair.Go(func() { afterPair = mustAdmit(t, l, "a", 2) })
		synctest.Wait()
		var late error
		one.Go(func() { _, late = l.Admit(as(t.Context(), "a"), 1) })
		synctest.Wait()
		release()
		synctest.Wait()
		if _, ok := l.TryAdmit(as(t.Context(), "a"), 1); ok {
			t.Error("the room that others wait for was taken")
		}
		release()
		pair.Wait()
		one.Wait()
		if !errors.Is(late, search.ErrTooManyLoads) {
			t.Errorf("who came last: %v", late)
		}
		afterPair()
		mustAdmit(t, l, "a", 1)
	})
}

func TestWhoGivesUpLetsThoseBehindIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoads(2)
		mustAdmit(t, l, "a", 1)
		ctx, cancel := context.WithCancel(as(t.Context(), "a"))
		var gone error
		var waits sync.WaitGroup
		waits.Go(func() { _, gone = l.Admit(ctx, 2) })
		synctest.Wait()
		waits.Go(func() { mustAdmit(t, l, "a", 1) })
		synctest.Wait()
		cancel()
		waits.Wait()
		if !errors.Is(gone, context.Canceled) {
			t.Errorf("who left: %v", gone)
		}
	})
}

func TestMoreThanTheBoundBeginsAlone(t *testing.T) {
	l := NewLoads(2)
	release := mustAdmit(t, l, "a", 3)
	for range 3 {
		release()
	}
	mustAdmit(t, l, "a", 2)
}

func TestWithoutABoundOrAnAccountNothingIsCounted(t *testing.T) {
	for name, try := range map[string]func() error{
		"no bound":   func() error { _, err := NewLoads(0).Admit(as(t.Context(), "a"), 1000); return err },
		"no account": func() error { _, err := NewLoads(2).Admit(t.Context(), 1000); return err },
	} {
		for range 10 {
			if err := try(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestNoAccountEverHasMoreLoadsThanItMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(2, 5).Draw(t, "most")
		l, names := NewLoads(most), []string{"a", "b"}
		held := map[string][]func(){}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			name := rapid.SampledFrom(names).Draw(t, "account")
			if rapid.Bool().Draw(t, "one ends") {
				if len(held[name]) > 0 {
					held[name][0]()
					held[name] = held[name][1:]
				}
				continue
			}
			n := rapid.IntRange(1, 2).Draw(t, "loads")
			release, ok := l.TryAdmit(as(context.Background(), name), n)
			if want := len(held[name])+n <= most; ok != want {
				t.Fatalf("%d loads beside %d of %d: admitted %v", n, len(held[name]), most, ok)
			}
			for i := 0; ok && i < n; i++ {
				held[name] = append(held[name], release)
			}
		}
		for _, name := range names {
			for _, release := range held[name] {
				release()
			}
		}
		if len(l.accounts) != 0 {
			t.Fatalf("%d accounts are kept that have no load", len(l.accounts))
		}
	})
}

// engine answers when its gate is open.
type engine struct{ gate chan struct{} }

func (e engine) Search(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
	<-e.gate
	return search.Result{}, nil
}

func (e engine) Summarize(context.Context, tenancy.Scope, search.SummaryQuery) (search.Summary, error) {
	<-e.gate
	return search.Summary{}, nil
}

func TestWithoutACacheSearchesAndSummariesAreLoads(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		l, next := NewLoads(3), engine{make(chan struct{})}
		var under sync.WaitGroup
		ctx := as(t.Context(), "a")
		under.Go(func() { _, _ = l.Searcher(next).Search(ctx, scope, search.Query{}) })
		under.Go(func() { _, _ = l.Summarizer(next).Summarize(ctx, scope, search.SummaryQuery{}) })
		synctest.Wait()
		_, err1 := l.Searcher(next).Search(ctx, scope, search.Query{WithoutCount: true})
		_, err2 := l.Summarizer(next).Summarize(ctx, scope, search.SummaryQuery{})
		if !errors.Is(err1, search.ErrTooManyLoads) || !errors.Is(err2, search.ErrTooManyLoads) {
			t.Errorf("beyond the bound: %v, %v", err1, err2)
		}
		close(next.gate)
		under.Wait()
		if _, err := l.Searcher(next).Search(ctx, scope, search.Query{}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if len(l.accounts) != 0 {
			t.Errorf("%d accounts are kept", len(l.accounts))
		}
	})
}
