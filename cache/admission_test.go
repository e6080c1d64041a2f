package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// as is a context of the account of that name.
func as(ctx context.Context, name string) context.Context {
	return tenancy.WithCaller(ctx, tenancy.Caller{Account: tenancy.Account{Issuer: "issuer", Subject: name}})
}

func TestAnAccountWithAsManyLoadsAsItMayHaveWaitsAndIsRefused(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{Admission: limits.NewLoads(4)})
		under := []<-chan answerOf{begin(as(t.Context(), "greedy"), c, scope, queryAt(0)), begin(as(t.Context(), "greedy"), c, scope, sessionOf(2))}
		synctest.Wait()
		began := time.Now()
		a := <-begin(as(t.Context(), "greedy"), c, scope, sessionOf(3))
		if !errors.Is(a.err, search.ErrTooManyLoads) || time.Since(began) != limits.Patience {
			t.Errorf("one more: %v after %s", a.err, time.Since(began))
		}
		// Who joins a load adds none; whoever else has loads of its own.
		joining := begin(as(t.Context(), "greedy"), c, scope, queryAt(0))
		other := begin(as(t.Context(), "other"), c, scope, sessionOf(4))
		synctest.Wait()
		close(held)
		for _, done := range append(under, joining, other) {
			if a := <-done; a.err != nil {
				t.Errorf("a caller got %v", a.err)
			}
		}
		// What is kept is no load.
		next.hold(make(gate).wait)
		for range 2 {
			begin(as(t.Context(), "greedy"), c, scope, sessionOf(5))
			begin(as(t.Context(), "greedy"), c, scope, sessionOf(6))
		}
		synctest.Wait()
		if a := <-begin(as(t.Context(), "greedy"), c, scope, queryAt(0)); a.err != nil || outcomes(a.result) != "memory memory" {
			t.Errorf("a hit: %s, %v", outcomes(a.result), a.err)
		}
	})
}

// sessionOf is a query that shares neither count nor page with others'.
func sessionOf(n int) search.Query {
	q := query()
	q.Filter.SessionID = fmt.Sprint("s", n)
	return q
}

func TestALoadThatEndsLetsOneBeginThatWaits(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{Admission: limits.NewLoads(2)})
		first := begin(as(t.Context(), "a"), c, scope, sessionOf(1))
		synctest.Wait()
		second := begin(as(t.Context(), "a"), c, scope, sessionOf(2))
		time.Sleep(limits.Patience - 1)
		close(held)
		for _, done := range []<-chan answerOf{first, second} {
			if a := <-done; a.err != nil || outcomes(a.result) != "engine engine" {
				t.Errorf("%s, %v", outcomes(a.result), a.err)
			}
		}
	})
}

func TestWhoeverLoadsTheSameMeanwhileSparesTheRefusal(t *testing.T) {
	scope := tenancytest.Scope(t, 7)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{Admission: limits.NewLoads(2)})
		begin(as(t.Context(), "a"), c, scope, sessionOf(1))
		synctest.Wait()
		waits := begin(as(t.Context(), "a"), c, scope, query())
		synctest.Wait()
		begin(as(t.Context(), "b"), c, scope, query())
		time.Sleep(2 * limits.Patience)
		close(held)
		if a := <-waits; a.err != nil || outcomes(a.result) != "shared shared" {
			t.Errorf("%s, %v", outcomes(a.result), a.err)
		}
	})
}

func TestARenewalThatAnAccountMayNotBeginIsLeftOut(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		c, _ := followedCache(t, next, Options{Fresh: time.Second, Admission: limits.NewLoads(2)})
		mustSearch(t, c, scope, query())
		time.Sleep(2 * time.Second)
		next.hold(held.wait)
		busy := begin(as(t.Context(), "a"), c, scope, sessionOf(2))
		synctest.Wait()
		if a := <-begin(as(t.Context(), "a"), c, scope, query()); a.err != nil || outcomes(a.result) != "memory memory" {
			t.Errorf("what may be served meanwhile: %s, %v", outcomes(a.result), a.err)
		}
		synctest.Wait()
		next.wantSearches(t, 2, 2)
		close(held)
		<-busy
	})
}

// A hundred slow loads of one account leave the engine to all others.
func TestOneAccountsFloodKeepsNoOtherAccountsLoadFromStarting(t *testing.T) {
	const accounts, flood = 50, 100
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{Admission: limits.NewLoads(16), LoadTimeout: time.Hour})
		var greedy, others []<-chan answerOf
		for i := range flood {
			greedy = append(greedy, begin(as(t.Context(), "greedy"), c, scope, sessionOf(1+i)))
		}
		for i := range accounts {
			others = append(others, begin(as(t.Context(), strconv.Itoa(i)), c, scope, sessionOf(1000+i)))
		}
		synctest.Wait()
		next.wantSearches(t, 8+accounts, 8+accounts) // a search is two loads
		time.Sleep(limits.Patience)
		synctest.Wait()
		close(held)
		refused := 0
		for _, done := range greedy {
			switch a := <-done; {
			case errors.Is(a.err, search.ErrTooManyLoads):
				refused++
			case a.err != nil:
				t.Errorf("the greedy one got %v", a.err)
			}
		}
		if refused != flood-8 {
			t.Errorf("%d were refused, want %d", refused, flood-8)
		}
		for _, done := range others {
			if a := <-done; a.err != nil {
				t.Errorf("another account got %v", a.err)
			}
		}
		if a := <-begin(as(t.Context(), "greedy"), c, scope, sessionOf(2000)); a.err != nil {
			t.Errorf("when the flood is over: %v", a.err)
		}
	})
}

// refusing refuses loads of an account, as a full engine does that it has its share of.
type refusing struct {
	search.Searcher

	account string
	held    gate
}

func (r refusing) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if caller, _ := tenancy.CallerIn(ctx); caller.Account.Subject == r.account {
		_ = r.held.wait(ctx, q)
		return search.Result{}, search.ErrTooManyLoads
	}
	return r.Searcher.Search(ctx, scope, q)
}

func TestACallerWhoJoinsALoadThatIsRefusedForItsAccountLoadsForItself(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := refusing{newEngine(), "greedy", make(gate)}
		c := newCache(t, next, Options{})
		greedy := begin(as(t.Context(), "greedy"), c, scope, queryAt(0))
		synctest.Wait()
		polite := begin(as(t.Context(), "polite"), c, scope, queryAt(0))
		synctest.Wait()
		close(next.held)
		if a := <-greedy; !errors.Is(a.err, search.ErrTooManyLoads) {
			t.Errorf("the account that is refused: %v", a.err)
		}
		if a := <-polite; a.err != nil {
			t.Errorf("the account that joined: %v", a.err)
		}
	})
}
