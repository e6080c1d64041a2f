package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuerName = "https://issuer.bench.example"
	audience   = "scopegate"
	keyID      = "bench"
	// tokenLife is longer than any run.
	tokenLife = 12 * time.Hour
)

// issuer signs tokens and serves the key that they are checked with.
type issuer struct {
	key    ed25519.PrivateKey
	server *http.Server
	url    string // of the key set
}

func startIssuer(ctx context.Context) (*issuer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(map[string]any{"keys": []map[string]string{{ // RFC 8037, section 2
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": keyID,
		"x": base64.RawURLEncoding.EncodeToString(public),
	}}})
	if err != nil {
		return nil, err
	}
	server, address, err := serveLocally(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(keys) // a gateway that went away needs none
	}))
	return &issuer{key: private, server: server, url: "http://" + address + "/jwks.json"}, err
}

// serveLocally serves on a free port of 127.0.0.1 until the server is closed.
func serveLocally(ctx context.Context, handler http.Handler) (*http.Server, string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: dialTimeout}
	go func() { _ = server.Serve(listener) }() // ends when it is closed, which is no fault
	return server, listener.Addr().String(), nil
}

// supervisor is a token of an account that supervises the company.
func (i *issuer) supervisor(company int) (string, error) {
	return i.sign(company, "supervisor", "supervisor")
}

// agent is a token of another account, which sees the company alone.
func (i *issuer) agent(company int) (string, error) { return i.sign(company, "agent") }

func (i *issuer) sign(company int, subject string, roles ...string) (string, error) {
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": issuerName, "aud": audience, "sub": subject,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
		"company_id": company, "roles": append([]string{}, roles...),
	})
	token.Header["kid"] = keyID
	return token.SignedString(i.key)
}

// settings make a gateway believe the issuer.
func (i *issuer) settings() []string {
	return []string{fmt.Sprintf(`identity.issuers=[{issuer: %q, jwks_url: %q, audiences: [%q]}]`, issuerName, i.url, audience)}
}

func (i *issuer) close() error { return i.server.Close() }
