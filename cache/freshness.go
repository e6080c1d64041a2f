package cache

import (
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// historicalAfter is how long ago a search's window must have ended for its
// answer to be served stale for historicalStale: what is written then are
// corrections.
const (
	historicalAfter = 24 * time.Hour
	historicalStale = 10 * time.Minute
)

// emptyFresh bounds how long an answer without any session is fresh: it costs
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

// freshUntil is the age at which an entry stops being fresh (its freshness
// lifetime; RFC 9111, section 4.2).
func (l lifetimes) freshUntil(e item) time.Duration {
	lifetime := l.fresh
	if e.empty() {
		lifetime = min(lifetime, emptyFresh)
	}
	return lifetime - time.Duration(l.jitter*e.about().jitterFraction()*float64(lifetime))
}

// revalidateUntil is the age until which an entry is served while another is
// being loaded (RFC 5861, section 3); never, if it is empty.
func (l lifetimes) revalidateUntil(e item) time.Duration {
	if e.empty() {
		return 0
	}
	if e.about().historical && l.stale > l.fresh {
		return max(l.stale, historicalStale)
	}
	return l.stale
}

// retention is the age after which an entry is dropped. Without a position of the
// log, or empty, that is its freshness lifetime.
func (l lifetimes) retention(e item) time.Duration {
	if !e.about().position.Known() || e.empty() {
		return l.freshUntil(e)
	}
	return max(l.freshUntil(e), l.revalidateUntil(e), l.staleIfError)
}

// dropped reports whether nobody may be served the entry any more.
func (l lifetimes) dropped(e item, now time.Time) bool {
	return now.Sub(e.about().loadedAt) >= l.retention(e)
}

// isHistorical reports whether the filter's window had ended long before.
func isHistorical(f *search.Filter, now time.Time) bool {
	return !f.To.IsZero() && now.Sub(f.To) > historicalAfter
}

// freshness is what an entry may be served for; the later, the better.
type freshness uint8

const (
	expired              freshness = iota // nothing
	staleIfError                          // when the engine fails (RFC 5861, section 4)
	staleWhileRevalidate                  // while another is loaded (RFC 5861, section 3)
	fresh                                 // without a look (RFC 9111, section 4.2)
)

// freshness says what an entry may be served for.
//
// SECURITY: an entry of a scope with a company that has changed since is expired,
// however young it is, and whether or not the engine answers.
func (c *Cache) freshness(e item, scope tenancy.Scope, now time.Time) freshness {
	age := now.Sub(e.about().loadedAt)
	if age < 0 {
		return expired // it comes from the future: nobody knows its age
	}
	switch c.validity(scope, e.about().position, e.about().loadedAt, now) {
	case invalidation.Current:
	case invalidation.Unverified:
		if age < c.life.freshUntil(e) {
			return fresh
		}
		return expired
	default:
		return expired
	}
	switch {
	case age < c.life.freshUntil(e):
		return fresh
	case e.empty():
		return expired
	case age < c.life.revalidateUntil(e):
		return staleWhileRevalidate
	case age < c.life.staleIfError:
		return staleIfError
	}
	return expired
}

// validity is what the log and the watcher know about what was loaded for the
// scope at a position of the log and a time.
func (c *Cache) validity(scope tenancy.Scope, at invalidation.Position, loadedAt, now time.Time) invalidation.Validity {
	if loadedAt.Before(c.data().since) {
		return invalidation.Stale
	}
	return c.watcher.Validity(loadedAt, c.index.Validity(scope, at, loadedAt, now))
}
