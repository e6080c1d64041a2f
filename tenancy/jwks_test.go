package tenancy

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func number(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// wire are public keys as they are published, by kind.
func wire(tb testing.TB) map[string]map[string]any {
	tb.Helper()
	rsaKey := func(bits int) map[string]any {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			tb.Fatal(err)
		}
		return map[string]any{"kty": "RSA", "kid": "k", "n": number(key.N), "e": "AQAB"}
	}
	ecKey := func(curve elliptic.Curve, name string) map[string]any {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		raw, err := key.PublicKey.Bytes()
		if err != nil {
			tb.Fatal(err)
		}
		half := (len(raw) - 1) / 2
		encode := base64.RawURLEncoding.EncodeToString
		return map[string]any{"kty": "EC", "kid": "k", "crv": name, "x": encode(raw[1 : 1+half]), "y": encode(raw[1+half:])}
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]map[string]any{
		"rsa": rsaKey(2048), "weak": rsaKey(1024),
		"ec": ecKey(elliptic.P256(), "P-256"), "ec3": ecKey(elliptic.P384(), "P-384"), "ec2": ecKey(elliptic.P224(), "P-224"),
		"ed": {"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)},
	}
}

func setOf(tb testing.TB, keys ...any) []byte {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func TestKeysAreTakenOrRefused(t *testing.T) {
	keys := wire(t)
	modulus := new(big.Int).Lsh(big.NewInt(1), 9000)
	for name, c := range map[string]struct {
		base    string
		set     map[string]any
		allowed []string // none: all
		refused string   // "": taken
	}{
		"RSA":                           {base: "rsa"},
		"P-256":                         {base: "ec"},
		"Ed25519":                       {base: "ed"},
		"for signatures":                {base: "rsa", set: map[string]any{"use": "sig", "key_ops": []string{"verify"}, "alg": "RS256"}},
		"with operations besides":       {base: "rsa", set: map[string]any{"key_ops": []string{"verify", "x-own"}}},
		"with unknown members":          {base: "rsa", set: map[string]any{"issuer": "x", "exp": 1}},
		"with a certificate of its own": {base: "rsa", set: map[string]any{"x5c": []string{"AAAA"}, "x5t": "AA", "x5u": "http://127.0.0.1:1/"}},
		"for encryption":                {base: "rsa", set: map[string]any{"use": "enc"}, refused: "use other than sig"},
		"for a use of its own":          {base: "rsa", set: map[string]any{"use": "x"}, refused: "use other than sig"},
		"for signing only":              {base: "rsa", set: map[string]any{"key_ops": []string{"sign"}}, refused: "without verify"},
		"without a kid":                 {base: "rsa", set: map[string]any{"kid": ""}, refused: "no kid"},
		"1024 bits":                     {base: "weak", refused: "1024 bits"},
		"9001 bits":                     {base: "rsa", set: map[string]any{"n": number(modulus.Add(modulus, big.NewInt(1)))}, refused: "9001 bits"},
		"exponent 1":                    {base: "rsa", set: map[string]any{"e": "AQ"}, refused: "key 1"},
		"exponent even":                 {base: "rsa", set: map[string]any{"e": "BA"}, refused: "impossible exponent"},
		"exponent past 64 bits":         {base: "rsa", set: map[string]any{"e": "AQAAAAAAAAAD"}, refused: "key 1"},
		"private half published":        {base: "ec", set: map[string]any{"d": "AQAB"}, refused: "private half"},
		"symmetric":                     {base: "rsa", set: map[string]any{"kty": "oct", "k": "c2VjcmV0"}, refused: "symmetric"},
		"symmetric besides":             {base: "rsa", set: map[string]any{"k": "c2VjcmV0"}, refused: "symmetric"},
		"of no known kind":              {base: "rsa", set: map[string]any{"kty": "XX"}, refused: "cannot be read"},
		"P-224":                         {base: "ec2", refused: "cannot be read"},
		"a point off the curve":         {base: "ec", set: map[string]any{"x": "AQAB"}, refused: "cannot be read"},
		"a key too short":               {base: "ed", set: map[string]any{"x": "AQAB"}, refused: "cannot be read"},
		"X25519":                        {base: "ed", set: map[string]any{"crv": "X25519"}, refused: "fits no algorithm"},
		"HS256":                         {base: "rsa", set: map[string]any{"alg": "HS256"}, refused: "not allowed"},
		"an alg not allowed":            {base: "rsa", set: map[string]any{"alg": "RS256"}, allowed: []string{"ES256"}, refused: "not allowed"},
		"of a kind not allowed":         {base: "rsa", allowed: []string{"ES256", "EdDSA"}, refused: "fits no algorithm"},
		"of a curve not allowed":        {base: "ec3", allowed: []string{"ES256"}, refused: "fits no algorithm"},
		"kid a number":                  {base: "rsa", set: map[string]any{"kid": 1}, refused: "not a JSON Web Key"},
	} {
		t.Run(name, func(t *testing.T) {
			key := maps.Clone(keys[c.base])
			maps.Copy(key, c.set)
			allowed := c.allowed
			if allowed == nil {
				allowed = allAlgorithms()
			}
			set, err := parseKeySet(setOf(t, key), allowed)
			if err != nil {
				t.Fatal(err)
			}
			if taken := len(set.keys) == 1; taken != (c.refused == "") {
				t.Errorf("taken: %v, refused: %q", taken, set.refused)
			}
			if why := strings.Join(set.refused, ""); !strings.Contains(why, c.refused) {
				t.Errorf("refused for %q, want %q", why, c.refused)
			}
		})
	}
}

func TestABadKeyDoesNotSpoilTheOthers(t *testing.T) {
	keys := wire(t)
	keys["ed"]["kid"] = "good"
	set, err := parseKeySet(setOf(t, 1, "x", nil, keys["weak"], keys["ed"], map[string]any{"kid": "good-too"}), allAlgorithms())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"good"}, slices.Collect(maps.Keys(set.keys))); diff != "" {
		t.Errorf("kids (-want +got):\n%s", diff)
	}
}

