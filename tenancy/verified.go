package tenancy

import (
	"crypto"
	"crypto/sha256"
	"sync"
	"time"
)

// tokenHash stands for a token in memory, so that no token is kept there.
type tokenHash [sha256.Size]byte

func newTokenHash(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// verified is a token that was found good: who it stands for, until when, and
// by which key.
type verified struct {
	principal Principal
	until     time.Time // exp and leeway
	keys      *issuerKeys
	kid, alg  string
	key       crypto.PublicKey
}

// verifiedTokens remembers verified tokens: a client sends the same one for
// minutes, and a signature costs more than the rest of a cached request. Only
// good tokens get in, so nobody can fill it with made-up ones.
type verifiedTokens struct {
	max    int
	mu     sync.Mutex
	tokens map[tokenHash]*verified
}

func newVerifiedTokens(limit int) *verifiedTokens {
	return &verifiedTokens{max: limit, tokens: make(map[tokenHash]*verified)}
}

// get returns the token if its key is still in the issuer's set. It may have
// expired.
func (v *verifiedTokens) get(hash tokenHash) (*verified, bool) {
	v.mu.Lock()
	token, ok := v.tokens[hash]
	v.mu.Unlock()
	if !ok {
		return nil, false
	}
	if !token.keys.stillValid(token.kid, token.alg, token.key) {
		v.drop(hash)
		return nil, false
	}
	return token, true
}

func (v *verifiedTokens) drop(hash tokenHash) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.tokens, hash)
}

func (v *verifiedTokens) put(hash tokenHash, token *verified, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.tokens) >= v.max {
		v.makeRoom(now)
	}
	v.tokens[hash] = token
}

// makeRoom drops what has expired, and a tenth of the rest, whichever, when
// that is not enough: going over all tokens is to be rare.
func (v *verifiedTokens) makeRoom(now time.Time) {
	for hash, token := range v.tokens {
		if !now.Before(token.until) {
			delete(v.tokens, hash)
		}
	}
	keep := v.max - v.max/10 - 1
	for hash := range v.tokens {
		if len(v.tokens) <= keep {
			return
		}
		delete(v.tokens, hash)
	}
}
