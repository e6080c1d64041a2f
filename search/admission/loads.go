// Package admission bounds how many loads each account has under way in the
// engine, so that one account cannot take it from all others.
//
// A load is a count, a page or a summary that the engine is asked for. What a cache
// answers does not count, nor does the wait for a load of another caller.
package admission

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Patience is how long a load waits for another load of its account to end.
const Patience = 250 * time.Millisecond

type accountKey struct{}

// WithAccount names the account that the loads in ctx are counted for. It says
// nothing of what they may see: that is the scope's alone.
func WithAccount(ctx context.Context, account tenancy.Account) context.Context {
	return context.WithValue(ctx, accountKey{}, account)
}

// Loads counts the loads that are under way in this process, by account. Loads
// in a context without an account are not counted. Safe for use by several
// goroutines. Nil, it admits everything.
type Loads struct {
	limit int

	mu       sync.Mutex
	accounts map[tenancy.Account]*account // those with a load under way
}

// account is what one account has under way.
type account struct {
	loads   int
	waiting []*waiter // in the order in which they came
}

// waiter waits for n loads to be admitted together.
type waiter struct {
	loads    int
	admitted chan struct{} // closed when they are admitted
}

// NewLoads admits limit loads of one account at a time; at 0 it returns nil, which
// has no bound.
func NewLoads(limit int) *Loads {
	if limit <= 0 {
		return nil
	}
	return &Loads{limit: limit, accounts: map[tenancy.Account]*account{}}
}

// Admit waits, for Patience at most, until n more loads may begin. All of them
// are admitted, or none. Each of them must call release once, when it has ended.
// More loads than there may be at all begin when no other is under way.
//
// Errors: search.ErrTooManyLoads, or the context's.
func (l *Loads) Admit(ctx context.Context, n int) (release func(), err error) {
	who, counted := AccountIn(ctx)
	if l == nil || !counted {
		return func() {}, nil
	}
	own := l.enter(who, n)
	release = func() { l.release(who) }
	select {
	case <-own.admitted:
		return release, nil
	default:
	}
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-own.admitted:
		return release, nil
	case <-timer.C:
		err = search.ErrTooManyLoads
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !l.leave(who, own) {
		return release, nil // it was admitted at the last moment
	}
	return nil, err
}

// TryAdmit is Admit for loads that nobody waits for: they begin at once or not
// at all.
func (l *Loads) TryAdmit(ctx context.Context, n int) (release func(), ok bool) {
	who, counted := AccountIn(ctx)
	if l == nil || !counted {
		return func() {}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.accounts[who]; a != nil && (len(a.waiting) > 0 || !l.fits(a, n)) {
		return nil, false
	}
	l.of(who).loads += n
	return func() { l.release(who) }, true
}

// AccountIn is the account that WithAccount has named; false: none.
func AccountIn(ctx context.Context) (tenancy.Account, bool) {
	who, ok := ctx.Value(accountKey{}).(tenancy.Account)
	return who, ok
}

// enter admits the loads or puts them at the end of the account's queue.
func (l *Loads) enter(who tenancy.Account, n int) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.of(who)
	own := &waiter{loads: n, admitted: make(chan struct{})}
	a.waiting = append(a.waiting, own)
	l.admit(a)
	return own
}

// release ends one load.
func (l *Loads) release(who tenancy.Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[who]
	a.loads--
	l.admitNext(who, a)
}

// leave leaves the queue; false if the loads were admitted meanwhile.
func (l *Loads) leave(who tenancy.Account, own *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[who]
	if a == nil {
		return false
	}
	at := slices.Index(a.waiting, own)
	if at < 0 {
		return false
	}
	a.waiting = slices.Delete(a.waiting, at, at+1)
	l.admitNext(who, a) // those behind may need less
	return true
}

// admitNext admits who may be next, and removes an account that has nothing under
// way.
func (l *Loads) admitNext(who tenancy.Account, a *account) {
	l.admit(a)
	if a.loads == 0 {
		delete(l.accounts, who)
	}
}

// admit admits waiters in their order, as far as there is room.
func (l *Loads) admit(a *account) {
	for len(a.waiting) > 0 && l.fits(a, a.waiting[0].loads) {
		a.loads += a.waiting[0].loads
		close(a.waiting[0].admitted)
		a.waiting = slices.Delete(a.waiting, 0, 1)
	}
}

func (l *Loads) fits(a *account, n int) bool { return a.loads == 0 || a.loads+n <= l.limit }

// of is the account's entry, made if it has none.
func (l *Loads) of(who tenancy.Account) *account {
	a := l.accounts[who]
	if a == nil {
		a = &account{}
		l.accounts[who] = a
	}
	return a
}
