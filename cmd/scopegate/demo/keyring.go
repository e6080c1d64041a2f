package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// maxPublishedKeys bounds the key set, however often it is rotated; the oldest
// keys go first.
const maxPublishedKeys = 8

// keyring holds the signing key, the next one, which is published before its
// time so that verifiers know it when it comes into use, and those before,
// which stay published for as long as a token that they signed may live. Keys
// are never on disk: they end with the process.
type keyring struct {
	grace time.Duration

	mu   sync.RWMutex
	keys []signingKey // in order of use: the last is the next, the last but one signs
}

type signingKey struct {
	id      string
	private *ecdsa.PrivateKey
	jwk     jwkset.JWKMarshal
	retired time.Time // zero: it signs, or will
}

func newKeyring(grace time.Duration, now time.Time) (*keyring, error) {
	next, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	k := &keyring{grace: grace, keys: []signingKey{next}}
	_, err = k.rotate(now)
	return k, err
}

// rotate brings the next key into use, returns its id, and makes one to come
// after it.
func (k *keyring) rotate(now time.Time) (string, error) {
	next, err := newSigningKey()
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	signing := k.keys[len(k.keys)-1]
	remaining := make([]signingKey, 0, len(k.keys)+1)
	for _, old := range k.keys[:len(k.keys)-1] {
		if old.retired.IsZero() {
			old.retired = now
		}
		if now.Sub(old.retired) < k.grace {
			remaining = append(remaining, old)
		}
	}
	remaining = append(remaining, signing, next)
	k.keys = remaining[max(0, len(remaining)-maxPublishedKeys):]
	return signing.id, nil
}

func newSigningKey() (signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, err
	}
	id := make([]byte, 12)
	_, _ = rand.Read(id) // never fails: see crypto/rand
	key := signingKey{id: hex.EncodeToString(id), private: private}
	jwk, err := jwkset.NewJWKFromKey(private.Public(), jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{KID: key.id, ALG: jwkset.AlgES256, USE: jwkset.UseSig},
	})
	if err != nil {
		return signingKey{}, err
	}
	key.jwk = jwk.Marshal()
	return key, nil
}

// published is the key set as it goes on the wire, the newest first.
func (k *keyring) published(now time.Time) jwkset.JWKSMarshal {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var set jwkset.JWKSMarshal
	for i := len(k.keys) - 1; i >= 0; i-- {
		if retired := k.keys[i].retired; retired.IsZero() || now.Sub(retired) < k.grace {
			set.Keys = append(set.Keys, k.keys[i].jwk)
		}
	}
	return set
}

func (k *keyring) sign(claims jwt.Claims) (string, error) {
	k.mu.RLock()
	key := k.keys[len(k.keys)-2]
	k.mu.RUnlock()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = key.id
	return token.SignedString(key.private)
}

// verificationKey implements jwt.Keyfunc.
func (k *keyring) verificationKey(token *jwt.Token) (any, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for i := range k.keys {
		if k.keys[i].id == token.Header["kid"] {
			return k.keys[i].private.Public(), nil
		}
	}
	return nil, jwt.ErrTokenUnverifiable
}
