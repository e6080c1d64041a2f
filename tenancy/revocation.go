package tenancy

import (
	"context"
	"time"
)

// Errors of revoked tokens.
var (
	// ErrTokenRevoked: a token that is good but revoked. It matches ErrTokenInvalid.
	ErrTokenRevoked = newRefusal(ReasonRevoked, ErrTokenInvalid, "revoked")
	// ErrRevocationsUnavailable: which tokens are revoked could not be read yet, so
	// that all are refused; or, of Ready, could not be read for too long.
	ErrRevocationsUnavailable = newRefusal(ReasonRevocationsUnavailable, nil, "revocations are unavailable")
)

// Revocations is where a Verifier reads which tokens are revoked. What it holds
// must outlive the process: a token stays good until its exp.
type Revocations interface {
	// Load reads all revocations. It returns all of them or an error.
	Load(ctx context.Context) (Revoked, error)
	// Version is equal for two moments only if Load would answer the same at
	// both. It is called every RefreshRevocations and should be cheap.
	Version(ctx context.Context) (string, error)
}

// Revoked are all revocations there are, in any order.
type Revoked struct {
	Tokens   []RevokedToken
	Accounts []RevokedAccount
}

// RevokedToken revokes one token.
type RevokedToken struct {
	ID     string    // its jti
	Issuer string    // "": whoever issued it
	Until  time.Time // its exp, after which it is refused anyway; zero: for ever
}

// RevokedAccount revokes all tokens of an account whose iat is before an instant,
// and those without an iat.
type RevokedAccount struct {
	Account Account
	Before  time.Time
}

// tokenID identifies a token: a jti is unique within its issuer only (RFC 7519,
// section 4.1.7).
type tokenID struct{ issuer, id string }

// revokedSet answers whether a token is revoked. It never changes.
type revokedSet struct {
	version string
	until   map[tokenID]time.Time // zero: for ever
	before  map[Account]time.Time
}

func newRevokedSet(version string, all Revoked) *revokedSet {
	s := &revokedSet{
		version: version,
		until:   make(map[tokenID]time.Time, len(all.Tokens)),
		before:  make(map[Account]time.Time, len(all.Accounts)),
	}
	// Of two revocations of one thing the wider counts.
	for _, t := range all.Tokens {
		id := tokenID{t.Issuer, t.ID}
		if old, double := s.until[id]; !double || !old.IsZero() && (t.Until.IsZero() || t.Until.After(old)) {
			s.until[id] = t.Until
		}
	}
	for _, a := range all.Accounts {
		if a.Before.After(s.before[a.Account]) {
			s.before[a.Account] = a.Before
		}
	}
	return s
}

func (s *revokedSet) empty() bool { return len(s.until) == 0 && len(s.before) == 0 }

// missing is what of s next does not have, or has for a shorter time; nil for
// nothing. Tokens that have expired do not count.
func (s *revokedSet) missing(next *revokedSet, now time.Time) *revokedSet {
	lost := &revokedSet{until: make(map[tokenID]time.Time), before: make(map[Account]time.Time)}
	for id, until := range s.until {
		later, there := next.until[id]
		covered := there && (later.IsZero() || !until.IsZero() && !later.Before(until))
		if expired := !until.IsZero() && now.After(until.Add(Leeway)); !covered && !expired {
			lost.until[id] = until
		}
	}
	for account, before := range s.before {
		if next.before[account].Before(before) {
			lost.before[account] = before
		}
	}
	if lost.empty() {
		return nil
	}
	return lost
}

// holds reports whether the token of the caller is revoked. A token is taken for
// its leeway longer than its exp says, and so it is revoked for that much longer.
func (s *revokedSet) holds(p Principal, now time.Time) bool {
	token := p.proof
	if token.id != "" {
		for _, issuer := range []string{p.account.Issuer, ""} {
			until, there := s.until[tokenID{issuer, token.id}]
			if there && (until.IsZero() || now.Before(until.Add(token.leeway))) {
				return true
			}
		}
	}
	before, there := s.before[p.account]
	return there && (token.issued.IsZero() || token.issued.Before(before))
}
