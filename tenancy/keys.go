package tenancy

import (
	"context"
	"crypto"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

// refreshLimits bound how often keys are fetched and how long anybody waits.
type refreshLimits struct {
	every   time.Duration // between two fetches, at most
	unknown time.Duration // at least, between a fetch and one for an unknown kid
	wait    time.Duration // at most, of a request for a fetch
	fetch   time.Duration // at most, of one fetch
	retry   time.Duration // after a failed fetch, doubling up to every
	// confirmEmpty is how long a set without usable keys is refused; see checkEmpty.
	confirmEmpty time.Duration
}

// issuerKeys holds the keys of one issuer and keeps them fresh. It is a
// jwkset.Storage so that keyfunc reads from it. jwkset's own HTTP storage is
// not used: it lets the requests do the fetching, any number at once, each
// waiting up to a minute; it takes bodies of any size; and an error document
// with status 200 empties it.
type issuerKeys struct {
	jwkset.Storage // the methods that keyfunc does not call; empty
	url            string
	algorithms     []string
	client         *http.Client
	limits         refreshLimits
	logger         *slog.Logger
	trigger        chan struct{} // of 1: a fetch is requested

	mu         sync.Mutex
	set        *keySet       // nil: none could be fetched yet
	emptySince time.Time     // zero unless the last answers had no usable key
	requested  time.Time     // when the last fetch was requested, or began without a request
	pending    bool          // a fetch is under way or requested
	done       chan struct{} // closed when that fetch ends
}

var _ jwkset.Storage = (*issuerKeys)(nil)

// KeyRead implements jwkset.Storage. An unknown kid may be a new key: a fetch
// is requested, unless one was just made, and waited for within bounds.
// Errors: jwkset.ErrKeyNotFound, ErrKeysUnavailable.
func (k *issuerKeys) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	set, done := k.lookUp(kid)
	if done != nil {
		k.await(ctx, done)
		set, _ = k.known()
	}
	if set == nil {
		return jwkset.JWK{}, ErrKeysUnavailable
	}
	jwk, ok := set.keys[kid]
	if !ok {
		return jwkset.JWK{}, jwkset.ErrKeyNotFound
	}
	return jwk, nil
}

// lookUp returns the key set and, when it is worth waiting for a newer one, the
// channel that is closed when the fetch ends.
func (k *issuerKeys) lookUp(kid string) (*keySet, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil {
		return nil, k.done // being fetched, again and again
	}
	if _, ok := k.set.keys[kid]; ok {
		return k.set, nil
	}
	if k.pending {
		return k.set, k.done
	}
	if time.Since(k.requested) < k.limits.unknown {
		return k.set, nil
	}
	k.requested, k.pending = time.Now(), true
	select {
	case k.trigger <- struct{}{}:
	default:
	}
	return k.set, k.done
}

// await returns when the fetch or the request has ended, or after limits.wait.
func (k *issuerKeys) await(ctx context.Context, done <-chan struct{}) {
	timer := time.NewTimer(k.limits.wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// known is the key set, and whether there is one with a usable key.
func (k *issuerKeys) known() (*keySet, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set, k.set != nil && len(k.set.keys) > 0
}

// stillValid reports whether the key that a token was verified with is still in
// the issuer's set.
func (k *issuerKeys) stillValid(kid, alg string, key crypto.PublicKey) bool {
	set, _ := k.known()
	return set != nil && set.stillValid(kid, alg, key)
}
