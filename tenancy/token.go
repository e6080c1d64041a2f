package tenancy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// invalid makes an ErrTokenInvalid. The text is one of ours: what a library says
// may quote the token.
func invalid(reason Reason, text string) error { return newRefusal(reason, ErrTokenInvalid, text) }

// invalidClaim is invalid because of the claim of that name.
func invalidClaim(name, fault string) error {
	return &RefusedError{Reason: ReasonClaim, Claim: name, Kind: ErrTokenInvalid, Text: "claim " + name + " " + fault}
}

// checkShape lets pass only what can be a compact JWS (RFC 7515, section 7.1).
// Go's base64 decoder skips line breaks even when strict, so that one token
// could be written in many ways; here it cannot.
func checkShape(token string, longest int) error {
	if len(token) > longest {
		return invalid(ReasonTooLong, fmt.Sprintf("longer than %d bytes", longest))
	}
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.':
			dots++
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return invalid(ReasonMalformed, "not base64url without padding")
		}
	}
	if dots != 2 {
		return invalid(ReasonMalformed, "not three parts")
	}
	return nil
}

// checkJSON refuses names that occur twice, at any depth, and bad UTF-8: two readers
// could disagree on what such a token says (RFC 7515, section 4; RFC 7519,
// section 4).
func checkJSON(token string) error {
	for part := range strings.SplitSeq(token[:strings.LastIndexByte(token, '.')], ".") {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return invalid(ReasonMalformed, "not base64url without padding")
		}
		value := jsontext.Value(raw)
		if value.Kind() != '{' || !value.IsValid() {
			return invalid(ReasonMalformed, "not a JSON object with each name once")
		}
	}
	return nil
}

// parse verifies a token in full, signature before claims, so that what a
// forged token claims never shows in the answer.
func (v *Verifier) parse(ctx context.Context, token string) (*verified, error) {
	if err := checkJSON(token); err != nil {
		return nil, err
	}
	var from *issuer
	var key any
	claims := jwt.MapClaims{}
	parsed, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		var err error
		if from, err = v.accept(t.Header, claims); err != nil {
			return nil, &keyError{err}
		}
		if key, err = from.key(ctx, t); err != nil {
			return nil, &keyError{err}
		}
		return key, nil
	})
	if err != nil {
		return nil, classify(err)
	}
	principal, err := v.claims.principal(claims, from)
	if err != nil {
		return nil, err
	}
	id, issued, err := provenance(claims)
	if err != nil {
		return nil, err
	}
	kid, _ := parsed.Header["kid"].(string)
	principal.proof = proof{id: id, issued: issued, leeway: from.leeway}
	return &verified{
		principal: principal,
		until:     principal.expires.Add(from.leeway),
		keys:      from.keys,
		kid:       kid,
		alg:       parsed.Method.Alg(),
		key:       key,
	}, nil
}

// accept checks the header and finds the issuer. No key is taken from the header:
// keys come from the issuer's set, whatever jku, jwk, x5u or x5c say.
func (v *Verifier) accept(header map[string]any, claims jwt.MapClaims) (*issuer, error) {
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	name, _ := claims["iss"].(string)
	from, known := v.issuers[name]
	if !known {
		return nil, invalid(ReasonIssuer, "issuer is not on the allow-list")
	}
	if alg, _ := header["alg"].(string); !slices.Contains(from.Algorithms, alg) {
		return nil, invalid(ReasonAlgorithm, "algorithm is not allowed for the issuer")
	}
	return from, nil
}

func checkHeader(header map[string]any) error {
	// No extension is understood here, so that any must be refused
	// (RFC 7515, section 4.1.11; RFC 7797, section 6).
	for _, name := range []string{"crit", "b64"} {
		if _, there := header[name]; there {
			return invalid(ReasonExtension, name+" is not understood")
		}
	}
	if typ, there := header["typ"]; there && !isTokenType(typ) {
		return invalid(ReasonType, "typ is neither JWT nor at+jwt")
	}
	if kid, _ := header["kid"].(string); kid == "" {
		return invalid(ReasonKey, "kid is missing")
	}
	return nil
}

// isTokenType knows JWT and at+jwt (RFC 9068), with or without application/,
// in any case (RFC 7515, section 4.1.9). Other types, such as those of logout
// tokens, are not for us.
func isTokenType(typ any) bool {
	name, ok := typ.(string)
	name = strings.TrimPrefix(strings.ToLower(name), "application/")
	return ok && (name == "jwt" || name == "at+jwt")
}

// key finds the key that the token names, by way of keyfunc, which holds the
// key's own alg against the token's.
func (i *issuer) key(ctx context.Context, t *jwt.Token) (any, error) {
	key, err := i.keyfunc.KeyfuncCtx(ctx)(t)
	switch {
	case errors.Is(err, ErrKeysUnavailable):
		return nil, fmt.Errorf("%w: %s", ErrKeysUnavailable, i.Issuer)
	case err != nil:
		return nil, invalid(ReasonKey, "kid is unknown, or names a key of another algorithm")
	case !fits(t.Method.Alg(), key):
		return nil, invalid(ReasonKey, "algorithm does not fit the key")
	}
	return key, nil
}

// classify turns an error of the parser into one of ours, without its text.
func classify(err error) error {
	var ours *keyError
	switch {
	case errors.As(err, &ours):
		return ours.error
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return invalid(ReasonSignature, "signature does not match")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		// Of the keys that were found nothing else is: it names no algorithm
		// that there is.
		return invalid(ReasonAlgorithm, "algorithm is missing or unknown")
	default:
		return invalid(ReasonMalformed, "not a signed token")
	}
}

// keyError carries an error of ours through the parser unchanged.
type keyError struct{ error }
