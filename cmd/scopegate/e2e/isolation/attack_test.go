package isolation_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// attacked is a gateway whose issuer publishes keys that are good, of no use,
// and treacherous; and an attacker with a key set of their own.
type attacked struct {
	*harness.Gateway

	ed       ed25519.PrivateKey // kid "ed"
	rsa      *rsa.PrivateKey    // kid "rsa", and "enc" for encryption
	weak     *rsa.PrivateKey    // kid "weak", 1024 bits
	ec       *ecdsa.PrivateKey  // kid "ec", P-256
	own      ed25519.PrivateKey // published by the attacker alone
	attacker *tenancytest.Issuer
}

func attack(t *testing.T) *attacked {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := &attacked{attacker: tenancytest.NewIssuer(t)}
	var err error
	_, a.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	_, a.own, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	a.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	a.weak, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	a.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	a.Gateway = harness.Serve(t, harness.SmallTree(t), "cache.fresh=0s")
	set, err := json.Marshal(map[string]any{"keys": []any{
		publicKey(t, a.ed, "ed", nil), publicKey(t, a.rsa, "rsa", nil), publicKey(t, a.ec, "ec", nil),
		publicKey(t, a.rsa, "enc", map[string]any{"use": "enc"}), publicKey(t, a.ed, "ops", map[string]any{"key_ops": []string{"encrypt"}}),
		publicKey(t, a.weak, "weak", nil), publicKey(t, a.rsa, "rs256", map[string]any{"alg": "RS256"}),
		publicKey(t, a.ed, "double", nil), publicKey(t, a.ec, "double", nil),
		map[string]any{"kty": "oct", "kid": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("secret"))},
	}})
	must(err)
	a.Issuer.Answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	for deadline := time.Now().Add(30 * time.Second); a.Get(t, "/api/v1/me", a.token(t, nil, nil)).Status != http.StatusOK; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the issuer's new keys were not picked up within 30 s")
		}
	}
	return a
}

