package cache

import (
	"context"
)

// find fills in every part of the answer: from memory, from the page for the
// count, from Redis, and by loads in parallel for what is still missing.
func (c *Cache) find(ctx context.Context, a *answer) error {
	for _, l := range a.missing() {
		c.recall(a, l)
	}
	c.correctCount(ctx, a)
	if missing := a.missing(); len(missing) > 0 && !a.bound.none() {
		c.kept(ctx, a, missing)
	}
	if err := c.load(ctx, a, a.missing()); err != nil {
		return err
	}
	c.correctCount(ctx, a)
	c.metrics.looked(ctx, a)
	return nil
}

// recall looks for a part in the tier that answers at once.
func (c *Cache) recall(a *answer, l *lookup) {
	if a.bound.none() {
		return
	}
	if e, ok := c.memory.get(l.key, a.now); ok {
		c.offer(l, a, e, tierMemory)
	}
}

// correctCount keeps what the page says about the count, for later pages too.
func (c *Cache) correctCount(ctx context.Context, a *answer) {
	if !a.countFromPage() {
		return
	}
	stored := c.keep(ctx, a, partCount, a.count.found.entry)
	a.count.found.stored = stored && a.count.found.tier == ""
}

// kept looks into Redis for several parts at once. What it has is kept in memory
// too, for the life that it has left.
func (c *Cache) kept(ctx context.Context, a *answer, lookups []*lookup) {
	if c.shared == nil || !a.data.known {
		return
	}
	entries := c.shared.get(ctx, lookups)
	for i, l := range lookups {
		if e := entries[i]; e != nil && c.offer(l, a, e, tierRedis) {
			c.memory.put(e, c.now())
		}
	}
}

// offer takes the entry as the answer if it may be one, or else as what to fall
// back on. It reports whether it is of any use.
func (c *Cache) offer(to *lookup, a *answer, e *entry, tier string) bool {
	if !a.bound.admits(e.loadedAt, a.now) {
		return false
	}
	worth := c.judge(e, a.scope, c.now())
	switch worth {
	case good:
		to.found = found{entry: e, tier: tier}
	case renewing:
		to.found = found{entry: e, tier: tier, stale: true}
	case spare:
		if to.spare.entry == nil || e.loadedAt.After(to.spare.entry.loadedAt) {
			to.spare = found{entry: e, tier: tier}
		}
	case useless:
	}
	return worth > useless
}

// keep puts an entry into all tiers, unless memory refuses it: what is too
// heavy, expired, touched or older than what is kept is not for other gateways
// either.
//
// SECURITY: nor is anything kept when other data has come to be searched since
// the answer's key was made: it may be of either.
func (c *Cache) keep(ctx context.Context, a *answer, p part, e *entry) bool {
	if a.data != c.data() || c.judge(e, a.scope, c.now()) == useless || !c.memory.put(e, c.now()) {
		return false
	}
	if c.shared != nil && a.data.known {
		c.shared.put(ctx, p, e)
	}
	return true
}
