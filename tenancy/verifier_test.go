package tenancy_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// keyring is a key of each kind, as an issuer holds them.
type keyring struct {
	rsa  *rsa.PrivateKey
	ec   *ecdsa.PrivateKey
	ec3  *ecdsa.PrivateKey
	ed   ed25519.PrivateKey
	weak *rsa.PrivateKey
}

func newKeyring(tb testing.TB) keyring {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	var k keyring
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.weak, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ec3, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
}

// jwk is the public half of the key in wire form, with members set on top.
func jwk(tb testing.TB, key crypto.Signer, kid string, members map[string]any) map[string]any {
	tb.Helper()
	made, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := json.Marshal(made.Marshal())
	if err != nil {
		tb.Fatal(err)
	}
	wire := map[string]any{}
	if err := json.Unmarshal(raw, &wire); err != nil {
		tb.Fatal(err)
	}
	delete(wire, "alg")
	maps.Copy(wire, members)
	return wire
}

// publish makes the issuer serve these keys.
func publish(tb testing.TB, issuer *tenancytest.Issuer, keys ...map[string]any) {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	issuer.Answer(answer(string(body)))
}

func answer(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

// goodClaims are claims that the attack world takes.
func goodClaims(issuer *tenancytest.Issuer) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{
		"iss": issuer.URL(), "sub": "s", "aud": []string{"other", tenancytest.Audience},
		"exp": now.Add(time.Hour).Unix(), "nbf": now.Unix(), "iat": now.Unix(),
		"company_id": 7, "roles": []string{"supervisor"},
	}
}

// with is the map with members set on top; nil takes one away.
func with(base map[string]any, members map[string]any) map[string]any {
	made := maps.Clone(base)
	for name, value := range members {
		if value == nil {
			delete(made, name)
			continue
		}
		made[name] = value
	}
	return made
}

// compact signs by hand, so that header and claims can be anything at all.
func compact(tb testing.TB, method jwt.SigningMethod, key any, header, claims any) string {
	tb.Helper()
	encode := func(v any) string {
		raw, isText := v.(string)
		if !isText {
			b, err := json.Marshal(v)
			if err != nil {
				tb.Fatal(err)
			}
			raw = string(b)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(raw))
	}
	text := encode(header) + "." + encode(claims)
	signature, err := method.Sign(text, key)
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// world is a verifier of one issuer that publishes a key of each kind.
type world struct {
	keys     keyring
	issuer   *tenancytest.Issuer
	verifier *tenancy.Verifier
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{keys: newKeyring(tb), issuer: tenancytest.NewIssuer(tb)}
	publish(tb, w.issuer,
		jwk(tb, w.keys.rsa, "rsa", nil),
		jwk(tb, w.keys.rsa, "rs256", map[string]any{"alg": "RS256", "use": "sig", "key_ops": []string{"verify"}}),
		jwk(tb, w.keys.ec, "ec", nil),
		jwk(tb, w.keys.ec3, "ec3", nil),
		jwk(tb, w.keys.ed, "ed", nil),
		jwk(tb, w.keys.rsa, "enc", map[string]any{"use": "enc"}),
		jwk(tb, w.keys.ed, "ops", map[string]any{"key_ops": []string{"encrypt"}}),
		jwk(tb, w.keys.weak, "weak", nil),
		jwk(tb, w.keys.ed, "double", nil),
		jwk(tb, w.keys.ec, "double", nil),
		map[string]any{"kty": "oct", "kid": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("secret"))},
	)
	w.verifier = tenancytest.NewVerifier(tb, tenancy.VerifierOptions{
		Issuers:    []tenancy.IssuerOptions{w.issuer.Options()},
		HTTPClient: w.issuer.Client(),
	})
	return w
}

