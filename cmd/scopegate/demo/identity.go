package demo

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/scopegate/scopegate/tenancy"
)

const (
	defaultTTL = 3600  // seconds
	maxTTL     = 86400 // seconds, in either direction
	// Wrong passwords: so many at once, then one in so long.
	wrongPasswords = 20
	wrongPause     = time.Second
)

// Identity is the identity provider of the demo: it logs in the demo's
// accounts, signs their tokens and publishes its keys. It is for loopback
// addresses: it speaks plain HTTP and lists its passwords.
type Identity struct {
	now       func() time.Time
	tree      []company
	accounts  []Account
	keys      *keyring
	refreshes *refreshTokens
	wrong     map[string]*rate.Limiter // by e-mail; "" for those nobody has
}

// NewIdentity makes the provider with a fresh signing key. now, unless nil,
// replaces time.Now.
func NewIdentity(now func() time.Time) (*Identity, error) {
	if now == nil {
		now = time.Now
	}
	tree := layOut()
	p := &Identity{
		now: now, tree: tree, accounts: accounts(tree),
		refreshes: newRefreshTokens(), wrong: make(map[string]*rate.Limiter),
	}
	for _, email := range append([]string{""}, p.emails()...) {
		p.wrong[email] = rate.NewLimiter(rate.Every(wrongPause), wrongPasswords)
	}
	var err error
	p.keys, err = newKeyring(maxTTL*time.Second, now())
	return p, err
}

func (p *Identity) emails() []string {
	var emails []string
	for _, a := range p.accounts {
		emails = append(emails, a.Email)
	}
	return emails
}

// Handler serves the paths below /dev/. What pages of other origins send is
// refused, unless it only reads: see ownPages.
func (p *Identity) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+loginPath, endpoint(p.login))
	mux.Handle("POST /dev/iam/api/v1/auth/refresh", endpoint(p.refresh))
	mux.Handle("POST /dev/iam/rotate", endpoint(p.rotate))
	mux.Handle("GET /dev/accounts", endpoint(p.listAccounts))
	mux.Handle("GET /dev/iam/.well-known/openid-configuration", endpoint(p.discovery))
	mux.Handle("GET "+KeySetPath, endpoint(p.keySet))
	mux.Handle("GET /dev/iam/jwks.json", endpoint(p.keySet))
	return ownPages(mux)
}

// tokens is the answer of login and refresh, named as the published client
// reads it.
type tokens struct {
	Token        string `json:"token"`
	RefreshToken string `json:"refreshToken"`
}

// login takes what the published client sends: email, password, ttl, companyId
// and extra, which is of no use here. ttl and companyId count within the bounds
// of checkTTL and maySee, and are refused beyond.
func (p *Identity) login(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Email     string             `json:"email"`
		Password  string             `json:"password"`
		TTL       *int               `json:"ttl"`
		CompanyID *tenancy.CompanyID `json:"companyId"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	account, err := p.authenticate(body.Email, body.Password)
	if err != nil {
		return err
	}
	l := login{account: account, company: p.accounts[account].CompanyID}
	if body.CompanyID != nil {
		if !p.maySee(p.accounts[account], *body.CompanyID) {
			return errForeignCompany
		}
		l.company = *body.CompanyID
	}
	return p.answer(w, l, body.TTL)
}

// refresh renews the token in Authorization, with or without Bearer, which may
// have expired. It takes the refresh token of the same account besides.
func (p *Identity) refresh(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		RefreshToken string `json:"refreshToken"`
		TTL          *int   `json:"ttl"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if err := checkTTL(body.TTL); err != nil { // before the refresh token is used up
		return err
	}
	subject, err := p.oldSubject(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	l, err := p.refreshes.use(body.RefreshToken, p.now(), func(l login) error {
		if p.accounts[l.account].Subject != subject {
			return errOldToken
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.answer(w, l, body.TTL)
}

// authenticate finds the account. Passwords are compared by digest in constant
// time, for unknown e-mails too, so that the time taken tells nothing.
func (p *Identity) authenticate(email, password string) (int, error) {
	account := slices.IndexFunc(p.accounts, func(a Account) bool { return a.Email == email })
	limiter, want := p.wrong[""], ""
	if account >= 0 {
		limiter, want = p.wrong[email], p.accounts[account].Password
	}
	if limiter.TokensAt(p.now()) < 1 {
		return 0, errTooMany
	}
	wantSum, gotSum := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(password))
	if subtle.ConstantTimeCompare(wantSum[:], gotSum[:]) != 1 || account < 0 {
		limiter.AllowN(p.now(), 1)
		return 0, errCredentials
	}
	return account, nil
}

// maySee reports whether the company is the account's own or granted, or below
// one of those for an account that supervises.
func (p *Identity) maySee(a Account, id tenancy.CompanyID) bool {
	roots := append([]tenancy.CompanyID{a.CompanyID}, a.Granted...)
	for steps := 0; steps < levelCount && id >= firstCompanyID && int(id-firstCompanyID) < len(p.tree); steps++ {
		if slices.Contains(roots, id) {
			return a.Supervisor() || steps == 0
		}
		id = p.tree[id-firstCompanyID].ParentID
	}
	return false
}

// oldSubject is the account of a token that this provider has signed, and that
// has not expired for longer than a refresh token lives.
func (p *Identity) oldSubject(header string) (string, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(strings.TrimPrefix(header, "Bearer "), &claims, p.keys.verificationKey,
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithoutClaimsValidation())
	if err != nil || claims.Issuer != Issuer || claims.ExpiresAt == nil || p.now().Sub(claims.ExpiresAt.Time) >= refreshLife {
		return "", errOldToken
	}
	return claims.Subject, nil
}

func checkTTL(ttl *int) error {
	if ttl != nil && (*ttl < -maxTTL || *ttl > maxTTL) {
		return badRequest("ttl must be %d to %d seconds.", -maxTTL, maxTTL)
	}
	return nil
}

// answer signs a token for the login. A ttl of 0 or less is a token that has
// expired; it says that it was issued an hour before that.
func (p *Identity) answer(w http.ResponseWriter, l login, ttl *int) error {
	if err := checkTTL(ttl); err != nil {
		return err
	}
	life := defaultTTL * time.Second
	if ttl != nil {
		life = time.Duration(*ttl) * time.Second
	}
	now := p.now()
	issued, expires := now, now.Add(life)
	if life <= 0 {
		issued = expires.Add(-defaultTTL * time.Second)
	}
	account := p.accounts[l.account]
	token, err := p.keys.sign(claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: Issuer, Subject: account.Subject, Audience: jwt.ClaimStrings{Audience}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(issued), NotBefore: jwt.NewNumericDate(issued), ExpiresAt: jwt.NewNumericDate(expires),
		},
		CompanyID: l.company, Roles: account.Roles,
	})
	if err != nil {
		return err
	}
	l.expires = now.Add(refreshLife)
	return writeJSON(w, http.StatusOK, "application/json", tokens{Token: token, RefreshToken: p.refreshes.issue(l)})
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims

	CompanyID tenancy.CompanyID `json:"company_id"`
	Roles     []string          `json:"roles"`
}
