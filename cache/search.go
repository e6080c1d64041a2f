package cache

import (
	"context"
	"slices"
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Search answers from the cache what it can and asks the next searcher for the
// rest, count and page in parallel. Besides the errors of search.Searcher it
// returns those of the next searcher; failures are never stored.
//
// A load goes on when its first caller has gone, with the values of that
// caller's ctx: ctx must stay usable after the request (a gin.Context does not,
// the context of its http.Request does). When nobody has waited for it for a
// second it is cancelled; renewals, which nobody waits for, are not.
//
// The JSON and positions of the rows are shared with other callers: they must
// not be written to. The slice of rows is the caller's own.
func (c *Cache) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if scope.IsEmpty() || (q.WithoutCount && q.WithoutItems) {
		return c.next.Search(ctx, scope, q) // nothing to store
	}
	r := c.newRequest(ctx, scope)
	r.query = q
	if !q.WithoutCount {
		r.count = r.ask((*countPart)(&r.query))
	}
	if !q.WithoutItems {
		r.page = r.ask((*pagePart)(&r.query))
	}
	if err := c.resolve(ctx, r); err != nil {
		return search.Result{}, err
	}
	return r.result(c.now(), c.life), nil
}

// request is one search, or one summary, until it is answered.
type request struct {
	scope   tenancy.Scope
	data    *dataset  // that its keys are of
	now     time.Time // before anything was looked for
	maxAge  maxAge
	refused []tenancy.Account // whose loads are not joined
	lookups []lookup          // one for each part
	room    [2]lookup         // of lookups
	query   search.Query      // of a search
	count   *lookup           // of a search; nil: not asked for
	page    *lookup           // likewise
}

// lookup is one part of a request and what was found for it.
type lookup struct {
	part     part
	key      key
	found    found
	fallback found // the newest entry that may be served if the engine fails
	call     *call // that it waits for; nil: none
	leader   bool  // it has started that call
	renewal  bool  // its call goes on when nobody waits for it
}

// found is an entry and how it was found.
type found struct {
	entry  item   // nil: not found yet
	tier   string // "": the engine
	joined *call  // the call of another caller that brought it; nil: none
	stored bool   // it is in the cache now
	stale  bool   // it is served though it is not fresh
	outage bool   // because the engine failed
}

func (c *Cache) newRequest(ctx context.Context, scope tenancy.Scope) *request {
	r := &request{scope: scope, data: c.data(), now: c.now(), maxAge: maxAgeOf(ctx)}
	r.lookups = r.room[:0]
	return r
}

// ask adds a part to the request.
func (r *request) ask(p part) *lookup {
	r.lookups = append(r.lookups, lookup{part: p, key: r.data.keys.of(p, r.scope)})
	return &r.lookups[len(r.lookups)-1]
}

// missing lists the parts that are not found yet.
func (r *request) missing() []*lookup {
	var list []*lookup
	for i := range r.lookups {
		if l := &r.lookups[i]; l.found.entry == nil {
			list = append(list, l)
		}
	}
	return list
}

// resolve finds every part of the request, in a span: in memory, in Redis, and by
// loads in parallel. A count may also be found by the page.
func (c *Cache) resolve(ctx context.Context, r *request) error {
	ctx, span := startSpan(ctx)
	defer span.End()
	for i := range r.lookups {
		c.fromMemory(r, &r.lookups[i])
	}
	c.correctCount(ctx, r)
	var err error
	if missing := r.missing(); len(missing) > 0 {
		c.fromRedis(ctx, r, missing)
		err = c.load(ctx, r, r.missing())
	}
	link(span, r)
	if err != nil {
		endWithError(span, err)
		return repanic(err)
	}
	c.correctCount(ctx, r)
	c.metrics.looked(ctx, r)
	for i := range r.lookups {
		if l := &r.lookups[i]; l.found.stale && !l.found.outage {
			c.refresh(ctx, r, l)
		}
	}
	c.describe(span, r)
	return nil
}