// publicKey is the public half as it is published, with members set on top.
func publicKey(t *testing.T, key crypto.Signer, kid string, members map[string]any) map[string]any {
	t.Helper()
	made, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(made.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	wire := map[string]any{}
	if err := json.Unmarshal(raw, &wire); err != nil {
		t.Fatal(err)
	}
	delete(wire, "alg")
	maps.Copy(wire, members)
	return wire
}

// sign makes a token whose header and claims are those of a good one but for
// what is given; nil takes a member away.
func (a *attacked) sign(t *testing.T, method jwt.SigningMethod, key any, header, claims map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	h := map[string]any{"alg": method.Alg(), "typ": "JWT", "kid": "ed"}
	c := map[string]any{
		"iss": a.Issuer.URL(), "sub": "supervisor", "aud": tenancytest.Audience, "iat": now, "exp": now + 3600,
		"company_id": 1, "roles": []string{"supervisor"},
	}
	part := func(base, members map[string]any) string {
		for name, value := range members {
			if base[name] = value; value == nil {
				delete(base, name)
			}
		}
		raw, err := json.Marshal(base)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(h, header) + "." + part(c, claims)
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// token is signed well.
func (a *attacked) token(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	return a.sign(t, jwt.SigningMethodEdDSA, a.ed, header, claims)
}

// searches is how often the engine was asked.
func (a *attacked) searches(t *testing.T) int {
	t.Helper()
	metrics := string(a.Send(t, http.MethodGet, a.Admin+"/metrics", "", nil).Body)
	sum := 0
	for _, line := range regexp.MustCompile(`(?m)^scopegate_search_engine_duration_seconds_count\S* (\d+)$`).FindAllStringSubmatch(metrics, -1) {
		n, err := strconv.Atoi(line[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// survives holds each answer against its status and the engine against having
// been asked.
func (a *attacked) survives(t *testing.T, run func()) {
	t.Helper()
	search := "/api/v1/sessions?showAllSupervised=true"
	if got := a.Get(t, search, a.token(t, nil, nil)).Page(t).Count; got != 4 {
		t.Fatalf("a good token counts %d sessions, want 4", got)
	}
	before := a.searches(t)
	if before == 0 {
		t.Fatal("a good search does not show in the metrics")
	}
	run()
	if asked := a.searches(t) - before; asked != 0 {
		t.Errorf("%d searches reached the engine", asked)
	}
	if asked := a.attacker.Asked(); asked != 0 {
		t.Errorf("the attacker's address was asked %d times", asked)
	}
	if got := a.Get(t, search, a.token(t, nil, nil)).Page(t).Count; got != 4 {
		t.Errorf("after the attack a good token counts %d sessions, want 4", got)
	}
}

func TestForgedTokensAre401AndReachNoEngine(t *testing.T) {
	a := attack(t)
	good := a.token(t, nil, nil)
	parts := strings.Split(good, ".")
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	der, err := x509.MarshalPKIXPublicKey(a.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	header := func(name string, value any) string { return a.token(t, map[string]any{name: value}, nil) }
	claim := func(name string, value any) string { return a.token(t, nil, map[string]any{name: value}) }
	forged := func(members map[string]any) string {
		return a.sign(t, jwt.SigningMethodEdDSA, a.own, members, nil)
	}
	rs256 := func(key any, kid string) string {
		return a.sign(t, jwt.SigningMethodRS256, key, map[string]any{"kid": kid}, nil)
	}
	now := time.Now().Unix()
	a.survives(t, func() {
		for name, token := range map[string]string{
			"alg none":                         a.sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
			"alg NoNe":                         text(`{"alg":"NoNe","kid":"ed"}`) + "." + parts[1] + ".",
			"HS256 with the public key":        a.sign(t, jwt.SigningMethodHS256, public, map[string]any{"kid": "rsa"}, nil),
			"HS256 with the published secret":  a.sign(t, jwt.SigningMethodHS256, []byte("secret"), map[string]any{"kid": "oct"}, nil),
			"PS256 with a key for RS256":       a.sign(t, jwt.SigningMethodPS256, a.rsa, map[string]any{"kid": "rs256"}, nil),
			"no kid":                           header("kid", nil),
			"an empty kid":                     header("kid", ""),
			"an unknown kid":                   header("kid", "nobody"),
			"kid a path":                       header("kid", "../../../dev/null"),
			"kid a query":                      header("kid", "' OR 1=1 --"),
			"kid of two keys":                  header("kid", "double"),
			"kid of another key":               header("kid", "ec"),
			"a key for encryption":             rs256(a.rsa, "enc"),
			"a key whose key_ops lack verify":  header("kid", "ops"),
			"a key of 1024 bits":               rs256(a.weak, "weak"),
			"an unknown crit":                  a.token(t, map[string]any{"crit": []string{"x"}, "x": 1}, nil),
			"an empty crit":                    header("crit", []string{}),
			"b64 false":                        a.token(t, map[string]any{"b64": false, "crit": []string{"b64"}}, nil),
			"typ of a logout token":            header("typ", "logout+jwt"),
			"jku of the attacker":              forged(map[string]any{"jku": a.attacker.Options().JWKSURL}),
			"jku of the attacker, unknown kid": forged(map[string]any{"jku": a.attacker.Options().JWKSURL, "kid": "x"}),
			"x5u of the attacker":              forged(map[string]any{"x5u": a.attacker.URL() + "/chain.pem"}),
			"x5c of the attacker":              forged(map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(der)}}),
			"jwk of the attacker":              forged(map[string]any{"jwk": publicKey(t, a.own, "ed", nil)}),
			"iss of the attacker":              a.sign(t, jwt.SigningMethodEdDSA, a.own, nil, map[string]any{"iss": a.attacker.URL()}),
			"signed by a stranger":             forged(nil),
			"no signature":                     parts[0] + "." + parts[1] + ".",
			"a signature of zeros":             parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
			"claims exchanged":                 parts[0] + "." + text(`{"company_id":9}`) + "." + parts[2],
			"two parts":                        parts[0] + "." + parts[1],
			"five parts":                       good + ".AAAA.AAAA",
			"30,000 dots":                      strings.Repeat(".", 30_000),
			"30,000 characters":                strings.Repeat("A", 30_000),
			"padding":                          good + "==",
			"standard base64":                  good[:len(good)-1] + "+",
			"JSON serialisation":               fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
			"another audience":                 claim("aud", "other"),
			"no audience":                      claim("aud", nil),
			"another issuer":                   claim("iss", "https://evil.example"),
			"no exp":                           claim("exp", nil),
			"expired":                          claim("exp", now-60),
			"exp past all dates":               claim("exp", 1e300),
			"not valid yet":                    claim("nbf", now+3600),
			"issued in the future":             claim("iat", now+3600),
			"no subject":                       claim("sub", nil),
			"no company":                       claim("company_id", nil),
			"company a string":                 claim("company_id", "1"),
			"company a list":                   claim("company_id", []int{1, 9}),
			"company 2^32+1":                   claim("company_id", int64(1)<<32+1),
			"roles an object":                  claim("roles", map[string]bool{"supervisor": true}),
		} {
			r := a.Get(t, "/api/v1/sessions?showAllSupervised=true", token)
			if r.Status != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
	})
}

func TestScopesThatAreNotOnesOwnAreRefusedAndReachNoEngine(t *testing.T) {
	a := attack(t)
	supervisor := a.token(t, nil, map[string]any{"company_id": 2})
	agent := a.token(t, nil, map[string]any{"company_id": 2, "roles": []string{"agent"}})
	nobody := a.token(t, nil, map[string]any{"company_id": 777})
	a.survives(t, func() {
		for _, c := range []struct {
			target, token string
			want          int
		}{
			{"/api/v1/sessions?companyId=9", supervisor, 403},
			{"/api/v1/sessions?companyId=1", supervisor, 403},
			{"/api/v1/sessions?companyId=3", supervisor, 403},
			{"/api/v1/sessions?companyId=777", supervisor, 403},
			{"/api/v1/sessions?companyId=9&showAllSupervised=true", supervisor, 403},
			{"/api/v1/sessions?companyIds=2,9", supervisor, 403},
			{"/api/v1/sessions?companyIds=2&companyIds=9", supervisor, 403},
			{"/api/v1/sessions?companyId=2&companyId=9", supervisor, 400},
			{"/api/v1/sessions?companyId=2&companyIds=9", supervisor, 400},
			{"/api/v1/sessions?companyid=9", supervisor, 400},
			{"/api/v1/sessions?company_id=9", supervisor, 400},
			{"/api/v1/sessions?companyId=2%00", supervisor, 400},
			{"/api/v1/sessions?companyId=4294967298", supervisor, 400},
			{"/api/v1/sessions?companyId=-1", supervisor, 400},
			{"/api/v1/sessions?companyId=2%20OR%201=1", supervisor, 400},
			{"/api/v1/sessions?companyId[]=9", supervisor, 400},
			{"/api/v1/sessions?cursor=AAAA", supervisor, 400},
			{"/api/v1/sessions?access_token=" + supervisor, "", 401},
			{"/api/v1/sessions?showAllSupervised=true", agent, 403},
			{"/api/v1/sessions?companyId=1", agent, 403},
			{"/api/v1/sessions", nobody, 403},
			{"/api/v1/sessions/a", nobody, 403},
			{"/api/v1/companies", nobody, 403},
			{"/api/v1/me", nobody, 403},
			{"/api/v1/sessions/../admin", supervisor, 404},
			{"//api/v1/sessions", supervisor, 404},
			{"/API/v1/sessions", supervisor, 404},
		} {
			if r := a.Get(t, c.target, c.token); r.Status != c.want {
				t.Errorf("%s: %d %s, want %d", strings.ReplaceAll(c.target, supervisor, "…"), r.Status, r.Body, c.want)
			}
		}
		for _, body := range []map[string]any{
			{"companyId": 9}, {"companyIds": []int{2, 9}}, {"companyId": 9, "showAllSupervised": true},
		} {
			if r := a.Post(t, "/api/v1/sessions/search", supervisor, body); r.Status != http.StatusForbidden {
				t.Errorf("%v: %d %s, want 403", body, r.Status, r.Body)
			}
		}
	})
}

func TestNoHeaderWidensAScope(t *testing.T) {
	a := attack(t)
	agent := a.token(t, nil, map[string]any{"company_id": 3, "roles": []string{"agent"}})
	for _, header := range [][]string{
		{"X-Company-Id", "1"}, {"X-Tenant-Id", "9"}, {"X-Scope-OrgID", "1"}, {"X-Roles", "supervisor"}, {"X-Forwarded-User", "owner"},
		{"X-Original-URL", "/api/v1/sessions?companyId=1"}, {"X-HTTP-Method-Override", "POST"}, {"Forwarded", "for=127.0.0.1"},
		{"Cookie", "company_id=1; roles=supervisor"}, {"Baggage", "company_id=1"},
	} {
		if got := a.Get(t, "/api/v1/sessions", agent, header...).Page(t); got.Count != 1 {
			t.Errorf("%s: counts %d sessions, want 1", header[0], got.Count)
		}
	}
}

// What Go's client would not send goes out as text.
func TestMalformedCredentialsAreRefusedAndReachNoEngine(t *testing.T) {
	a := attack(t)
	good := a.token(t, nil, nil)
	a.survives(t, func() {
		for name, c := range map[string]struct {
			fields string
			want   int
		}{
			"no credentials":                      {"", 401},
			"no token":                            {"Authorization: Bearer\r\n", 401},
			"Basic":                               {"Authorization: Basic " + good + "\r\n", 401},
			"the token alone":                     {"Authorization: " + good + "\r\n", 401},
			"two tokens":                          {"Authorization: Bearer " + good + " " + good + "\r\n", 401},
			"two tokens with a comma":             {"Authorization: Bearer " + good + "," + good + "\r\n", 401},
			"two headers":                         {"Authorization: Bearer " + good + "\r\nAuthorization: Bearer " + good + "\r\n", 401},
			"a token in a cookie":                 {"Cookie: access_token=" + good + "\r\n", 401},
			"a token under another name":          {"X-Authorization: Bearer " + good + "\r\n", 401},
			"a line feed, then more":              {"Authorization: Bearer " + good + "\n\tAAAA\r\n", 401},
			"a NUL at the end":                    {"Authorization: Bearer " + good + "\x00\r\n", 400},
			"a carriage return at the end":        {"Authorization: Bearer " + good + "\r\r\n", 400},
			"a token of 1 MB":                     {"Authorization: Bearer " + strings.Repeat("A", 1_000_000) + "\r\n", 431},
			"a token of 100,000 dots":             {"Authorization: Bearer " + strings.Repeat(".", 100_000) + "\r\n", 431},
			"two lengths":                         {"Authorization: Bearer " + good + "\r\nContent-Length: 0\r\nContent-Length: 5\r\n", 400},
			"a length and chunks":                 {"Authorization: Bearer x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
			"a blank before the colon":            {"Authorization : Bearer " + good + "\r\n", 400},
			"a token that is a line feed encoded": {"Authorization: Bearer " + good + "%0A\r\n", 401},
		} {
			if got := a.raw(t, c.fields); got != c.want {
				t.Errorf("%s: %d, want %d", name, got, c.want)
			}
		}
	})
}

// raw sends a search with these header fields as they are, and returns the
// status.
func (a *attacked) raw(t *testing.T, fields string) int {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(a.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	go func() { // the answer may come before all is sent
		_, _ = io.WriteString(connection, "GET /api/v1/sessions?showAllSupervised=true HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"+fields+"\r\n")
	}()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}
