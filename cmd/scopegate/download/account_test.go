package download

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tokenOf is a JWT with the claims; its signature is nobody's.
func tokenOf(tb testing.TB, claims map[string]any) string {
	tb.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." + encode(payload) + "." + encode([]byte("signature"))
}

func someClaims() map[string]any {
	return map[string]any{
		"iss": "https://issuer.example", "sub": "acc-1", "company_id": 7, "roles": []any{"supervisor", "agent"},
		"aud": "scopegate", "exp": 2000, "iat": 1000, "nbf": 1000, "jti": "one",
	}
}

// with are the claims of the first map with those of the second in place.
func with(claims, other map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, other)
	return claims
}

// TestAPartIsGoneOnWithByItsAccountAndGatewayAlone, and whoever is refused is
// told which of them differs.
func TestAPartIsGoneOnWithByItsAccountAndGatewayAlone(t *testing.T) {
	other := func(claims map[string]any) string { return tokenOf(t, with(someClaims(), claims)) }
	const otherAccount = "by another account"
	for name, test := range map[string]struct {
		first, then string
		elsewhere   bool
		says        []string // none: it goes on
	}{
		"the same token": {first: other(nil), then: other(nil)},
		"a renewed token of the account": {
			first: other(nil), then: other(map[string]any{"exp": 9000, "iat": 8000, "nbf": 8000, "jti": "two", "auth_time": 7000, "sid": "x"}),
		},
		"a renewed token that lists roles in another order": {first: other(nil), then: other(map[string]any{"roles": []any{"agent", "supervisor"}})},
		"another subject":                       {first: other(nil), then: other(map[string]any{"sub": "acc-2"}), says: []string{otherAccount}},
		"another issuer":                        {first: other(nil), then: other(map[string]any{"iss": "https://other.example"}), says: []string{otherAccount}},
		"another company":                       {first: other(nil), then: other(map[string]any{"company_id": 8}), says: []string{otherAccount}},
		"another company in a claim of its own": {first: other(map[string]any{"tenant": 7}), then: other(map[string]any{"tenant": 8}), says: []string{otherAccount}},
		"other roles":                           {first: other(nil), then: other(map[string]any{"roles": []any{"agent"}}), says: []string{otherAccount}},
		"ids that only look alike when rounded": {
			first: other(map[string]any{"company_id": json.Number("9007199254740992")}),
			then:  other(map[string]any{"company_id": json.Number("9007199254740993")}), says: []string{otherAccount},
		},
		"the same opaque token": {first: "opaque", then: "opaque"},
		"another opaque token":  {first: "opaque", then: "other", says: []string{"another token", "no JWT"}},
		"a JWT instead":         {first: "opaque", then: other(nil), says: []string{"another token", "no JWT"}},
		"another gateway":       {first: other(nil), then: other(nil), elsewhere: true, says: []string{"from another gateway: from http://127.0.0.1:"}},
		"another gateway and account": {
			first: other(nil), then: other(map[string]any{"sub": "acc-2"}), elsewhere: true, says: []string{"another gateway", otherAccount},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			g.cutWithin = 3
			o := options(t, "NDJSON")
			if _, err := g.clientAs(t, test.first).Fetch(t.Context(), o); !errors.As(err, new(*IncompleteError)) {
				t.Fatal(err)
			}
			g.change(func(g *fakeGateway) { g.cutWithin, g.asked = 0, nil })
			to := g
			if test.elsewhere {
				to = newFake(t, hardRows()...)
			}
			before := folderOf(t, o.Path)
			o.Resume = true
			_, err := to.clientAs(t, test.then).Fetch(t.Context(), o)
			if len(test.says) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrOtherExport) || len(g.asked)+len(to.asked) > 0 {
				t.Fatalf("%v, asked %v", err, to.asked)
			}
			for _, says := range append(test.says, "begin anew with --force") {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
			checkFolder(t, o.Path, before)
		})
	}
}

func TestTheNoteOfAPartSaysNothingOfItsAccountInClear(t *testing.T) {
	g := newFake(t, hardRows()...)
	g.cutWithin = 3
	o := options(t, "NDJSON")
	token := tokenOf(t, with(someClaims(), map[string]any{"sub": "subject-in-clear", "email": "mail-in-clear"}))
	if _, err := g.clientAs(t, token).Fetch(t.Context(), o); !errors.As(err, new(*IncompleteError)) {
		t.Fatal(err)
	}
	text := content(t, noteOf(o.Path))
	for _, hidden := range []string{"in-clear", "issuer.example", "acc-1", token, strings.Split(token, ".")[1]} {
		if strings.Contains(text, hidden) {
			t.Errorf("%s says %q", text, hidden)
		}
	}
	if !strings.Contains(text, g.url.String()) {
		t.Errorf("%s does not say which gateway it is of", text)
	}
}

// TestAnyOtherClaimIsAnotherAccountAndNoRenewalIs: the company may be in any
// claim.
func TestAnyOtherClaimIsAnotherAccountAndNoRenewalIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.OneOf(rapid.Just[any](nil), rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.SliceOf(rapid.Int64()).AsAny())
		claims := rapid.MapOf(rapid.StringMatching(`[a-m]{1,3}_[a-m]{1,3}`), value).Draw(rt, "claims")
		claims = with(someClaims(), claims)
		account := accountOf(tokenOf(t, claims))
		if opaque(account) {
			rt.Fatal("a JWT is taken for an opaque token")
		}
		renewal := map[string]any{rapid.SampledFrom(renewed()).Draw(rt, "renewed"): value.Draw(rt, "renewal")}
		if accountOf(tokenOf(t, with(claims, renewal))) != account {
			rt.Fatalf("%v makes it another account", renewal)
		}
		changed := map[string]any{rapid.StringMatching(`[n-z]{1,5}`).Draw(rt, "claim") + "_": rapid.String().Draw(rt, "value")}
		if accountOf(tokenOf(t, with(claims, changed))) == account {
			rt.Fatalf("%v makes it no other account", changed)
		}
	})
}

func FuzzTheAccountOfAnyTokenIsADigest(f *testing.F) {
	f.Add("a.b.c")
	f.Add("e30.e30.e30")
	f.Add(tokenOf(f, someClaims()))
	f.Add(tokenOf(f, map[string]any{"sub": "a", "x": []any{map[string]any{"y": []any{nil, "z"}}}}))
	f.Fuzz(func(t *testing.T, token string) {
		account := accountOf(token)
		if _, digest, ok := strings.Cut(account, ":"); !ok || len(digest) != 64 || account != accountOf(token) {
			t.Errorf("%q", account)
		}
	})
}

func TestAGatewayIsTheSameInEachSpellingOfItsURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://gateway.example":            "http://gateway.example",
		"HTTP://Gateway.Example:80/":        "http://gateway.example",
		"https://gateway.example:443/a/":    "https://gateway.example/a",
		"https://gateway.example/a/../b//c": "https://gateway.example/b/c",
		"https://gateway.example:80":        "https://gateway.example:80",
		"http://[::1]:8080/":                "http://[::1]:8080",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := gatewayOf(u); got != want {
			t.Errorf("%s is noted as %s, want %s", text, got, want)
		}
	}
}
