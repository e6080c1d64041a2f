package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

const (
	refreshLife  = 30 * 24 * time.Hour
	maxRefreshes = 10_000
)

// login is what a refresh token stands for.
type login struct {
	account int // index of Identity.accounts
	company tenancy.CompanyID
	expires time.Time
}

// refreshTokens remembers the logins that may be renewed, each once: a renewal
// gets a token of its own. The tokens are kept as digests. The oldest go when
// there are too many.
type refreshTokens struct {
	mu     sync.Mutex
	logins map[[sha256.Size]byte]login
	order  [][sha256.Size]byte // as they came; may name used ones
}

func newRefreshTokens() *refreshTokens {
	return &refreshTokens{logins: make(map[[sha256.Size]byte]login)}
}

func (r *refreshTokens) issue(l login) string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: see crypto/rand
	token := base64.RawURLEncoding.EncodeToString(secret)
	key := sha256.Sum256([]byte(token))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logins[key] = l
	r.order = append(r.order, key)
	for len(r.order) > maxRefreshes {
		delete(r.logins, r.order[0])
		r.order = r.order[1:]
	}
	return token
}

// use takes the token out of circulation, if check agrees to the login that it
// stands for.
func (r *refreshTokens) use(token string, now time.Time, check func(login) error) (login, error) {
	key := sha256.Sum256([]byte(token))
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.logins[key]
	if !ok || !now.Before(l.expires) {
		return login{}, errRefreshToken
	}
	if err := check(l); err != nil {
		return login{}, err
	}
	delete(r.logins, key)
	return l, nil
}
