package tenancy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime"
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
		"ES256 with a signature of zeros":   blank(t, map[string]any{"alg": "ES256", "kid": "ec"}, claims, 64),
		"ES256 with a signature in DER":     inDER(t, w),
		"RS256 with a signature of zeros":   blank(t, map[string]any{"alg": "RS256", "kid": "rsa"}, claims, 256),
		"EdDSA with a signature of zeros":   blank(t, goodHeader(), claims, 64),
		"EdDSA with a key for ES256":        compact(t, jwt.SigningMethodEdDSA, w.keys.ed, header("EdDSA", "ec"), claims),
		"HS256 with the key's x":            compact(t, jwt.SigningMethodHS256, []byte(w.keys.ed.Public().(ed25519.PublicKey)), header("HS256", "ed"), claims),
		"RSA of 1024 bits":                  compact(t, jwt.SigningMethodRS256, w.keys.weak, header("RS256", "weak"), claims),
		"key for encryption":                compact(t, jwt.SigningMethodRS256, w.keys.rsa, header("RS256", "enc"), claims),
		"no signature":                      head + "." + body + ".",
		"signature cut":                     good[:len(good)-4],
		"claims exchanged":                  head + "." + text(`{"iss":"x"}`) + "." + signature,
		"two parts":                         head + "." + body,
		"four parts":                        good + ".",
		"five parts, as of a JWE":           good + ".AAAA.AAAA",
		"thousands of dots":                 strings.Repeat(".", tenancytest.MaxToken),
		"empty parts":                       "..",
		"too long":                          good + strings.Repeat("A", tenancytest.MaxToken),
		"padding":                           good + "==",
		"standard base64":                   strings.Replace(good, "-", "+", 1) + "/",
		"a line break within":               good[:9] + "\n" + good[9:],
		"a carriage return at the end":      good + "\r",
		"a line feed at the end":            good + "\n",
		"a blank at the end":                good + " ",
		"one megabyte":                      strings.Repeat("A", 1<<20),
		"100,000 dots":                      strings.Repeat(".", 100_000),
		"general JSON serialisation":        fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, body, head, signature),
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

// blank is a token whose signature is n zeros: of ECDSA one that some have taken
// for every message (CVE-2022-21449).
func blank(t *testing.T, header, claims map[string]any, n int) string {
	t.Helper()
	text := compact(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header, claims)
	return text + base64.RawURLEncoding.EncodeToString(make([]byte, n))
}

// inDER signs well, but writes the signature as X.509 does: a second way to
// write one token.
func inDER(t *testing.T, w *world) string {
	t.Helper()
	header := map[string]any{"alg": "ES256", "kid": "ec"}
	text := compact(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header, goodClaims(w.issuer))
	digest := sha256.Sum256([]byte(strings.TrimSuffix(text, ".")))
	signature, err := ecdsa.SignASN1(rand.Reader, w.keys.ec, digest[:])
	if err != nil {
		t.Fatal(err)
	}
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

// A token that is too long, or of too many parts, is not even looked at: what it
// costs does not grow with it.
func TestOversizedTokensAreRefusedBeforeTheyAreParsed(t *testing.T) {
	w := newWorld(t)
	for name, token := range oversized() {
		t.Run(name, func(t *testing.T) {
			const runs = 100
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if _, err := w.verifier.Verify(context.Background(), token); !errors.Is(err, tenancy.ErrTokenInvalid) {
					t.Fatalf("got %v, want ErrTokenInvalid", err)
				}
			}
			runtime.ReadMemStats(&after)
			// The error is all that is made; 64 KiB are for what else goes on.
			if made := after.TotalAlloc - before.TotalAlloc; made > runs*1024+64<<10 {
				t.Errorf("refusing it took %d bytes", made/runs)
			}
		})
	}
}

func oversized() map[string]string {
	return map[string]string{
		"1 MB":           strings.Repeat("A", 1_000_000),
		"1 MB of claims": "AA." + strings.Repeat("A", 1_000_000) + ".AA",
		"100,000 dots":   strings.Repeat(".", 100_000),
		"16 KiB of dots": strings.Repeat(".", tenancytest.MaxToken),
	}
}

// The attacker publishes a key of their own, by each of the ways that a header
// has to point at one, under a kid that is known and one that is not.
func TestKeysThatATokenPointsAtAreNeverFetched(t *testing.T) {
	w, attacker := newWorld(t), tenancytest.NewIssuer(t)
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	embedded := jwk(t, own, "ed", nil)
	der, err := x509.MarshalPKIXPublicKey(own.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, pointer := range map[string]any{
		"jku": attacker.Options().JWKSURL, "x5u": attacker.URL() + "/chain.pem", "jwk": embedded,
		"x5c": []string{base64.StdEncoding.EncodeToString(der)}, "x5t": "AAAA", "iss": attacker.URL(),
	} {
		for _, kid := range []string{"ed", "unheard-of", attacker.Options().JWKSURL} {
			t.Run(name+" under "+kid, func(t *testing.T) {
				header := with(goodHeader(), map[string]any{"kid": kid, name: pointer})
				w.check(t, compact(t, jwt.SigningMethodEdDSA, own, header, goodClaims(w.issuer)), tenancy.ErrTokenInvalid)
			})
		}
	}
	w.check(t, compact(t, jwt.SigningMethodEdDSA, own, goodHeader(), with(goodClaims(w.issuer), map[string]any{"iss": attacker.URL()})), tenancy.ErrTokenInvalid)
	if asked := attacker.Asked(); asked != 0 {
		t.Errorf("the attacker's address was asked %d times", asked)
	}
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

func TestSupervisorsAreKnownByTheirRole(t *testing.T) {
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

func TestEachIssuerIsTrustedForItsOwnTokensOnly(t *testing.T) {
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
	_, err := tenancytest.StartVerifier(context.Background(), tenancy.VerifierOptions{
		MaxToken:    -1,
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
		"longest token", "refreshed", `issuer "one" must be bound`, "HS256",
		`issuer "two": the JWKS address`, "audience", "company 0",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told in: %v", part, err)
		}
	}
	if _, err := tenancytest.StartVerifier(context.Background(), tenancy.VerifierOptions{}); err == nil {
		t.Error("a verifier without an issuer was made")
	}
}
