package tenancy

import (
	"crypto/ed25519"
	"encoding/binary"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
)

// verifiedUntil is a token of a key that is in its issuer's set.
func verifiedUntil(t *testing.T, until time.Time) *verified {
	t.Helper()
	public := ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	if err != nil {
		t.Fatal(err)
	}
	keys := &issuerKeys{set: &keySet{keys: map[string]jwkset.JWK{"k": key}}}
	return &verified{until: until, keys: keys, kid: "k", alg: "EdDSA", key: public}
}

func hashOf(n int) (h tokenHash) {
	binary.BigEndian.PutUint64(h[:], uint64(n))
	return h
}

func TestRememberedTokensAreBounded(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	token := verifiedUntil(t, now.Add(time.Hour))
	cache := newVerifiedTokens(100)
	for n := range 1000 {
		cache.put(hashOf(n), token, now)
		if len(cache.tokens) > 100 {
			t.Fatalf("%d tokens are remembered, 100 are allowed", len(cache.tokens))
		}
		if _, ok := cache.get(hashOf(n)); !ok {
			t.Fatalf("token %d was not remembered", n)
		}
	}
}

func TestExpiredTokensMakeRoomFirst(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	live, expired := verifiedUntil(t, now.Add(time.Hour)), verifiedUntil(t, now)
	cache := newVerifiedTokens(100)
	for n := range 50 {
		cache.put(hashOf(n), live, now)
		cache.put(hashOf(1000+n), expired, now)
	}
	cache.put(hashOf(5000), live, now)
	for n := range 50 {
		if _, ok := cache.get(hashOf(n)); !ok {
			t.Errorf("live token %d was dropped", n)
		}
	}
	if len(cache.tokens) != 51 {
		t.Errorf("%d tokens are remembered, want 51", len(cache.tokens))
	}
}

func TestACacheOfOneHoldsOne(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	cache := newVerifiedTokens(1)
	for n := range 3 {
		cache.put(hashOf(n), verifiedUntil(t, now.Add(time.Hour)), now)
	}
	if _, ok := cache.get(hashOf(2)); !ok || len(cache.tokens) != 1 {
		t.Errorf("%d tokens are remembered, newest: %v", len(cache.tokens), ok)
	}
}

func TestATokenIsForgottenWithItsKey(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	token := verifiedUntil(t, now.Add(time.Hour))
	cache := newVerifiedTokens(10)
	cache.put(hashOf(1), token, now)
	token.keys.set = &keySet{}
	if _, ok := cache.get(hashOf(1)); ok || len(cache.tokens) != 0 {
		t.Error("a token outlived its key")
	}
}
