package cache

import (
	"sync/atomic"
	"time"
)

// moment is when something last happened. It keeps the reading of the monotonic
// clock, so that a step of the wall clock makes no pause longer or shorter. The
// zero moment never was. Safe for use by several goroutines.
type moment struct{ at atomic.Pointer[time.Time] }

func (m *moment) set(t time.Time) { m.at.Store(&t) }

// within reports whether it was less than d before now.
func (m *moment) within(d time.Duration, now time.Time) bool {
	at := m.at.Load()
	return at != nil && now.Sub(*at) < d
}
