package sqlite

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

const (
	// forOthers is the number of connections that one account leaves to all others,
	// and that all heavy accounts leave to the rest.
	forOthers = 2
	// An account is heavy when it recently used the connections for more than
	// heavyTime. The used time decays: half of it is forgotten after each halfLife.
	heavyTime = 250 * time.Millisecond
	halfLife  = time.Second
)

// shares decides who may use the next connection for searches, so that the searches
// of one account, however long they take, do not block others:
//   - an account leaves some connections to others;
//   - an account that used much time recently gets fewer connections, which also
//     leaves processors to others, and its turn comes after those that used less;
//   - what is read for no account, such as the directory, comes first.
type shares struct {
	each  int // connections that one account may use
	heavy int // connections that one heavy account may use
	most  int // connections that all heavy accounts together may use
	now   func() time.Time

	mu       sync.Mutex
	free     int
	accounts map[tenancy.Account]*usage
	running  []*slot
	waiting  []*slot // in order of arrival
}

// usage is an account's recent use of the connections.
type usage struct {
	had time.Duration // as of at; decays with halfLife
	at  time.Time
}

// slot is the use of one connection, or the wait for it.
type slot struct {
	account tenancy.Account
	counted bool // belongs to an account
	began   time.Time
	granted chan struct{} // closed when the wait is over
}

// newShares returns shares of the given number of connections and processors.
func newShares(connections, processors int) *shares {
	rest := max(1, connections-forOthers)
	return &shares{
		each: rest, heavy: min(rest, max(1, processors/2)), most: rest, now: time.Now,
		free: connections, accounts: map[tenancy.Account]*usage{},
	}
}

// enter waits until the context's account may use a connection. The caller must
// return the slot with leave.
func (s *shares) enter(ctx context.Context) (*slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &slot{granted: make(chan struct{})}
	caller, counted := tenancy.CallerIn(ctx)
	p.account, p.counted = caller.Account, counted
	s.mu.Lock()
	s.waiting = append(s.waiting, p)
	s.grant()
	s.mu.Unlock()
	select {
	case <-p.granted:
		return p, nil
	default:
	}
	select {
	case <-p.granted:
		return p, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	at := slices.Index(s.waiting, p)
	if at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
	}
	s.mu.Unlock()
	if at < 0 { // it was granted just before the context ended
		s.leave(p)
	}
	return nil, ctx.Err()
}

// leave ends the use of a connection.
func (s *shares) leave(p *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	at := slices.Index(s.running, p)
	s.running = slices.Delete(s.running, at, at+1)
	s.free++
	if p.counted {
		u := s.accounts[p.account]
		if u == nil {
			u = &usage{}
			s.accounts[p.account] = u
		}
		u.had, u.at = u.left(now)+now.Sub(p.began), now
	}
	s.forget(now)
	s.grant()
}

// left returns the used time after decay.
func (u *usage) left(now time.Time) time.Duration {
	return time.Duration(float64(u.had) * math.Exp2(-float64(now.Sub(u.at))/float64(halfLife)))
}

// forget removes accounts with next to no recent use.
func (s *shares) forget(now time.Time) {
	const few = 64
	if len(s.accounts) <= few {
		return
	}
	for account, u := range s.accounts {
		if u.left(now) < time.Millisecond {
			delete(s.accounts, account)
		}
	}
}

// grant admits those who wait, as far as connections are free. The caller holds mu.
func (s *shares) grant() {
	now := s.now()
	for s.free > 0 {
		next := s.next(now)
		if next < 0 {
			return
		}
		p := s.waiting[next]
		s.waiting = slices.Delete(s.waiting, next, next+1)
		s.running = append(s.running, p)
		s.free--
		p.began = now
		close(p.granted)
	}
}

// next returns the index of the waiting slot whose turn it is, or -1.
func (s *shares) next(now time.Time) int {
	best, least := -1, time.Duration(math.MaxInt64)
	for i, p := range s.waiting {
		had := time.Duration(-1)
		if p.counted {
			if had = s.had(p.account, now); !s.fits(p.account, had, now) {
				continue
			}
		}
		if had < least {
			best, least = i, had
		}
	}
	return best
}

// had returns the recent use of an account, including its running slots.
func (s *shares) had(account tenancy.Account, now time.Time) time.Duration {
	sum := time.Duration(0)
	if u := s.accounts[account]; u != nil {
		sum = u.left(now)
	}
	for _, p := range s.running {
		if p.counted && p.account == account {
			sum += now.Sub(p.began)
		}
	}
	return sum
}

// fits reports whether the account may use one more connection.
func (s *shares) fits(account tenancy.Account, had time.Duration, now time.Time) bool {
	own, heavy := 0, 0
	for _, p := range s.running {
		switch {
		case !p.counted:
		case p.account == account:
			own++
		case s.had(p.account, now) > heavyTime:
			heavy++
		}
	}
	if had <= heavyTime {
		return own < s.each
	}
	return own < s.heavy && own+heavy < s.most
}