// fromMemory looks for a part in the memory of this process.
func (c *Cache) fromMemory(r *request, l *lookup) {
	if r.maxAge.none() {
		return
	}
	if e, ok := c.memory.get(l.key, r.now); ok {
		c.accept(l, r, e, tierMemory)
	}
}

// fromRedis looks for parts in Redis, in one call. What is found there is stored
// in memory too, for the life that it has left.
func (c *Cache) fromRedis(ctx context.Context, r *request, lookups []*lookup) {
	if c.shared == nil || !r.data.known || r.maxAge.none() {
		return
	}
	entries := c.shared.get(ctx, lookups)
	for i, l := range lookups {
		if e := entries[i]; e != nil && c.accept(l, r, e, tierRedis) {
			c.memory.put(e, c.now())
		}
	}
}

// accept uses e if it is fresh enough, or else keeps it as the fallback. It is
// false if e is neither.
func (c *Cache) accept(to *lookup, r *request, e item, tier string) bool {
	if !r.maxAge.admits(e.about().loadedAt, r.now) {
		return false
	}
	switch c.freshness(e, r.scope, c.now()) {
	case fresh:
		to.found = found{entry: e, tier: tier}
	case staleWhileRevalidate:
		to.found = found{entry: e, tier: tier, stale: true}
	case staleIfError:
		if f := to.fallback.entry; f == nil || e.about().loadedAt.After(f.about().loadedAt) {
			to.fallback = found{entry: e, tier: tier}
		}
	default:
		return false
	}
	return true
}

// store puts an entry into all tiers, unless memory refuses it: what is too
// heavy, expired, invalidated or older than the entry in its place is not for
// other gateways either.
//
// SECURITY: nothing is stored when other data has come to be searched since the
// request's keys were made: it may be of either.
func (c *Cache) store(ctx context.Context, r *request, e item) bool {
	if r.data != c.data() || c.freshness(e, r.scope, c.now()) == expired || !c.memory.put(e, c.now()) {
		return false
	}
	if c.shared != nil && r.data.known {
		c.shared.put(ctx, e)
	}
	return true
}

// result is the answer to a search as its caller gets it.
func (r *request) result(now time.Time, life lifetimes) search.Result {
	var result search.Result
	if r.count != nil {
		result.Count = search.Count{Total: int64(valueOf[count](r.count)), Provenance: r.count.found.served(now, life)}
	}
	if r.page != nil {
		p := valueOf[page](r.page)
		result.Page = search.Page{Rows: slices.Clone(p.rows), More: p.more, Provenance: r.page.found.served(now, life)}
	}
	return result
}

func (f found) served(now time.Time, life lifetimes) search.Provenance {
	m := f.entry.about()
	s := search.Provenance{
		Tier:     f.tier,
		Shared:   f.joined != nil,
		Stored:   f.stored,
		LoadedAt: m.loadedAt,
		TTL:      life.freshUntil(f.entry) - now.Sub(m.loadedAt),
		Outage:   f.outage,
	}
	if !s.Hit() {
		s.TTL = max(0, s.TTL)
		s.Took, s.Queued = m.took, m.queued
	}
	return s
}

type maxAgeKey struct{}

// WithMaxAge marks a search that must not be answered by what was loaded longer
// ago than the age, nor by a search of another caller: a caller's Cache-Control:
// max-age (RFC 9111, section 5.2.1.1). What it finds is stored for others. With an
// age of 0 nothing that is stored answers it (no-cache, section 5.2.1.4).
func WithMaxAge(ctx context.Context, age time.Duration) context.Context {
	return context.WithValue(ctx, maxAgeKey{}, age)
}

// maxAge is how old what answers a request may be.
type maxAge struct {
	set bool // false: as old as the cache serves anything
	age time.Duration
}

func maxAgeOf(ctx context.Context) maxAge {
	age, set := ctx.Value(maxAgeKey{}).(time.Duration)
	return maxAge{set: set, age: age}
}

// none reports whether nothing that is stored may answer.
func (a maxAge) none() bool { return a.set && a.age <= 0 }

// admits reports whether what was loaded at a time may answer now.
func (a maxAge) admits(loadedAt, now time.Time) bool { return !a.set || now.Sub(loadedAt) <= a.age }

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
