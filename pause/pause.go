// Package pause waits, for as long as its caller does.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

// For waits. It reports false when ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Jittered waits for half of d to all of it, each time another part, so that
// several who wait do not all come back at once. It reports false when ctx ended
// first.
func Jittered(ctx context.Context, d time.Duration) bool {
	return For(ctx, d/2+rand.N(d/2+1)) //nolint:gosec // no secret hangs on it
}