// header of a good token signed with the Ed25519 key.
func goodHeader() map[string]any { return map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": "ed"} }

// token signs with the Ed25519 key what differs from a good token.
func (w *world) token(tb testing.TB, header, claims map[string]any) string {
	tb.Helper()
	return compact(tb, jwt.SigningMethodEdDSA, w.keys.ed, with(goodHeader(), header), with(goodClaims(w.issuer), claims))
}

func (w *world) check(t *testing.T, token string, want error) {
	t.Helper()
	for _, round := range []string{"first", "again"} {
		p, err := w.verifier.Verify(context.Background(), token)
		if !errors.Is(err, want) {
			t.Fatalf("%s: got %v, want %v", round, err, want)
		}
		if err != nil && !cmp.Equal(p.Account(), tenancy.Account{}) {
			t.Errorf("%s: a refused token made a principal", round)
		}
		if err == nil && p.Company() != 7 {
			t.Errorf("%s: got company %d, want 7", round, p.Company())
		}
	}
}

func TestTokensOfEachAlgorithmAreAccepted(t *testing.T) {
	w := newWorld(t)
	for alg, by := range map[string]struct {
		key any
		kid string
	}{
		"RS256": {w.keys.rsa, "rs256"}, "RS384": {w.keys.rsa, "rsa"}, "RS512": {w.keys.rsa, "rsa"},
		"PS256": {w.keys.rsa, "rsa"}, "PS384": {w.keys.rsa, "rsa"}, "PS512": {w.keys.rsa, "rsa"},
		"ES256": {w.keys.ec, "ec"}, "ES384": {w.keys.ec3, "ec3"}, "EdDSA": {w.keys.ed, "ed"},
	} {
		t.Run(alg, func(t *testing.T) {
			header := map[string]any{"alg": alg, "kid": by.kid}
			w.check(t, compact(t, jwt.GetSigningMethod(alg), by.key, header, goodClaims(w.issuer)), nil)
		})
	}
}

func TestHeadersOfTokens(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		header map[string]any
		want   error
	}{
		"typ JWT":                 {nil, nil},
		"typ jwt":                 {map[string]any{"typ": "jwt"}, nil},
		"typ at+jwt":              {map[string]any{"typ": "at+jwt"}, nil},
		"typ AT+JWT":              {map[string]any{"typ": "AT+JWT"}, nil},
		"typ application/at+jwt":  {map[string]any{"typ": "application/at+jwt"}, nil},
		"no typ":                  {map[string]any{"typ": nil}, nil},
		"typ logout+jwt":          {map[string]any{"typ": "logout+jwt"}, tenancy.ErrTokenInvalid},
		"typ empty":               {map[string]any{"typ": ""}, tenancy.ErrTokenInvalid},
		"typ a number":            {map[string]any{"typ": 1}, tenancy.ErrTokenInvalid},
		"crit unknown":            {map[string]any{"crit": []string{"x"}, "x": 1}, tenancy.ErrTokenInvalid},
		"crit empty":              {map[string]any{"crit": []string{}}, tenancy.ErrTokenInvalid},
		"b64 false":               {map[string]any{"b64": false, "crit": []string{"b64"}}, tenancy.ErrTokenInvalid},
		"b64 alone":               {map[string]any{"b64": true}, tenancy.ErrTokenInvalid},
		"no kid":                  {map[string]any{"kid": nil}, tenancy.ErrTokenInvalid},
		"kid empty":               {map[string]any{"kid": ""}, tenancy.ErrTokenInvalid},
		"kid a number":            {map[string]any{"kid": 1}, tenancy.ErrTokenInvalid},
		"kid unknown":             {map[string]any{"kid": "nobody"}, tenancy.ErrTokenInvalid},
		"kid of a path":           {map[string]any{"kid": "../../dev/null"}, tenancy.ErrTokenInvalid},
		"kid of another key":      {map[string]any{"kid": "ec"}, tenancy.ErrTokenInvalid},
		"kid shared by two keys":  {map[string]any{"kid": "double"}, tenancy.ErrTokenInvalid},
		"kid of key_ops encrypt":  {map[string]any{"kid": "ops"}, tenancy.ErrTokenInvalid},
		"KID is not kid":          {map[string]any{"kid": nil, "KID": "ed"}, tenancy.ErrTokenInvalid},
		"alg none":                {map[string]any{"alg": "none"}, tenancy.ErrTokenInvalid},
		"alg unknown":             {map[string]any{"alg": "XX256"}, tenancy.ErrTokenInvalid},
		"alg a number":            {map[string]any{"alg": 1}, tenancy.ErrTokenInvalid},
		"no alg":                  {map[string]any{"alg": nil}, tenancy.ErrTokenInvalid},
		"alg of another key":      {map[string]any{"alg": "ES256"}, tenancy.ErrTokenInvalid},
		"jwk, jku, x5u, x5c":      {map[string]any{"jwk": map[string]any{"kty": "oct"}, "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "x5c": []string{"AA"}}, nil},
		"an unknown member":       {map[string]any{"x": map[string]any{"y": 1}}, nil},
		"jku with an unknown kid": {map[string]any{"kid": "evil", "jku": "http://127.0.0.1:1/"}, tenancy.ErrTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) { w.check(t, w.token(t, c.header, nil), c.want) })
	}
}

func TestClaimsOfTokens(t *testing.T) {
	w := newWorld(t)
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		claims map[string]any
		want   error
	}{
		"good":                         {nil, nil},
		"expired":                      {map[string]any{"exp": now - 60}, tenancy.ErrTokenExpired},
		"expired within the leeway":    {map[string]any{"exp": now - 10}, nil},
		"expired, of another audience": {map[string]any{"exp": now - 60, "aud": "x"}, tenancy.ErrTokenInvalid},
		"expired, without a company":   {map[string]any{"exp": now - 60, "company_id": nil}, tenancy.ErrTokenInvalid},
		"expired, not valid yet":       {map[string]any{"exp": now - 60, "nbf": now + 60}, tenancy.ErrTokenInvalid},
		"exp missing":                  {map[string]any{"exp": nil}, tenancy.ErrTokenInvalid},
		"exp 0":                        {map[string]any{"exp": 0}, tenancy.ErrTokenExpired},
		"exp a string":                 {map[string]any{"exp": "9999999999"}, tenancy.ErrTokenInvalid},
		"exp with a fraction":          {map[string]any{"exp": float64(now) + 60.5}, nil},
		"exp past all dates":           {map[string]any{"exp": 1e300}, tenancy.ErrTokenInvalid},
		"exp negative":                 {map[string]any{"exp": -1}, tenancy.ErrTokenInvalid},
		"nbf ahead":                    {map[string]any{"nbf": now + 60}, tenancy.ErrTokenInvalid},
		"nbf ahead within the leeway":  {map[string]any{"nbf": now + 10}, nil},
		"nbf missing":                  {map[string]any{"nbf": nil}, nil},
		"nbf a string":                 {map[string]any{"nbf": "1"}, tenancy.ErrTokenInvalid},
		"iat ahead":                    {map[string]any{"iat": now + 60}, tenancy.ErrTokenInvalid},
		"iat ahead within the leeway":  {map[string]any{"iat": now + 10}, nil},
		"iss missing":                  {map[string]any{"iss": nil}, tenancy.ErrTokenInvalid},
		"iss another":                  {map[string]any{"iss": "https://evil.example"}, tenancy.ErrTokenInvalid},
		"iss with a slash more":        {map[string]any{"iss": w.issuer.URL() + "/"}, tenancy.ErrTokenInvalid},
		"iss a list":                   {map[string]any{"iss": []string{w.issuer.URL()}}, tenancy.ErrTokenInvalid},
		"aud a string":                 {map[string]any{"aud": tenancytest.Audience}, nil},
		"aud another":                  {map[string]any{"aud": []string{"x"}}, tenancy.ErrTokenInvalid},
		"aud missing":                  {map[string]any{"aud": nil}, tenancy.ErrTokenInvalid},
		"aud empty":                    {map[string]any{"aud": []string{}}, tenancy.ErrTokenInvalid},
		"aud an object":                {map[string]any{"aud": map[string]any{"a": 1}}, tenancy.ErrTokenInvalid},
		"sub missing":                  {map[string]any{"sub": nil}, tenancy.ErrTokenInvalid},
		"sub empty":                    {map[string]any{"sub": ""}, tenancy.ErrTokenInvalid},
		"sub a number":                 {map[string]any{"sub": 5}, tenancy.ErrTokenInvalid},
		"company missing":              {map[string]any{"company_id": nil}, tenancy.ErrTokenInvalid},
		"company a string":             {map[string]any{"company_id": "7"}, tenancy.ErrTokenInvalid},
		"company 0":                    {map[string]any{"company_id": 0}, tenancy.ErrTokenInvalid},
		"company negative":             {map[string]any{"company_id": -7}, tenancy.ErrTokenInvalid},
		"company 2^31":                 {map[string]any{"company_id": int64(1) << 31}, tenancy.ErrTokenInvalid},
		"company 2^32 and 7":           {map[string]any{"company_id": int64(1)<<32 + 7}, tenancy.ErrTokenInvalid},
		"company past 64 bits":         {map[string]any{"company_id": json.Number("18446744073709551623")}, tenancy.ErrTokenInvalid},
		"company with a fraction":      {map[string]any{"company_id": 7.5}, tenancy.ErrTokenInvalid},
		"company written 7.0":          {map[string]any{"company_id": json.Number("7.0")}, tenancy.ErrTokenInvalid},
		"company written 7e0":          {map[string]any{"company_id": json.Number("7e0")}, tenancy.ErrTokenInvalid},
		"company a list":               {map[string]any{"company_id": []int{7}}, tenancy.ErrTokenInvalid},
		"company true":                 {map[string]any{"company_id": true}, tenancy.ErrTokenInvalid},
		"company under another case":   {map[string]any{"company_id": nil, "Company_ID": 7}, tenancy.ErrTokenInvalid},
		"roles a string":               {map[string]any{"roles": "supervisor"}, nil},
		"roles missing":                {map[string]any{"roles": nil}, nil},
		"roles a number":               {map[string]any{"roles": 1}, tenancy.ErrTokenInvalid},
		"roles a list of numbers":      {map[string]any{"roles": []int{1}}, tenancy.ErrTokenInvalid},
		"roles an object":              {map[string]any{"roles": map[string]any{"supervisor": true}}, tenancy.ErrTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) { w.check(t, w.token(t, nil, c.claims), c.want) })
	}
}
