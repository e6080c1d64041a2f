package tenancy

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// revocationList holds what was last read of a Revocations source. Unlike the
// directory it does not fail closed when the source can no longer be read: what
// is known stays in force, and Ready fails. Nil: nothing is ever revoked.
//
// SECURITY: a revocation that is lost by accident makes a revoked token good. What
// is lost when a source is emptied, or a file is changed in place, stays in force
// for maxStale more: a writer may not have finished. A file that is replaced by
// renaming is complete, and counts at once.
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
	file os.FileInfo // that it was read from; nil: from no file
	lost []lostRevocations
}

// lostRevocations are gone from the source and stay in force until an instant.
type lostRevocations struct {
	*revokedSet

	end time.Time
}

// holds also looks at the lost revocations that are in force.
func (v *revokedView) holds(p Principal, now time.Time) bool {
	if v.revokedSet.holds(p, now) {
		return true
	}
	return slices.ContainsFunc(v.lost, func(l lostRevocations) bool { return now.Before(l.end) && l.holds(p, now) })
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

// refresh reads the source once. Only one may run at a time.
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
	v := l.current.Load()
	if v != nil && v.version == version {
		l.current.Store(&revokedView{v.revokedSet, asOf, v.file, l.inForce(ctx, v.lost)})
		return nil
	}
	// Also before the load: a file that is renamed in between is then taken for
	// one that was changed in place, which is the safe side.
	file, err := l.file()
	if err != nil {
		return fmt.Errorf("revocations file: %w", err)
	}
	all, err := l.source.Load(ctx)
	if err != nil {
		return fmt.Errorf("revocations load: %w", err)
	}
	next := &revokedView{newRevokedSet(version, all), asOf, file, nil}
	if v != nil {
		next.lost = l.stillInForce(ctx, v, next)
	}
	l.current.Store(next)
	l.logger.InfoContext(ctx, "revocations loaded",
		slog.Int("tokens", len(all.Tokens)), slog.Int("accounts", len(all.Accounts)))
	return nil
}

// file identifies the file that the source reads; nil if it reads none.
func (l *revocationList) file() (os.FileInfo, error) {
	source, ok := l.source.(interface{ identity() (os.FileInfo, error) })
	if !ok {
		return nil, nil //nolint:nilnil // no file is what it says
	}
	return source.identity()
}

// stillInForce lists what stays in force of the view before, beside the next one.
func (l *revocationList) stillInForce(ctx context.Context, v, next *revokedView) []lostRevocations {
	inPlace := v.file != nil && next.file != nil && os.SameFile(v.file, next.file)
	if !inPlace && !next.empty() {
		return nil
	}
	now := l.now()
	var all []lostRevocations
	for _, earlier := range l.inForce(ctx, v.lost) {
		if earlier.missing(next.revokedSet, now) != nil { // else all of it is back
			all = append(all, earlier)
		}
	}
	lost := v.missing(next.revokedSet, now)
	if lost == nil {
		return all
	}
	end := now.Add(l.maxStale)
	l.logger.WarnContext(ctx, "revocations are gone from a source that was emptied or changed in place: they stay in force for now",
		slog.Int("tokens", len(lost.until)), slog.Int("accounts", len(lost.before)), slog.Time("until", end))
	return append(all, lostRevocations{lost, end})
}

// inForce drops the lost revocations whose time is over.
func (l *revocationList) inForce(ctx context.Context, lost []lostRevocations) []lostRevocations {
	now := l.now()
	var left []lostRevocations
	for _, one := range lost {
		if now.Before(one.end) {
			left = append(left, one)
			continue
		}
		l.logger.WarnContext(ctx, "revocations that were gone are no longer in force",
			slog.Int("tokens", len(one.until)), slog.Int("accounts", len(one.before)))
	}
	return left
}

// keepFresh refreshes until ctx ends.
func (l *revocationList) keepFresh(ctx context.Context) {
	refresher{what: "revocations", every: l.every, refresh: l.refresh, logger: l.logger}.run(ctx)
}

// check reports why a token whose signature is good is refused.
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
