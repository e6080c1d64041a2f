package cache

import (
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// settledAfter is how long ago a search's window must have ended for its answer
// to live for settledStale: what is written then are corrections.
const (
	settledAfter = 24 * time.Hour
	settledStale = 10 * time.Minute
)

// emptyFresh bounds how long an answer without any session is served: it costs
// the engine little, and who waits for the first session looks for it again.
const emptyFresh = 5 * time.Second

// lifetimes are how old answers may become; see Options.
type lifetimes struct {
	fresh, stale, staleIfError time.Duration
	jitter                     float64
}

func (o Options) lifetimes() lifetimes {
	return lifetimes{o.Fresh, o.Stale, o.StaleIfError, o.Jitter}
}

// freshness is until which age an entry is served without a look.
func (l lifetimes) freshness(e *entry) time.Duration {
	fresh := l.fresh
	if e.empty() {
		fresh = min(fresh, emptyFresh)
	}
	return fresh - time.Duration(l.jitter*e.chance()*float64(fresh))
}

// renewable is until which age an untouched entry is served while another is
// being loaded; never, if it is empty.
func (l lifetimes) renewable(e *entry) time.Duration {
	if e.empty() {
		return 0
	}
	if e.settled && l.stale > l.fresh {
		return max(l.stale, settledStale)
	}
	return l.stale
}

// kept is until which age an entry is worth keeping: one that the log knows
// nothing about, and an empty one, for as long as it is fresh.
func (l lifetimes) kept(e *entry) time.Duration {
	if !e.position.Known() || e.empty() {
		return l.freshness(e)
	}
	return max(l.freshness(e), l.renewable(e), l.staleIfError)
}

// expired reports whether nobody may be served the entry any more.
func (l lifetimes) expired(e *entry, now time.Time) bool { return now.Sub(e.loadedAt) >= l.kept(e) }

// settled reports whether the filter's window had ended long before.
func settled(f search.Filter, now time.Time) bool {
	return !f.To.IsZero() && now.Sub(f.To) > settledAfter
}

// verdict is what an entry is good for.
type verdict uint8

const (
	useless  verdict = iota
	spare            // if the engine fails
	renewing         // if another one is loaded meanwhile
	good
)

// judge says what an entry may be served for.
//
// SECURITY: nothing that was touched is good for anything, however young, and
// whether or not the engine answers.
func (c *Cache) judge(e *entry, scope tenancy.Scope, now time.Time) verdict {
	age := now.Sub(e.loadedAt)
	if age < 0 {
		return useless // it comes from the future: nobody knows its age
	}
	switch c.validity(scope, e.position, e.loadedAt, now) {
	case invalidation.Current:
	case invalidation.Unverified:
		if age < c.life.freshness(e) {
			return good
		}
		return useless
	default:
		return useless
	}
	switch {
	case age < c.life.freshness(e):
		return good
	case e.empty():
		return useless
	case age < c.life.renewable(e):
		return renewing
	case age < c.life.staleIfError:
		return spare
	}
	return useless
}
