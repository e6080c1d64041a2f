package tenancy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestForgedTokensAreInvalid(t *testing.T) {
	w := newWorld(t)
	good := w.token(t, nil, nil)
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(w.keys.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	claims := goodClaims(w.issuer)
	header := func(alg, kid string) map[string]any { return map[string]any{"alg": alg, "kid": kid} }
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

	for name, token := range map[string]string{
		"signed by a stranger":              compact(t, jwt.SigningMethodEdDSA, stranger, goodHeader(), claims),
		"expired and signed by a stranger":  compact(t, jwt.SigningMethodEdDSA, stranger, goodHeader(), with(claims, map[string]any{"exp": 1})),
		"alg none":                          compact(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header("none", "ed"), claims),
		"alg nOnE":                          text(`{"alg":"nOnE","kid":"ed"}`) + "." + body + ".",
		"HS256 with the public key in PEM":  compact(t, jwt.SigningMethodHS256, public, header("HS256", "rsa"), claims),
		"HS256 with the published secret":   compact(t, jwt.SigningMethodHS256, []byte("secret"), header("HS256", "oct"), claims),
		"RS384 with a key for RS256":        compact(t, jwt.SigningMethodRS384, w.keys.rsa, header("RS384", "rs256"), claims),
		"PS256 with a key for RS256":        compact(t, jwt.SigningMethodPS256, w.keys.rsa, header("PS256", "rs256"), claims),
		"ES384 with a key of P-256":         wrongCurve(t, w),
		"RSA of 1024 bits":                  compact(t, jwt.SigningMethodRS256, w.keys.weak, header("RS256", "weak"), claims),
		"key for encryption":                compact(t, jwt.SigningMethodRS256, w.keys.rsa, header("RS256", "enc"), claims),
		"no signature":                      head + "." + body + ".",
		"signature cut":                     good[:len(good)-4],
		"claims exchanged":                  head + "." + text(`{"iss":"x"}`) + "." + signature,
		"two parts":                         head + "." + body,
		"four parts":                        good + ".",
		"five parts, as of a JWE":           good + ".AAAA.AAAA",
		"thousands of dots":                 strings.Repeat(".", tenancy.MaxToken),
		"empty parts":                       "..",
		"too long":                          good + strings.Repeat("A", tenancy.MaxToken),
		"padding":                           good + "==",
		"standard base64":                   strings.Replace(good, "-", "+", 1) + "/",
		"a line break within":               good[:9] + "\n" + good[9:],
		"a carriage return at the end":      good + "\r",
		"a blank in front":                  " " + good,
		"a NUL":                             good + "\x00",
		"flattened JSON serialisation":      fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, head, body, signature),
		"stray bits at the end":             strayBits(signature, head+"."+body+"."),
		"header no JSON":                    text("hello") + "." + body + "." + signature,
		"header a list":                     text(`[{"alg":"EdDSA"}]`) + "." + body + "." + signature,
		"header null":                       text("null") + "." + body + "." + signature,
		"alg twice in the header":           compact(t, jwt.SigningMethodEdDSA, w.keys.ed, `{"alg":"none","alg":"EdDSA","kid":"ed"}`, claims),
		"company twice in the claims":       compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), twice(t, claims, `"company_id":8`)),
		"company twice, once by an escape":  compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), twice(t, claims, `"company\u005fid":8`)),
		"claims a list":                     compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), `[]`),
		"claims null":                       compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), `null`),
		"claims followed by something else": compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), asText(t, claims)+`{}`),
		"claims of bad UTF-8":               compact(t, jwt.SigningMethodEdDSA, w.keys.ed, goodHeader(), twice(t, claims, "\"x\":\"\xff\"")),
		"a token within a token":            compact(t, jwt.SigningMethodEdDSA, w.keys.ed, with(goodHeader(), map[string]any{"cty": "JWT"}), good),
	} {
		t.Run(name, func(t *testing.T) { w.check(t, token, tenancy.ErrTokenInvalid) })
	}
	w.check(t, good, nil)
}

// wrongCurve signs as ES384 with a key of the curve of ES256, which the JWT
// library would take.
func wrongCurve(t *testing.T, w *world) string {
	t.Helper()
	header := map[string]any{"alg": "ES384", "kid": "ec"}
	text := compact(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header, goodClaims(w.issuer))
	digest := sha512.Sum384([]byte(strings.TrimSuffix(text, ".")))
	r, s, err := ecdsa.Sign(rand.Reader, w.keys.ec, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
	return text + base64.RawURLEncoding.EncodeToString(signature)
}

// strayBits changes the bits of the last character that stand for no byte.
func strayBits(signature, front string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, signature[len(signature)-1])
	return front + signature[:len(signature)-1] + string(alphabet[last^1])
}

