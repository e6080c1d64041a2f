package limits

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

// Loads counts the running loads of this process by account. A load is a count, a page
// or a summary that the engine computes. Answers from a cache do not count, nor does
// waiting for a load of another caller, nor loads in a context without a caller. It is
// safe for use by several goroutines. A nil *Loads admits everything.
type Loads struct {
	limit int

	mu       sync.Mutex
	accounts map[tenancy.Account]*account // accounts with a running load
}

// account holds the running and waiting loads of one account.
type account struct {
	loads   int
	waiting []*waiter // in order of arrival
}

// waiter waits for n loads to be admitted together.
type waiter struct {
	loads    int
	admitted chan struct{} // closed when they are admitted
}

// NewLoads returns a Loads that admits limit loads of one account at a time; for 0
// it returns nil, which has no limit.
func NewLoads(limit int) *Loads {
	if limit <= 0 {
		return nil
	}
	return &Loads{limit: limit, accounts: map[tenancy.Account]*account{}}
}

// Admit waits, at most for Patience, until n more loads may begin. If as many callers
// of the account wait already as loads may run, it refuses at once. It admits all of
// them or none. Each load must call release once, when it has ended. If n is larger
// than the limit, they begin when no other load is running.
//
// Errors: search.ErrTooManyLoads, or the context's error.
func (l *Loads) Admit(ctx context.Context, n int) (release func(), err error) {
	caller, counted := tenancy.CallerIn(ctx)
	if l == nil || !counted {
		return func() {}, nil
	}
	who := caller.Account
	own := l.enter(who, n)
	if own == nil {
		return nil, search.ErrTooManyLoads
	}
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
		return release, nil // it was admitted just before the wait ended
	}
	return nil, err
}

// TryAdmit is like Admit, for loads that nobody waits for: they begin at once or
// not at all.
func (l *Loads) TryAdmit(ctx context.Context, n int) (release func(), ok bool) {
	caller, counted := tenancy.CallerIn(ctx)
	if l == nil || !counted {
		return func() {}, true
	}
	who := caller.Account
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.accounts[who]; a != nil && (len(a.waiting) > 0 || !l.fits(a, n)) {
		return nil, false
	}
	l.of(who).loads += n
	return func() { l.release(who) }, true
}

// enter admits the loads or puts them at the end of the account's queue. It returns nil
// if as many wait already as may run.
func (l *Loads) enter(who tenancy.Account, n int) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.of(who)
	if len(a.waiting) >= l.limit {
		return nil
	}
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

// leave removes the waiter from the queue; it returns false if the loads were
// admitted meanwhile.
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
	l.admitNext(who, a) // the next waiters may need fewer loads
	return true
}

// admitNext admits the waiters whose turn it is, and removes an account without
// running loads.
func (l *Loads) admitNext(who tenancy.Account, a *account) {
	l.admit(a)
	if a.loads == 0 {
		delete(l.accounts, who)
	}
}

// admit admits waiters in their order, as far as the limit allows.
func (l *Loads) admit(a *account) {
	for len(a.waiting) > 0 && l.fits(a, a.waiting[0].loads) {
		a.loads += a.waiting[0].loads
		close(a.waiting[0].admitted)
		a.waiting = slices.Delete(a.waiting, 0, 1)
	}
}

func (l *Loads) fits(a *account, n int) bool { return a.loads == 0 || a.loads+n <= l.limit }

// of returns the account's entry, and creates it if necessary.
func (l *Loads) of(who tenancy.Account) *account {
	a := l.accounts[who]
	if a == nil {
		a = &account{}
		l.accounts[who] = a
	}
	return a
}
