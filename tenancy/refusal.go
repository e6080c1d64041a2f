package tenancy

import "errors"

// Reason is why a caller was refused: a fixed code for logs, spans and metrics.
// It holds nothing of the token, and it is not shown to callers.
type Reason string

// The reasons, all of them: docs/operations.md says what to do about each. The
// gateway finds ReasonScheme, ReasonCredentials and ReasonScopeLost, this package
// the others.
const (
	// Of a request without a usable token (401).

	ReasonMissing     Reason = "missing"     // no Authorization header
	ReasonScheme      Reason = "scheme"      // an Authorization of another scheme than Bearer, or of none
	ReasonCredentials Reason = "credentials" // several Authorization headers, or one that is not a scheme and a token

	// Of a token (401), in the order in which they are looked for.

	ReasonTooLong   Reason = "too_long"  // over VerifierOptions.MaxToken
	ReasonMalformed Reason = "malformed" // not a JWS in compact serialisation of two JSON objects
	ReasonExtension Reason = "extension" // the header has crit or b64
	ReasonType      Reason = "type"      // typ is neither JWT nor at+jwt
	ReasonIssuer    Reason = "issuer"    // iss is missing or not on the allow-list
	ReasonAlgorithm Reason = "algorithm" // alg is not allowed for the issuer
	ReasonKey       Reason = "key"       // kid is missing, unknown or names a key of another algorithm
	ReasonSignature Reason = "signature" // it does not match
	ReasonAudience  Reason = "audience"  // aud is missing or holds none of the issuer's audiences
	ReasonClaim     Reason = "claim"     // a claim is missing or of another type: RefusedError.Claim names it
	ReasonNotYet    Reason = "not_yet"   // nbf or iat lies in the future
	ReasonExpired   Reason = "expired"   // exp is past, and nothing else is wrong
	ReasonRevoked   Reason = "revoked"   // it was taken back

	// Of a token that cannot be checked at the moment (503).

	ReasonKeysUnavailable        Reason = "keys_unavailable"
	ReasonRevocationsUnavailable Reason = "revocations_unavailable"

	// Of a caller that is known (403; the last one 503).

	ReasonCompanyUnknown   Reason = "company_unknown"    // the caller's own company is not in the directory
	ReasonCompanyOfAnother Reason = "company_of_another" // the caller's own company is not one that its issuer may speak for
	ReasonCompanyForeign   Reason = "company_foreign"    // the company asked for is outside the scope, or in no directory
	ReasonNotSupervisor    Reason = "not_supervisor"     // the account may not supervise
	ReasonScopeLost        Reason = "scope_lost"         // a company of a running export was taken from the account
	ReasonDirectoryStale   Reason = "directory_stale"    // the directory could not be read for too long
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{
		ReasonMissing, ReasonScheme, ReasonCredentials,
		ReasonTooLong, ReasonMalformed, ReasonExtension, ReasonType, ReasonIssuer, ReasonAlgorithm, ReasonKey,
		ReasonSignature, ReasonAudience, ReasonClaim, ReasonNotYet, ReasonExpired, ReasonRevoked,
		ReasonKeysUnavailable, ReasonRevocationsUnavailable,
		ReasonCompanyUnknown, ReasonCompanyOfAnother, ReasonCompanyForeign, ReasonNotSupervisor, ReasonScopeLost, ReasonDirectoryStale,
	}
}

// RefusedError is a refusal and its reason. Its text holds nothing of the token.
type RefusedError struct {
	Reason Reason
	Claim  string // name of the claim that is at fault, with ReasonClaim
	Text   string
	Kind   error // the coarser error that it is, which Unwrap returns; nil: none
}

func (e *RefusedError) Error() string {
	if e.Kind == nil {
		return e.Text
	}
	return e.Kind.Error() + ": " + e.Text
}

// Unwrap returns the Kind.
func (e *RefusedError) Unwrap() error { return e.Kind }

// RefusalOf finds the reason of an error; false if it is no refusal.
func RefusalOf(err error) (reason Reason, claim string, ok bool) {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return "", "", false
	}
	return refused.Reason, refused.Claim, true
}

// newRefusal makes a sentinel.
func newRefusal(reason Reason, kind error, text string) error {
	return &RefusedError{Reason: reason, Kind: kind, Text: text}
}
