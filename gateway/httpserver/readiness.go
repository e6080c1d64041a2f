package httpserver

import "sync/atomic"

// Readiness is told to /readyz: ready until a stop begins. The zero Readiness
// is ready. Safe for use by several goroutines.
type Readiness struct {
	stopping atomic.Bool
}

// Stop makes /readyz fail from now on.
func (r *Readiness) Stop() { r.stopping.Store(true) }

// Stopping reports whether a stop has begun.
func (r *Readiness) Stopping() bool { return r.stopping.Load() }
