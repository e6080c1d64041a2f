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
// is known stays in force, and Ready tells. Nil: nothing is ever revoked.
//
// SECURITY: a revocation that is lost by accident makes a bad token good. What a
// source that was emptied has lost, and what a file that was changed in place
// has, stays in force for maxStale more: a writer may be halfway. A file that
// another takes the place of, by renaming, is whole, and counts at once.
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
	kept []keptRevocations
}

// keptRevocations are lost, and stay in force until an instant.
type keptRevocations struct {
	*revokedSet

	end time.Time
}

// holds asks what is kept, too.
func (v *revokedView) holds(p Principal, now time.Time) bool {
	if v.revokedSet.holds(p, now) {
		return true
	}
	return slices.ContainsFunc(v.kept, func(k keptRevocations) bool { return now.Before(k.end) && k.holds(p, now) })
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
	v := l.current.Load()
	if v != nil && v.version == version {
		l.current.Store(&revokedView{v.revokedSet, asOf, v.file, l.unended(ctx, v.kept)})
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
		next.kept = l.keep(ctx, v, next)
	}
	l.current.Store(next)
	l.logger.InfoContext(ctx, "revocations loaded",
		slog.Int("tokens", len(all.Tokens)), slog.Int("accounts", len(all.Accounts)))
	return nil
}

// file tells the file that the source reads, nil if it reads none.
func (l *revocationList) file() (os.FileInfo, error) {
	source, ok := l.source.(interface{ identity() (os.FileInfo, error) })
	if !ok {
		return nil, nil //nolint:nilnil // no file is what it says
	}
	return source.identity()
}

// keep is what stays in force of the view before, beside the one that comes
// next.
func (l *revocationList) keep(ctx context.Context, v, next *revokedView) []keptRevocations {
	inPlace := v.file != nil && next.file != nil && os.SameFile(v.file, next.file)
	if !inPlace && !next.empty() {
		return nil
	}
	now := l.now()
	var kept []keptRevocations
	for _, k := range l.unended(ctx, v.kept) {
		if k.lost(next.revokedSet, now) != nil { // else all of it is back
			kept = append(kept, k)
		}
	}
	lost := v.lost(next.revokedSet, now)
	if lost == nil {
		return kept
	}
	end := now.Add(l.maxStale)
	l.logger.WarnContext(ctx, "revocations are gone from a source that was emptied or changed in place: they stay in force for now",
		slog.Int("tokens", len(lost.until)), slog.Int("accounts", len(lost.before)), slog.Time("until", end))
	return append(kept, keptRevocations{lost, end})
}

// unended drops what has been kept long enough.
func (l *revocationList) unended(ctx context.Context, kept []keptRevocations) []keptRevocations {
	now := l.now()
	var left []keptRevocations
	for _, k := range kept {
		if now.Before(k.end) {
			left = append(left, k)
			continue
		}
		l.logger.WarnContext(ctx, "revocations that were gone are no longer in force",
			slog.Int("tokens", len(k.until)), slog.Int("accounts", len(k.before)))
	}
	return left
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
