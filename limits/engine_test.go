package limits

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
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func newEngine(tb testing.TB, most int) *Engine {
	tb.Helper()
	e, err := NewEngine(EngineOptions{MaxLoads: most})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func of(ctx context.Context, company int, account string) context.Context {
	return tenancy.WithCaller(ctx, tenancy.Caller{
		Account: tenancy.Account{Issuer: "issuer", Subject: account}, Company: tenancy.CompanyID(company),
	})
}

// flood starts loads of a caller that each take a time, and counts how they end.
type flood struct {
	done                  sync.WaitGroup
	mu                    sync.Mutex
	answered, own, others int
	slowestRefusal        time.Duration
}

func (f *flood) start(ctx context.Context, e *Engine, n, cost int, takes time.Duration) {
	for range n {
		f.done.Go(func() {
			began := time.Now()
			_, err := e.do(ctx, cost, func() error { time.Sleep(takes); return nil })
			f.mu.Lock()
			defer f.mu.Unlock()
			switch {
			case err == nil:
				f.answered++
				return
			case errors.Is(err, search.ErrTooManyLoads):
				f.own++
			case errors.Is(err, search.ErrBusy):
				f.others++
			}
			f.slowestRefusal = max(f.slowestRefusal, time.Since(began))
		})
	}
}

func TestWhatDoesNotFitIsRefusedAtOnceAndTheRestIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, 8)
		var all flood
		for i := range 1000 {
			all.start(of(t.Context(), i, "a"), e, 1, 1, 100*time.Millisecond)
		}
		synctest.Wait()
		all.mu.Lock()
		if all.own > 0 || all.others != 1000-8-e.length() || all.slowestRefusal != 0 {
			t.Errorf("of %d accounts %d were refused after %s, %d for their own loads", 1000, all.others, all.slowestRefusal, all.own)
		}
		all.mu.Unlock()
		all.done.Wait()
		if all.answered != 1000-all.others || all.answered < 8+minQueue {
			t.Errorf("%d answered, %d refused", all.answered, all.others)
		}
		if len(e.companies) != 0 || e.length() != 0 || e.limiter.Inflight() != 0 {
			t.Errorf("%d companies are kept, %d wait, %d run", len(e.companies), e.length(), e.limiter.Inflight())
		}
	})
}

func TestAnAccountWithAThousandSlowLoadsLeavesHalfToOthersAndIsTheOneThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, 8)
		var greedy, polite flood
		greedy.start(of(t.Context(), 1, "greedy"), e, 1000, 1, time.Hour)
		synctest.Wait()
		if n := e.limiter.Inflight(); n != 4 {
			t.Errorf("%d of 8 are in use", n)
		}
		began := time.Now()
		// An account of the same company, and one of another.
		polite.start(of(t.Context(), 1, "polite"), e, 1, 1, time.Millisecond)
		polite.start(of(t.Context(), 2, "polite"), e, 1, 1, time.Millisecond)
		polite.done.Wait()
		if polite.answered != 2 || time.Since(began) != time.Millisecond {
			t.Errorf("%d polite loads were answered in %s", polite.answered, time.Since(began))
		}
		greedy.done.Wait()
		if greedy.answered != 4 || greedy.own != 996 || greedy.others != 0 {
			t.Errorf("greedy: %d answered, %d refused for its own, %d for others' loads", greedy.answered, greedy.own, greedy.others)
		}
	})
}

func TestCompaniesGetEqualPartsHoweverManyAccountsTheyHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, 4)
		var large, small flood
		for i := range 400 {
			large.start(of(t.Context(), 1, strconv.Itoa(i)), e, 1, 1, 50*time.Millisecond)
		}
		synctest.Wait()
		for i := range 8 {
			small.start(of(t.Context(), 2, strconv.Itoa(i)), e, 1, 1, 50*time.Millisecond)
		}
		small.done.Wait()
		if small.answered != 8 {
			t.Errorf("of the small company %d were answered; %d and %d refused", small.answered, small.own, small.others)
		}
		large.done.Wait()
	})
}

func TestDearLoadsOfAnAccountTakeTheTurnsOfManyCheapOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, 4)
		ctx := t.Context()
		// All room is taken, so that the order of the queue decides.
		var blocking flood
		for i := range 4 {
			blocking.start(of(ctx, 10+i, "blocks"), e, 1, 1, 10*time.Millisecond)
		}
		synctest.Wait()
		var mu sync.Mutex
		var order []string
		var done sync.WaitGroup
		load := func(name string, company, cost int) {
			done.Go(func() {
				_, err := e.do(of(ctx, company, name), cost, func() error {
					mu.Lock()
					order = append(order, name)
					mu.Unlock()
					time.Sleep(10 * time.Millisecond)
					return nil
				})
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			synctest.Wait()
		}
		for range 3 {
			load("dear", 1, 4)
		}
		for range 8 {
			load("cheap", 2, 1)
		}
		done.Wait()
		blocking.done.Wait()
		cheap := 0
		for _, name := range order[:6] {
			if name == "cheap" {
				cheap++
			}
		}
		if cheap < 4 {
			t.Errorf("the first six were %v", order[:6])
		}
	})
}

func TestALoadWaitsForItsTurnAndNoLongerThanTheQueueAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, 4)
		var under flood
		for i := range 4 {
			under.start(of(t.Context(), i, "a"), e, 1, 1, time.Hour)
		}
		synctest.Wait()
		began := time.Now()
		_, err := e.do(of(t.Context(), 9, "late"), 1, func() error { t.Error("it has begun"); return nil })
		if !errors.Is(err, search.ErrBusy) || !errors.Is(err, search.ErrUnavailable) || time.Since(began) != DefaultQueueWait {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(of(t.Context(), 9, "gone"))
		var gone error
		var done sync.WaitGroup
		done.Go(func() { _, gone = e.do(ctx, 1, func() error { return nil }) })
		synctest.Wait()
		cancel()
		done.Wait()
		if !errors.Is(gone, context.Canceled) || e.length() != 0 {
			t.Errorf("who left got %v, %d wait", gone, e.length())
		}
		under.done.Wait()
	})
}

