package cache

import (
	"context"
	"time"
)

type maxAgeKey struct{}

// WithMaxAge marks a search that must not be answered by what was loaded longer
// ago than the age, nor by a search of another caller: a caller's Cache-Control:
// max-age (RFC 9111, section 5.2.1.1). What it finds is kept for others. With an
// age of 0 nothing that is kept answers it (no-cache, section 5.2.1.4).
func WithMaxAge(ctx context.Context, age time.Duration) context.Context {
	return context.WithValue(ctx, maxAgeKey{}, age)
}

// bound is how old what answers a search may be.
type bound struct {
	set bool // false: as old as the cache serves anything
	age time.Duration
}

func boundOf(ctx context.Context) bound {
	age, set := ctx.Value(maxAgeKey{}).(time.Duration)
	return bound{set: set, age: age}
}

// none reports whether nothing that is kept may answer.
func (b bound) none() bool { return b.set && b.age <= 0 }

// admits reports whether what was loaded at a time may answer now.
func (b bound) admits(loadedAt, now time.Time) bool { return !b.set || now.Sub(loadedAt) <= b.age }
