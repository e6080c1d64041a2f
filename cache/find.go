package cache

import (
	"context"

	"github.com/scopegate/scopegate/tenancy"
)

// find fills in every part of the answer: from memory, from the page for the
// count, and by loads in parallel for what is still missing: these look into
// Redis before they search.
func (c *Cache) find(ctx context.Context, a *answer) error {
	for _, l := range a.missing() {
		c.recall(a, l)
	}
	c.correctCount(ctx, a)
	if err := c.load(ctx, a, a.missing()); err != nil {
		return err
	}
	c.correctCount(ctx, a)
	c.metrics.looked(ctx, a)
	return nil
}

// recall looks for a part in the tier that answers at once.
func (c *Cache) recall(a *answer, l *lookup) {
	if a.revalidate {
		return
	}
	if e, ok := c.memory.get(l.key, a.now); ok {
		if worth := c.judge(e, a.scope, a.now); worth >= renewing {
			l.found = found{entry: e, tier: tierMemory, stale: worth == renewing}
		}
	}
}

// correctCount keeps what the page says about the count, for later pages too.
func (c *Cache) correctCount(ctx context.Context, a *answer) {
	if !a.countFromPage() {
		return
	}
	stored := c.keep(ctx, a.scope, partCount, a.count.found.entry)
	a.count.found.stored = stored && a.count.found.tier == ""
}

// kept looks through all tiers for several parts at once, so that Redis is
// asked once. What it has is kept in memory too, for the life that it has left.
// The answer to each lookup is written in its place, if there is one.
func (c *Cache) kept(ctx context.Context, a *answer, lookups []*lookup, answers []loaded) {
	var missing []*lookup
	var places []int
	for i, l := range lookups {
		// A load of the same key may have ended between this caller's look and
		// its turn; it was kept before it could no longer be joined.
		if e, ok := c.memory.get(l.key, c.now()); ok && c.offer(&answers[i], a, e, tierMemory) {
			continue
		}
		missing, places = append(missing, l), append(places, i)
	}
	if c.shared == nil || len(missing) == 0 {
		return
	}
	for i, e := range c.shared.get(ctx, missing) {
		if e != nil && c.judge(e, a.scope, c.now()) > useless {
			c.memory.put(e, c.now())
			c.offer(&answers[places[i]], a, e, tierRedis)
		}
	}
}

// offer takes the entry as the answer if it may be one, or else as what to fall
// back on. It reports whether nothing better need be looked for.
func (c *Cache) offer(to *loaded, a *answer, e *entry, tier string) bool {
	worth := c.judge(e, a.scope, c.now())
	switch {
	case worth == good, worth == renewing && to.entry == nil:
		to.entry, to.tier, to.stale = e, tier, worth == renewing
	case worth == spare && (to.spare == nil || e.loadedAt.After(to.spare.loadedAt)):
		to.spare, to.spareTier = e, tier
	}
	return worth == good
}

// keep puts an entry into all tiers, unless memory refuses it: what is too
// heavy, expired, touched or older than what is kept is not for other gateways
// either.
func (c *Cache) keep(ctx context.Context, scope tenancy.Scope, p part, e *entry) bool {
	if c.judge(e, scope, c.now()) == useless || !c.memory.put(e, c.now()) {
		return false
	}
	if c.shared != nil {
		c.shared.put(ctx, p, e)
	}
	return true
}