func TestWithoutALimitNothingWaits(t *testing.T) {
	e, err := NewEngine(EngineOptions{})
	if waited, got := e.do(t.Context(), 1000, func() error { return nil }); err != nil || got != nil || waited != 0 {
		t.Errorf("%v, %v after %s", err, got, waited)
	}
}

// Whatever comes, no more runs than the limit or one load, nothing is left over, and
// a load either runs or is refused.
func TestTheEngineCountsWhatRunsWhateverComes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type kind struct {
			company, cost int
			account       string
			takes         time.Duration
			leaves        bool
		}
		kinds := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) kind {
			return kind{
				rapid.IntRange(1, 3).Draw(rt, "company"), rapid.IntRange(1, 9).Draw(rt, "cost"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "account"),
				time.Duration(rapid.IntRange(0, 700).Draw(rt, "takes")) * time.Millisecond, rapid.Bool().Draw(rt, "leaves"),
			}
		}), 1, 80).Draw(rt, "loads")
		synctest.Test(t, func(t *testing.T) {
			e := newEngine(t, 6)
			var done sync.WaitGroup
			ran, refused := 0, 0
			var mu sync.Mutex
			for _, k := range kinds {
				done.Go(func() {
					ctx, cancel := context.WithCancel(of(context.Background(), k.company, k.account))
					defer cancel()
					if k.leaves {
						time.AfterFunc(k.takes/2, cancel)
					}
					_, err := e.do(ctx, k.cost, func() error {
						if n := e.limiter.Inflight(); n > 6 {
							t.Errorf("%d run", n)
						}
						time.Sleep(k.takes)
						return nil
					})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						ran++
					} else {
						refused++
					}
				})
			}
			done.Wait()
			if ran+refused != len(kinds) || ran == 0 && !kinds[0].leaves || e.length() != 0 || e.limiter.Inflight() != 0 || len(e.companies) != 0 {
				t.Errorf("%d of %d ran, %d refused; %d wait, %d run, %d companies", ran, len(kinds), refused, e.length(), e.limiter.Inflight(), len(e.companies))
			}
		})
	})
}

func TestALoadThatPanicsGivesItsPlaceBack(t *testing.T) {
	e := newEngine(t, 4)
	func() {
		defer func() { _ = recover() }()
		_, _ = e.do(t.Context(), 3, func() error { panic("fault") })
	}()
	if e.limiter.Inflight() != 0 || len(e.companies) != 0 {
		t.Errorf("%d run, %d companies", e.limiter.Inflight(), len(e.companies))
	}
}

func TestDearSearchesCostMore(t *testing.T) {
	narrow := tenancytest.Scope(t, 1)
	var ids []tenancy.CompanyID
	for i := range wideScope + 1 {
		ids = append(ids, tenancy.CompanyID(i+1))
	}
	wide := tenancytest.Scope(t, ids...)
	word := func(text string) search.Filter {
		k, err := keyword.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return search.Filter{Keyword: k}
	}
	plain := searchCost(narrow, search.Query{})
	for name, cost := range map[string]int{
		"keyword":   searchCost(narrow, search.Query{Filter: word("anna")}),
		"deep page": searchCost(narrow, search.Query{Offset: 50_000}),
		"wide":      searchCost(wide, search.Query{}),
		"summary":   summaryCost + filterCost(narrow, search.Filter{}),
		"export":    exportCost + filterCost(narrow, search.Filter{}),
	} {
		if cost <= plain {
			t.Errorf("%s costs %d, a page %d", name, cost, plain)
		}
	}
	if short, long := searchCost(narrow, search.Query{Filter: word("an")}), searchCost(narrow, search.Query{Filter: word("anna")}); short <= long {
		t.Errorf("a short word costs %d, a long one %d", short, long)
	}
}

func TestAFailingEngineIsAskedOnceASecondUntilItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, 8)
		asked, down := 0, true
		load := func() error {
			asked++
			if down {
				return search.ErrUnavailable
			}
			return nil
		}
		const searches, every = 600, 100 * time.Millisecond // for a minute
		for range searches {
			if _, err := e.do(t.Context(), 1, load); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("error %v", err)
			}
			time.Sleep(every)
		}
		if asked > engineFailures+60 || asked < engineFailures+40 {
			t.Errorf("a failing engine was asked %d times in a minute", asked)
		}
		down = false
		time.Sleep(2 * time.Second)
		for range 3 {
			if _, err := e.do(t.Context(), 1, load); err != nil {
				t.Errorf("after the outage: %v", err)
			}
		}
	})
}

func TestAnEngineThatAnswersSomeSearchesIsAskedForAll(t *testing.T) {
	e := newEngine(t, 8)
	asked := 0
	for i := range 200 {
		_, _ = e.do(t.Context(), 1, func() error {
			if asked++; i%4 == 0 {
				return nil
			}
			return search.ErrUnavailable
		})
	}
	if asked != 200 {
		t.Errorf("asked %d times for 200 searches", asked)
	}
}

func TestSlowSearchesOfOneCallerDoNotStopThoseOfOthers(t *testing.T) {
	e := newEngine(t, 8)
	for range 100 {
		_, _ = e.do(t.Context(), 1, func() error { return search.ErrTimeout })
	}
	if _, err := e.do(t.Context(), 1, func() error { return nil }); err != nil {
		t.Error(err)
	}
}
