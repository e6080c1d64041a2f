package tenancy

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// revocationList holds what was last read of a Revocations source. Unlike the
// directory it does not fail closed when the source can no longer be read: what
// is known stays in force, and Ready tells. Nil: nothing is ever revoked.
type revocationList struct {
	source   Revocations
	every    time.Duration
	maxStale time.Duration
	logger   *slog.Logger
	now      func() time.Time
	current  atomic.Pointer[revokedView] // nil: nothing could be read yet
}

// revokedView is a set and the moment at which it was last known to be true.
type revokedView struct {
	*revokedSet

	asOf time.Time
}

func newRevocationList(o VerifierOptions) *revocationList {
	if o.Revocations == nil {
		return nil
	}
	return &revocationList{
		source: o.Revocations, every: o.RefreshRevocations, maxStale: o.MaxStaleRevocations,
		logger: o.Logger, now: o.Now,
	}
}

// refresh asks the source once. Only one may run at a time.
func (l *revocationList) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(maxLoad, l.maxStale))
	defer cancel()
	// Time and version come before the load: a change during it is then seen
	// as one that comes after.
	asOf := l.now()
	version, err := l.source.Version(ctx)
	if err != nil {
		return fmt.Errorf("revocations version: %w", err)
	}
	if v := l.current.Load(); v != nil && v.version == version {
		l.current.Store(&revokedView{v.revokedSet, asOf})
		return nil
	}
	all, err := l.source.Load(ctx)
	if err != nil {
		return fmt.Errorf("revocations load: %w", err)
	}
	l.current.Store(&revokedView{newRevokedSet(version, all), asOf})
	l.logger.InfoContext(ctx, "revocations loaded",
		slog.Int("tokens", len(all.Tokens)), slog.Int("accounts", len(all.Accounts)))
	return nil
}

// keepFresh refreshes until ctx ends.
func (l *revocationList) keepFresh(ctx context.Context) {
	beat{what: "revocations", every: l.every, refresh: l.refresh, logger: l.logger}.run(ctx)
}

// check reports why a token that is good is not to be believed.
func (l *revocationList) check(p Principal) error {
	if l == nil {
		return nil
	}
	v := l.current.Load()
	switch {
	case v == nil:
		return ErrRevocationsUnavailable
	case v.holds(p, l.now()):
		return ErrTokenRevoked
	}
	return nil
}

// ready reports that the source could not be read for too long.
func (l *revocationList) ready() error {
	if l == nil {
		return nil
	}
	v := l.current.Load()
	if v == nil {
		return fmt.Errorf("%w: they could not be read yet", ErrRevocationsUnavailable)
	}
	if age := l.now().Sub(v.asOf); age > l.maxStale {
		return fmt.Errorf("%w: last read %s ago; those known stay in force", ErrRevocationsUnavailable, age.Round(time.Second))
	}
	return nil
}
