package tenancy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// Sizes of RSA keys that are taken. Shorter ones can be broken; longer ones
// make one verification as dear as a thousand.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// errNotKeySet is an answer that says nothing about keys: an error document,
// a login page. It never takes the place of keys that are known.
var errNotKeySet = errors.New("not a JSON Web Key Set")

// keySet is one parsed answer of a JWKS address: the keys that may verify
// tokens, by kid. It never changes.
type keySet struct {
	keys    map[string]jwkset.JWK
	refused []string // why each other key is of no use, without key material
}

// parseKeySet reads a JWKS. One bad key does not spoil the others. A set with
// no usable key is a set; an answer without "keys" is errNotKeySet.
func parseKeySet(body []byte, algorithms []string) (*keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.Keys == nil {
		return nil, errNotKeySet
	}
	set := &keySet{keys: make(map[string]jwkset.JWK)}
	seen := make(map[string]int)
	for i, raw := range doc.Keys {
		var m jwkset.JWKMarshal
		err := json.Unmarshal(raw, &m)
		seen[m.KID]++
		if err != nil {
			err = errors.New("is not a JSON Web Key")
		} else {
			err = set.add(m, algorithms)
		}
		if err != nil {
			set.refused = append(set.refused, fmt.Sprintf("key %d %v", i+1, err))
		}
	}
	// It is unknown which of two keys a kid means: neither is used.
	for kid, n := range seen {
		if _, ok := set.keys[kid]; ok && n > 1 {
			delete(set.keys, kid)
			set.refused = append(set.refused, fmt.Sprintf("%d keys share one kid", n))
		}
	}
	return set, nil
}

func (s *keySet) add(m jwkset.JWKMarshal, algorithms []string) error {
	if err := refuseMetadata(m, algorithms); err != nil {
		return err
	}
	// The key itself is trusted, not who certified it; and nothing is fetched
	// for a certificate's sake.
	m.X5U, m.X5C, m.X5T, m.X5TS256 = "", nil, "", ""
	jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipKeyOps: true})
	if err != nil {
		return errors.New("cannot be read")
	}
	if err := refuseKey(jwk.Key(), algorithms); err != nil {
		return err
	}
	s.keys[m.KID] = jwk
	return nil
}

// refuseMetadata reports why what a key says of itself rules it out.
func refuseMetadata(m jwkset.JWKMarshal, algorithms []string) error {
	switch {
	case m.KID == "":
		return errors.New("has no kid")
	case m.KTY == jwkset.KtyOct || m.K != "":
		return errors.New("is symmetric: whoever verifies with it could also sign")
	case m.D != "":
		return errors.New("is published with its private half: anybody could sign")
	case m.USE != "" && m.USE != jwkset.UseSig:
		return errors.New("has a use other than sig")
	case len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify):
		return errors.New("has key_ops without verify")
	case m.ALG != "" && !slices.Contains(algorithms, m.ALG.String()):
		return errors.New("has an alg that is not allowed for the issuer")
	}
	return nil
}

// refuseKey reports why the key is too weak, or of no use for the algorithms.
func refuseKey(key any, algorithms []string) error {
	if k, ok := key.(*rsa.PublicKey); ok {
		switch bits := k.N.BitLen(); {
		case bits < minRSABits || bits > maxRSABits:
			return fmt.Errorf("is RSA of %d bits: must have %d to %d", bits, minRSABits, maxRSABits)
		case k.E < 3 || k.E%2 == 0:
			return errors.New("is RSA with an impossible exponent")
		}
	}
	if !slices.ContainsFunc(algorithms, func(alg string) bool { return fits(alg, key) }) {
		return errors.New("fits no algorithm allowed for the issuer")
	}
	return nil
}

// allAlgorithms are the asymmetric algorithms of RFC 7518 and RFC 8037 that a
// token may be signed with.
func allAlgorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA",
	}
}

// fits reports whether the algorithm goes with the key. ECDSA algorithms name
// their curve (RFC 7518, section 3.4), which the JWT library does not check.
func fits(alg string, key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case ed25519.PublicKey:
		return alg == "EdDSA"
	case *ecdsa.PublicKey:
		curve := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg]
		return curve == k.Curve.Params().Name
	}
	return false
}

// stillValid reports whether the kid still means this very key, and the key may
// still be used with the algorithm.
func (s *keySet) stillValid(kid, alg string, key crypto.PublicKey) bool {
	jwk, known := s.keys[kid]
	if !known {
		return false
	}
	own, ok := jwk.Key().(interface{ Equal(crypto.PublicKey) bool })
	limit := jwk.Marshal().ALG.String()
	return ok && own.Equal(key) && (limit == "" || limit == alg)
}