func asText(tb testing.TB, claims any) string {
	tb.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

// twice appends one more member to the claims.
func twice(t *testing.T, claims any, member string) string {
	t.Helper()
	return strings.TrimSuffix(asText(t, claims), "}") + "," + member + "}"
}

func TestNoTokenIsMissingNotInvalid(t *testing.T) {
	w := newWorld(t)
	w.check(t, "", tenancy.ErrTokenMissing)
}

func TestErrorsHoldNothingOfTheToken(t *testing.T) {
	w := newWorld(t)
	const planted = "planted-7f3a"
	for name, token := range map[string]string{
		"kid":     w.token(t, map[string]any{"kid": planted}, nil),
		"typ":     w.token(t, map[string]any{"typ": planted}, nil),
		"alg":     w.token(t, map[string]any{"alg": planted}, nil),
		"iss":     w.token(t, nil, map[string]any{"iss": planted}),
		"aud":     w.token(t, nil, map[string]any{"aud": planted}),
		"sub":     w.token(t, nil, map[string]any{"sub": []string{planted}}),
		"company": w.token(t, nil, map[string]any{"company_id": planted}),
		"exp":     w.token(t, nil, map[string]any{"exp": planted}),
		"itself":  planted,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.verifier.Verify(context.Background(), token)
			if err == nil || strings.Contains(err.Error(), planted) {
				t.Errorf("got %v, want an error without what the token says", err)
			}
		})
	}
}

func TestSupervisorsAreToldByRole(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	for name, c := range map[string]struct {
		options tenancy.VerifierOptions
		roles   any
		want    bool
	}{
		"in the list":                {roles: []string{"a", "supervisor"}, want: true},
		"the only one":               {roles: "supervisor", want: true},
		"missing":                    {roles: nil},
		"another":                    {roles: []string{"agent"}},
		"in another case":            {roles: []string{"Supervisor"}},
		"part of another":            {roles: "supervisor agent"},
		"by another name":            {tenancy.VerifierOptions{SupervisorRole: "boss"}, []string{"boss"}, true},
		"usual name, other expected": {tenancy.VerifierOptions{SupervisorRole: "boss"}, []string{"supervisor"}, false},
		"requirement turned off":     {tenancy.VerifierOptions{EveryoneSupervises: true}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Issuers = []tenancy.IssuerOptions{issuer.Options()}
			c.options.HTTPClient = issuer.Client()
			verifier := tenancytest.NewVerifier(t, c.options)
			token := issuer.Token(t, tenancytest.Claims{Company: 7, Extra: map[string]any{"roles": c.roles}})
			p, err := verifier.Verify(context.Background(), token)
			if err != nil {
				t.Fatal(err)
			}
			if p.Supervisor() != c.want {
				t.Errorf("got supervisor %v, want %v", p.Supervisor(), c.want)
			}
		})
	}
}

func TestClaimNamesAreConfigurable(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{
		Issuers:    []tenancy.IssuerOptions{issuer.Options()},
		HTTPClient: issuer.Client(), CompanyClaim: "https://example.com/org", RolesClaim: "groups",
	})
	token := issuer.Token(t, tenancytest.Claims{Extra: map[string]any{"https://example.com/org": 9, "groups": "supervisor"}})
	p, err := verifier.Verify(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	if p.Company() != 9 || !p.Supervisor() {
		t.Errorf("got company %d, supervisor %v", p.Company(), p.Supervisor())
	}
}

func TestEachIssuerVouchesForItsOwnTokensOnly(t *testing.T) {
	one, two := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	bound := func(i *tenancytest.Issuer, id tenancy.CompanyID, audience string) tenancy.IssuerOptions {
		o := i.Options()
		o.Companies, o.Audiences = []tenancy.CompanyID{id}, []string{audience}
		return o
	}
	optionsTwo := bound(two, 2, "two")
	optionsTwo.Algorithms = []string{"ES256"}
	verifier := startVerifier(t, one.Client(), bound(one, 1, "one"), optionsTwo)
	for range 10_000 {
		if !strings.Contains(verifier.Ready().Error(), one.URL()) {
			break // of the other no key is ever usable
		}
		time.Sleep(time.Millisecond)
	}
	for name, c := range map[string]struct {
		by     *tenancytest.Issuer
		claims tenancytest.Claims
		want   error
	}{
		"own":                    {one, tenancytest.Claims{Audience: "one"}, nil},
		"audience of the other":  {one, tenancytest.Claims{Audience: "two"}, tenancy.ErrTokenInvalid},
		"name of the other":      {two, tenancytest.Claims{Audience: "one", Extra: map[string]any{"iss": one.URL()}}, tenancy.ErrTokenInvalid},
		"algorithm of the other": {two, tenancytest.Claims{Audience: "two"}, tenancy.ErrTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			c.claims.Company = 1
			_, err := verifier.Verify(context.Background(), c.by.Token(t, c.claims))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestVerifierOptionsThatMakeNoSenseAreRefusedAllAtOnce(t *testing.T) {
	_, err := tenancy.NewVerifier(context.Background(), tenancy.VerifierOptions{
		Leeway:      time.Hour,
		RefreshKeys: time.Minute,
		Issuers: []tenancy.IssuerOptions{
			{Issuer: "one", JWKSURL: "https://one.example/keys", Audiences: []string{"a"}, Algorithms: []string{"HS256"}},
			{Issuer: "two", JWKSURL: "file:///keys", Companies: []tenancy.CompanyID{0}},
		},
	})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, part := range []string{
		"leeway", "refreshed", `issuer "one" must be bound`, "HS256",
		`issuer "two": the JWKS address`, "audience", "company 0",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told in: %v", part, err)
		}
	}
	if _, err := tenancy.NewVerifier(context.Background(), tenancy.VerifierOptions{}); err == nil {
		t.Error("a verifier without an issuer was made")
	}
}
