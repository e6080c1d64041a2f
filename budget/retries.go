package budget

import "sync"

// Retries bounds how many calls are repeated when many fail: each first attempt earns a
// part of a repetition. A service that fails gets little more load than one that does
// not. Safe for use by several goroutines.
type Retries struct {
	mu    sync.Mutex
	saved float64 // repetitions
}

const (
	retryShare  = 0.1 // repetitions that a first attempt earns
	firstSaved  = 10  // repetitions before any were earned
	mostRetries = 32  // that are saved
)

// NewRetries allows some repetitions at once, and one for each ten first attempts.
func NewRetries() *Retries { return &Retries{saved: firstSaved} }

// Attempt counts a first attempt.
func (r *Retries) Attempt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.saved = min(r.saved+retryShare, mostRetries)
}

// Allow reports whether a call may be repeated, and counts the repetition.
func (r *Retries) Allow() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.saved < 1 {
		return false
	}
	r.saved--
	return true
}
