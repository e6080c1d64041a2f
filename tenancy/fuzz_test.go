package tenancy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tenancy"
)

// FuzzVerify changes tokens at will. Only tokens that were signed are ever
// taken, whatever else is thrown at the verifier.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	good := w.token(f, nil, nil)
	f.Add(good)
	f.Add(w.token(f, map[string]any{"kid": "ec"}, nil))
	f.Add(w.token(f, nil, map[string]any{"exp": 1}))
	f.Add(compact(f, jwt.SigningMethodHS256, []byte("secret"), map[string]any{"alg": "HS256", "kid": "oct"}, goodClaims(w.issuer)))
	f.Add("..")
	f.Add(strings.Repeat("A.", 100))
	sentinels := []error{tenancy.ErrTokenMissing, tenancy.ErrTokenExpired, tenancy.ErrTokenInvalid}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := w.verifier.Verify(context.Background(), token)
		if err == nil && token != good {
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
