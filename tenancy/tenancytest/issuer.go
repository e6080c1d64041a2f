package tenancytest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tenancy"
)

// Audience is the audience of an Issuer's tokens.
const Audience = "scopegate"

// Subject is the subject of tokens whose Claims name none.
const Subject = "someone"

// Claims are what a token says. Zero values get a good default, so that a test
// names only what it is about.
type Claims struct {
	Subject  string            // "": Subject
	Company  tenancy.CompanyID // the company claim; 0: left out
	Roles    []string          // none: left out
	Audience string            // "": Audience
	Expires  time.Time         // zero: in an hour
	// Extra is set on top of all; a nil value takes a claim away.
	Extra map[string]any
	// Header is set on top of alg, typ and kid; a nil value takes one away.
	Header map[string]any
}

// Issuer signs tokens and publishes its keys on a server of its own at
// 127.0.0.1.
type Issuer struct {
	server *httptest.Server

	mu        sync.Mutex
	rotations int
	signing   ed25519.PrivateKey
	kid       string
	published json.RawMessage
	answer    http.Handler // nil: the key set
	asked     int
}

// NewIssuer starts an issuer that lives as long as the test.
func NewIssuer(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{}
	i.Rotate(tb)
	i.server = httptest.NewServer(i)
	tb.Cleanup(i.server.Close)
	return i
}

// URL is the issuer's name: the iss of its tokens.
func (i *Issuer) URL() string { return i.server.URL }

// Options allow the issuer, for any company.
func (i *Issuer) Options() tenancy.IssuerOptions {
	return tenancy.IssuerOptions{
		Issuer:    i.URL(),
		JWKSURL:   i.URL() + "/jwks.json",
		Audiences: []string{Audience},
	}
}

// Client is an HTTP client that reaches the issuer; its connections end with
// the issuer.
func (i *Issuer) Client() *http.Client { return i.server.Client() }

// Token signs a token with the current key.
func (i *Issuer) Token(tb testing.TB, c Claims) string {
	tb.Helper()
	i.mu.Lock()
	key, kid := i.signing, i.kid
	i.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, i.claims(c))
	token.Header["kid"] = kid
	overlay(token.Header, c.Header)
	signed, err := token.SignedString(key)
	if err != nil {
		tb.Fatalf("sign token: %v", err)
	}
	return signed
}

func (i *Issuer) claims(c Claims) jwt.MapClaims {
	now := time.Now()
	expires := c.Expires
	if expires.IsZero() {
		expires = now.Add(time.Hour)
	}
	claims := jwt.MapClaims{
		"iss": i.URL(),
		"sub": orText(c.Subject, Subject),
		"aud": orText(c.Audience, Audience),
		"iat": now.Unix(),
		"exp": expires.Unix(),
	}
	if c.Company != 0 {
		claims[CompanyClaim] = int64(c.Company)
	}
	if len(c.Roles) > 0 {
		claims[RolesClaim] = c.Roles
	}
	overlay(claims, c.Extra)
	return claims
}

// Rotate makes a new signing key and publishes it in place of the old one.
func (i *Issuer) Rotate(tb testing.TB) {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatalf("make key: %v", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rotations++
	i.signing, i.kid = private, fmt.Sprintf("key-%d", i.rotations)
	i.published = publish(tb, public, i.kid)
}

// publish is the key set as an issuer would serve it.
func publish(tb testing.TB, public ed25519.PublicKey, kid string) json.RawMessage {
	tb.Helper()
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{KID: kid, USE: jwkset.UseSig},
	})
	if err != nil {
		tb.Fatalf("make JWK: %v", err)
	}
	store := jwkset.NewMemoryStorage()
	if err := store.KeyWrite(context.Background(), key); err != nil {
		tb.Fatalf("store JWK: %v", err)
	}
	set, err := store.JSONPublic(context.Background())
	if err != nil {
		tb.Fatalf("write JWKS: %v", err)
	}
	return set
}

// Answer makes the JWKS address answer otherwise, to play an outage; nil: with
// the key set again.
func (i *Issuer) Answer(h http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

// Asked is how often the key set has been asked for.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// ServeHTTP implements http.Handler: the JWKS address, for tests that want it
// on no network.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked++
	answer, set := i.answer, i.published
	i.mu.Unlock()
	if answer != nil {
		answer.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(set)
}

// overlay sets what has a value and takes away what is nil.
func overlay(onto, from map[string]any) {
	for name, value := range from {
		if value == nil {
			delete(onto, name)
			continue
		}
		onto[name] = value
	}
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
