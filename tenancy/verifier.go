package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// Errors of Verifier.Verify. RefusalOf gives the reason of each in more detail. The
// text of an error that wraps one is safe to log: it holds nothing of the token.
var (
	// ErrTokenMissing: there is no token.
	ErrTokenMissing = newRefusal(ReasonMissing, nil, "token is missing")
	// ErrTokenExpired: a token that is good but for its exp.
	ErrTokenExpired = newRefusal(ReasonExpired, nil, "token is expired")
	// ErrTokenInvalid: anything else that is wrong with a token.
	ErrTokenInvalid = newRefusal(ReasonMalformed, nil, "token is invalid")
	// ErrKeysUnavailable: no key set of the token's issuer could be fetched yet.
	ErrKeysUnavailable = newRefusal(ReasonKeysUnavailable, nil, "keys of the issuer are unavailable")
)

// What no option changes.
const (
	// Leeway is how far clocks may differ, for exp, nbf and iat.
	Leeway = 30 * time.Second
	// UnknownKeyInterval is the least time from a fetch of keys to one for an
	// unknown kid.
	UnknownKeyInterval = 5 * time.Second
	// maxVerifiedTokens is how many verified tokens are remembered.
	maxVerifiedTokens = 10_000
)

// DefaultRefreshKeys makes a new key known after 15 s and one fetch at the latest,
// well below the 30 s of the contract.
const DefaultRefreshKeys = 15 * time.Second

// IssuerOptions are one issuer of the allow-list.
type IssuerOptions struct {
	Issuer     string      // the exact iss
	JWKSURL    string      // where its keys are published; http only on a network you trust
	Audiences  []string    // aud must be or hold one of them; required
	Algorithms []string    // of RS256 … 512, PS256 … 512, ES256 … 512, EdDSA; none: all of those
	Companies  []CompanyID // the subtrees it may speak for; none: any, but only for a single issuer
}

// VerifierOptions are the parts of a Verifier. Issuers, the claims and MaxToken are
// required, SupervisorRole unless EveryoneSupervises, and the times of revocations
// if there are Revocations.
type VerifierOptions struct {
	Issuers            []IssuerOptions
	CompanyClaim       string           // the name of the claim; its value is a company id
	RolesClaim         string           // likewise; a string or a list of strings
	SupervisorRole     string           // the role that may supervise
	EveryoneSupervises bool             // no role is needed to supervise
	RefreshKeys        time.Duration    // between two fetches of a key set; 0: DefaultRefreshKeys
	MaxToken           int              // bytes of the longest token that is looked at
	HTTPClient         *http.Client     // nil: one that follows no redirect
	Logger             *slog.Logger     // nil: none
	Now                func() time.Time // nil: time.Now

	Revocations         Revocations   // nil: a token is good until its exp
	RefreshRevocations  time.Duration // how often Revocations is read, 15 s at most
	MaxStaleRevocations time.Duration // after which Ready fails if it cannot be read, and how long those lost are in force
}

// Verifier turns tokens into principals. It is safe for use by several
// goroutines.
type Verifier struct {
	issuers map[string]*issuer
	parser  *jwt.Parser
	claims  claimNames
	longest int // bytes of a token
	now     func() time.Time
	cache   *verifiedTokens
	revoked *revocationList // nil: nothing is revoked
	client  *http.Client
	owned   bool // the client was made here
	stop    context.CancelFunc
	running sync.WaitGroup
}

// issuer is one of the allow-list, ready for use.
type issuer struct {
	IssuerOptions
	keys     *issuerKeys
	keyfunc  keyfunc.Keyfunc
	validate *jwt.Validator
	leeway   time.Duration
}

// NewVerifier starts fetching the issuers' key sets and goes on until ctx ends
// or Close is called. An issuer that cannot be reached is no error, and neither
// are revocations that cannot be read: see Ready. Errors: options that make no
// sense, all of them at once.
func NewVerifier(ctx context.Context, o VerifierOptions) (*Verifier, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	v := &Verifier{
		issuers: make(map[string]*issuer, len(o.Issuers)),
		// Claims are validated by the issuer's own validator.
		parser:  jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithoutClaimsValidation()),
		claims:  claimNames{company: o.CompanyClaim, roles: o.RolesClaim, supervisor: o.SupervisorRole, everyone: o.EveryoneSupervises},
		longest: o.MaxToken,
		now:     o.Now,
		cache:   newVerifiedTokens(maxVerifiedTokens),
		revoked: newRevocationList(o),
		client:  o.HTTPClient,
	}
	if v.client == nil {
		v.client, v.owned = newClient(), true
	}
	for _, i := range o.Issuers {
		made, err := newIssuer(i, o, v.client)
		if err != nil {
			return nil, err
		}
		v.issuers[i.Issuer] = made
	}
	ctx, v.stop = context.WithCancel(ctx)
	for _, i := range v.issuers {
		v.running.Go(func() { i.keys.keepFresh(ctx) })
	}
	if v.revoked != nil {
		if err := v.revoked.refresh(ctx); err != nil {
			o.Logger.ErrorContext(ctx, "revocations cannot be read: no token is believed until they can", slog.Any("error", err))
		}
		v.running.Go(func() { v.revoked.keepFresh(ctx) })
	}
	return v, nil
}