func TestAKidOfTwoKeysMeansNeither(t *testing.T) {
	keys := wire(t)
	for name, second := range map[string]map[string]any{
		"another key":     keys["ec"],
		"the same key":    keys["rsa"],
		"a key refused":   keys["weak"],
		"hardly a key":    {"kid": "k"},
		"of another kind": {"kid": "k", "kty": "oct", "k": "AAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][]any{{keys["rsa"], second}, {second, keys["rsa"]}} {
				set, err := parseKeySet(setOf(t, order...), allAlgorithms())
				if err != nil || len(set.keys) != 0 {
					t.Errorf("got %d keys, %v", len(set.keys), err)
				}
			}
		})
	}
}

func TestAnAnswerWithoutKeysIsNoKeySet(t *testing.T) {
	for _, body := range []string{``, `{}`, `null`, `[]`, `1`, `{"error":"x"}`, `{"keys":null}`, `{"keys":{}}`, `<html>`, `{"keys":[]`, `{"keys":[]} x`} {
		if _, err := parseKeySet([]byte(body), allAlgorithms()); !errors.Is(err, errNotKeySet) {
			t.Errorf("%s: got %v, want errNotKeySet", body, err)
		}
	}
}

func TestATokenIsRememberedWhileItsKeyIsTheSame(t *testing.T) {
	keys := wire(t)
	parse := func(key map[string]any, members map[string]any) *keySet {
		t.Helper()
		key = maps.Clone(key)
		maps.Copy(key, members)
		set, err := parseKeySet(setOf(t, key), allAlgorithms())
		if err != nil || len(set.keys) != 1 {
			t.Fatalf("got %v, %v", set, err)
		}
		return set
	}
	own := parse(keys["rsa"], nil).keys["k"].Key()
	for name, c := range map[string]struct {
		set  *keySet
		want bool
	}{
		"published again":          {parse(keys["rsa"], nil), true},
		"bound to its algorithm":   {parse(keys["rsa"], map[string]any{"alg": "RS256"}), true},
		"bound to another":         {parse(keys["rsa"], map[string]any{"alg": "PS256"}), false},
		"another key of its kid":   {parse(keys["ec"], nil), false},
		"the key of another kid":   {parse(keys["rsa"], map[string]any{"kid": "other"}), false},
		"nothing published at all": {&keySet{}, false},
	} {
		if got := c.set.stillValid("k", "RS256", own); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	for _, key := range wire(f) {
		f.Add(setOf(f, key, key))
		f.Add(setOf(f, key))
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k","n":"AA","e":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := parseKeySet(body, allAlgorithms())
		if (err == nil) == (set == nil) {
			t.Fatalf("got %v, %v", set, err)
		}
		if err != nil {
			return
		}
		for kid, jwk := range set.keys {
			if kid == "" || kid != jwk.Marshal().KID || refuseKey(jwk.Key(), allAlgorithms()) != nil {
				t.Errorf("a key was taken that is of no use")
			}
		}
	})
}
