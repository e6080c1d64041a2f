package tenancy_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// fixedWorld is a verifier whose issuer, key and clock are the same in every
// run, so that the tokens of the kept corpus (testdata/fuzz) stay what they were
// when they were found.
func fixedWorld(tb testing.TB) (*tenancy.Verifier, func(header, claims map[string]any) string) {
	tb.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	set := asText(tb, map[string]any{"keys": []any{
		jwk(tb, key, "ed", nil), jwk(tb, key, "enc", map[string]any{"use": "enc"}),
		map[string]any{"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
	}})
	const issuer = "https://iam.example.org"
	verifier := tenancytest.NewVerifier(tb, tenancy.VerifierOptions{
		Issuers:    []tenancy.IssuerOptions{{Issuer: issuer, JWKSURL: issuer + "/jwks", Audiences: []string{"a"}}},
		HTTPClient: &http.Client{Transport: inProcess{answer(set)}},
		Now:        func() time.Time { return now },
	})
	return verifier, func(header, claims map[string]any) string {
		return compact(tb, jwt.SigningMethodEdDSA, key, with(goodHeader(), header), with(map[string]any{
			"iss": issuer, "sub": "s", "aud": "a", "exp": now.Add(time.Hour).Unix(), "company_id": 7,
		}, claims))
	}
}

// FuzzVerify changes tokens at will. Only tokens that were signed are ever
// taken, whatever else is thrown at the verifier.
func FuzzVerify(f *testing.F) {
	verifier, token := fixedWorld(f)
	good := token(nil, nil)
	f.Add(good)
	for _, header := range []map[string]any{
		{"kid": "enc"}, {"kid": nil}, {"crit": []string{"x"}}, {"b64": false}, {"typ": "logout+jwt"}, {"alg": "none"}, {"jku": "https://evil.example"},
	} {
		f.Add(token(header, nil))
	}
	for _, claims := range []map[string]any{{"exp": 1}, {"company_id": "7"}, {"iss": "x"}, {"jti": 1}, {"roles": []any{1, nil}}} {
		f.Add(token(nil, claims))
	}
	f.Add(compact(f, jwt.SigningMethodHS256, []byte("secret"), map[string]any{"alg": "HS256", "kid": "oct"}, map[string]any{"iss": "https://iam.example.org"}))
	for _, text := range []string{"..", "...", strings.Repeat("A.", 100), good + "==", good + "\n", `{"payload":"e30"}`} {
		f.Add(text)
	}
	signed := map[string]bool{good: true, token(map[string]any{"jku": "https://evil.example"}, nil): true} // jku is not followed
	sentinels := []error{tenancy.ErrTokenMissing, tenancy.ErrTokenExpired, tenancy.ErrTokenInvalid}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := verifier.Verify(context.Background(), token)
		if err == nil && !signed[token] {
			t.Fatal("a token was taken that nobody signed")
		}
		known := 0
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) {
				known++
			}
		}
		if err != nil && known != 1 {
			t.Fatalf("%v matches %d of the errors of Verify, want one", err, known)
		}
		if reason, _, _ := tenancy.RefusalOf(err); err != nil && !slices.Contains(tenancy.Reasons(), reason) {
			t.Fatalf("%v has the reason %q, which is none of the list", err, reason)
		}
	})
}

// FuzzClaims signs whatever claims there are, so that what lies behind the
// signature is reached.
func FuzzClaims(f *testing.F) {
	w := newWorld(f)
	f.Add(asText(f, goodClaims(w.issuer)))
	f.Add(asText(f, with(goodClaims(w.issuer), map[string]any{"roles": []any{1, nil}})))
	f.Add(asText(f, with(goodClaims(w.issuer), map[string]any{"exp": 1e308})))
	f.Add(`{"exp":{}}`)
	f.Fuzz(func(t *testing.T, claims string) {
		token := compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), claims)
		p, err := w.verifier.Verify(context.Background(), token)
		switch {
		case err == nil && (!p.Company().Valid() || p.Account().Issuer != w.issuer.URL() || p.Account().Subject == ""):
			t.Fatalf("a principal without company or account: %+v", p)
		case err != nil && !errors.Is(err, tenancy.ErrTokenInvalid) && !errors.Is(err, tenancy.ErrTokenExpired):
			t.Fatalf("got %v", err)
		}
	})
}