func newIssuer(i IssuerOptions, o VerifierOptions, client *http.Client) (*issuer, error) {
	if len(i.Algorithms) == 0 {
		i.Algorithms = allAlgorithms()
	}
	keys := &issuerKeys{
		Storage:    jwkset.NewMemoryStorage(),
		url:        i.JWKSURL,
		algorithms: i.Algorithms,
		client:     client,
		limits:     newRefreshLimits(o),
		logger:     o.Logger.With(slog.String("issuer", i.Issuer)),
		trigger:    make(chan struct{}, 1),
		done:       make(chan struct{}),
	}
	read, err := keyfunc.New(keyfunc.Options{Storage: keys, UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}})
	if err != nil {
		return nil, err
	}
	return &issuer{
		IssuerOptions: i,
		keys:          keys,
		keyfunc:       read,
		leeway:        Leeway,
		validate: jwt.NewValidator(
			jwt.WithIssuer(i.Issuer), jwt.WithAudience(i.Audiences...), jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(), jwt.WithLeeway(Leeway), jwt.WithTimeFunc(o.Now)),
	}, nil
}

// newClient follows no redirect: keys come from the configured address alone.
func newClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close ends the background fetches and waits for them.
func (v *Verifier) Close() {
	v.stop()
	v.running.Wait()
	if v.owned {
		v.client.CloseIdleConnections()
	}
}

// Ready reports why some tokens cannot be checked: it names the issuers of which
// no usable key is known (ErrKeysUnavailable), each of them, as the accounts of
// one are none of another's; and that revocations could not be read for too
// long (ErrRevocationsUnavailable).
func (v *Verifier) Ready() error { return errors.Join(v.keysReady(), v.revoked.ready()) }

func (v *Verifier) keysReady() error {
	var without []string
	for name, i := range v.issuers {
		if _, ok := i.keys.known(); !ok {
			without = append(without, name)
		}
	}
	if len(without) == 0 {
		return nil
	}
	slices.Sort(without)
	return fmt.Errorf("%w: %s", ErrKeysUnavailable, strings.Join(without, ", "))
}

// Verify checks a token in compact serialisation and returns who sent it.
// Errors: ErrTokenMissing, ErrTokenExpired, ErrTokenInvalid (ErrTokenRevoked is
// one), ErrKeysUnavailable, ErrRevocationsUnavailable. It waits for a key set
// for a second at most.
func (v *Verifier) Verify(ctx context.Context, token string) (Principal, error) {
	if token == "" {
		return Principal{}, ErrTokenMissing
	}
	// Before anything is parsed or hashed: length costs the sender nothing.
	if err := checkShape(token, v.longest); err != nil {
		return Principal{}, err
	}
	good, err := v.good(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	// Asked each time, also of a token that is remembered.
	if err := v.revoked.check(good.principal); err != nil {
		return Principal{}, err
	}
	return good.principal, nil
}

// Revoked reports whether the token that proved the caller has been taken back
// since: ErrTokenRevoked, ErrRevocationsUnavailable, or nil, also for a token
// that has expired meanwhile. It is for work that outlives its request's
// beginning by far.
func (v *Verifier) Revoked(p Principal) error { return v.revoked.check(p) }

// Cached is the caller that a token stands for that Verify has found good before,
// if it is still remembered and would still be found good: until its exp, unless
// it was taken back or its key is gone. It costs a hash and a look-up whatever
// is sent, and waits for nothing.
func (v *Verifier) Cached(token string) (Principal, bool) {
	if checkShape(token, v.longest) != nil {
		return Principal{}, false
	}
	known, ok := v.cache.get(newTokenHash(token))
	if !ok || !v.now().Before(known.until) || v.revoked.check(known.principal) != nil {
		return Principal{}, false
	}
	return known.principal, true
}

// good is the token if all that it carries in itself holds.
func (v *Verifier) good(ctx context.Context, token string) (*verified, error) {
	hash := newTokenHash(token)
	if known, ok := v.cache.get(hash); ok {
		if !v.now().Before(known.until) {
			v.cache.drop(hash)
			return nil, ErrTokenExpired
		}
		return known, nil
	}
	made, err := v.parse(ctx, token)
	if err != nil {
		return nil, err
	}
	v.cache.put(hash, made, v.now())
	return made, nil
}

// Principal is a caller whose token has been verified.
//
// SECURITY: it can be made only by Verifier.Verify; Recall repeats it. The zero
// Principal is nobody: every Directory method refuses it.
type Principal struct {
	account    Account
	company    CompanyID
	roles      []string
	name       string // "": the token has none
	email      string // "": the token has none
	supervisor bool
	expires    time.Time
	bounds     []CompanyID // subtrees that the issuer may speak for; empty: any
	proof      proof
}

// proof is what a later check needs to find out whether the token was revoked.
type proof struct {
	id     string    // jti; "": none
	issued time.Time // iat; zero: none
	leeway time.Duration
}

// Account is the (issuer, subject) pair of the token.
func (p Principal) Account() Account { return p.account }

// Company is the caller's own company, the token's company claim.
func (p Principal) Company() CompanyID { return p.company }

// Roles are the roles that the token carries, in its order.
func (p Principal) Roles() []string { return slices.Clone(p.roles) }

// Name and Email are the claims of OpenID Connect Core 1.0, section 5.1; "" if the
// token has none. They are for the caller alone and must not be logged.
func (p Principal) Name() string { return p.name }

// Email is described with Name.
func (p Principal) Email() string { return p.email }

// Supervisor reports whether the account may see the companies below its own
// and below those granted to it.
func (p Principal) Supervisor() bool { return p.supervisor }

// Expires is the token's exp.
func (p Principal) Expires() time.Time { return p.expires }
