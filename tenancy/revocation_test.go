package tenancy_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// revocations is a source that a test can change.
type revocations struct {
	mu      sync.Mutex
	all     tenancy.Revoked
	version int
	err     error
}

var _ tenancy.Revocations = (*revocations)(nil)

func (r *revocations) Load(context.Context) (tenancy.Revoked, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all, r.err
}

func (r *revocations) Version(context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strconv.Itoa(r.version), r.err
}

func (r *revocations) set(all tenancy.Revoked, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all, r.err = all, err
	r.version++
}

func (r *revocations) tokens(t ...tenancy.RevokedToken) { r.set(tenancy.Revoked{Tokens: t}, nil) }

// inRevocationBubble runs the test against a verifier with the defaults on a
// clock of its own, which has its keys.
func inRevocationBubble(t *testing.T, source *revocations, run func(b *bubbled)) {
	t.Helper()
	issuer := tenancytest.NewIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		verifier, err := tenancytest.StartVerifier(t.Context(), tenancy.VerifierOptions{
			Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: clientOf(issuer), Revocations: source,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(verifier.Close)
		synctest.Wait()
		run(&bubbled{t, issuer, verifier})
	})
}

func TestRevokedTokensAreRefusedAndOthersAreNot(t *testing.T) {
	at := func(d time.Duration) time.Time { return time.Now().Add(d).Truncate(time.Second) }
	account := func(b *bubbled, subject string) tenancy.Account {
		return tenancy.Account{Issuer: b.issuer.URL(), Subject: subject}
	}
	for name, c := range map[string]struct {
		claims map[string]any
		revoke func(b *bubbled) tenancy.Revoked
		want   error
	}{
		"by jti": {map[string]any{"jti": "a"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a"}}}
		}, tenancy.ErrTokenRevoked},
		"by jti and issuer": {map[string]any{"jti": "a"}, func(b *bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a", Issuer: b.issuer.URL()}}}
		}, tenancy.ErrTokenRevoked},
		"another jti": {map[string]any{"jti": "b"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a"}}}
		}, nil},
		"the jti of another issuer": {map[string]any{"jti": "a"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a", Issuer: "https://other.example"}}}
		}, nil},
		"until an instant that is past": {map[string]any{"jti": "a"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a", Until: at(-time.Minute)}}}
		}, nil},
		"until an instant that is past by less than the leeway": {map[string]any{"jti": "a"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a", Until: at(-10 * time.Second)}}}
		}, tenancy.ErrTokenRevoked},
		"twice, the longer one counts": {map[string]any{"jti": "a"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: "a"}, {ID: "a", Until: at(-time.Hour)}}}
		}, tenancy.ErrTokenRevoked},
		"without a jti, while an empty one is revoked": {nil, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Tokens: []tenancy.RevokedToken{{ID: ""}}}
		}, nil},
		"by account, issued before": {map[string]any{"sub": "s"}, func(b *bubbled) tenancy.Revoked {
			return tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{account(b, "s"), at(time.Second)}}}
		}, tenancy.ErrTokenRevoked},
		"by account, issued at the instant": {map[string]any{"sub": "s"}, func(b *bubbled) tenancy.Revoked {
			return tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{account(b, "s"), at(0)}}}
		}, nil},
		"by account, without an iat": {map[string]any{"sub": "s", "iat": nil}, func(b *bubbled) tenancy.Revoked {
			return tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{account(b, "s"), at(-time.Hour)}}}
		}, tenancy.ErrTokenRevoked},
		"by account, told twice": {map[string]any{"sub": "s"}, func(b *bubbled) tenancy.Revoked {
			return tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{account(b, "s"), at(time.Second)}, {account(b, "s"), at(-time.Hour)}}}
		}, tenancy.ErrTokenRevoked},
		"the subject of another issuer": {map[string]any{"sub": "s"}, func(*bubbled) tenancy.Revoked {
			return tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{tenancy.Account{Issuer: "https://other.example", Subject: "s"}, at(time.Second)}}}
		}, nil},
		"another subject": {map[string]any{"sub": "t"}, func(b *bubbled) tenancy.Revoked {
			return tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{account(b, "s"), at(time.Second)}}}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			source := &revocations{}
			inRevocationBubble(t, source, func(b *bubbled) {
				token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Extra: c.claims})
				source.set(c.revoke(b), nil)
				time.Sleep(tenancytest.RefreshEvery)
				synctest.Wait()
				b.want(token, c.want)
				b.want(token, c.want) // remembered
			})
		})
	}
}

func TestAJTIThatIsNoStringIsInvalid(t *testing.T) {
	w := newWorld(t)
	for name, jti := range map[string]any{"a number": 1, "a list": []string{"a"}, "null": (*string)(nil)} {
		t.Run(name, func(t *testing.T) { w.check(t, w.token(t, nil, map[string]any{"jti": jti}), tenancy.ErrTokenInvalid) })
	}
}

func TestARememberedTokenIsRefusedWithinFifteenSecondsOfItsRevocation(t *testing.T) {
	source := &revocations{}
	inRevocationBubble(t, source, func(b *bubbled) {
		token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Extra: map[string]any{"jti": "a"}})
		b.want(token, nil)
		source.tokens(tenancy.RevokedToken{ID: "a"})
		time.Sleep(15 * time.Second)
		b.want(token, tenancy.ErrTokenRevoked)
		b.want(token, tenancy.ErrTokenInvalid) // what callers are told
		source.tokens(tenancy.RevokedToken{ID: "another"})
		time.Sleep(15 * time.Second)
		b.want(token, nil)
	})
}

func TestKnownRevocationsOutliveTheirSource(t *testing.T) {
	source := &revocations{}
	source.tokens(tenancy.RevokedToken{ID: "a"})
	inRevocationBubble(t, source, func(b *bubbled) {
		revoked := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Extra: map[string]any{"jti": "a"}})
		source.set(tenancy.Revoked{}, errors.New("unreadable"))
		time.Sleep(tenancytest.MaxStale - tenancytest.RefreshEvery)
		if err := b.verifier.Ready(); err != nil {
			b.Errorf("not ready: %v", err)
		}
		time.Sleep(10 * time.Minute)
		if err := b.verifier.Ready(); !errors.Is(err, tenancy.ErrRevocationsUnavailable) {
			b.Errorf("ready: got %v, want ErrRevocationsUnavailable", err)
		}
		b.want(revoked, tenancy.ErrTokenRevoked)
		b.want(b.token(), nil)
		source.tokens(tenancy.RevokedToken{ID: "a"})
		time.Sleep(tenancytest.RefreshEvery)
		synctest.Wait()
		if err := b.verifier.Ready(); err != nil {
			b.Errorf("not ready: %v", err)
		}
	})
}

func TestWithoutItsRevocationsNoTokenIsBelieved(t *testing.T) {
	source := &revocations{}
	source.set(tenancy.Revoked{}, errors.New("unreadable"))
	inRevocationBubble(t, source, func(b *bubbled) {
		b.want(b.token(), tenancy.ErrRevocationsUnavailable)
		b.want(b.token()+"A", tenancy.ErrTokenInvalid)
		if err := b.verifier.Ready(); !errors.Is(err, tenancy.ErrRevocationsUnavailable) {
			b.Errorf("ready: got %v, want ErrRevocationsUnavailable", err)
		}
		source.tokens()
		time.Sleep(tenancytest.RefreshEvery)
		synctest.Wait()
		b.want(b.token(), nil)
	})
}

func TestRevocationOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, o := range []tenancy.VerifierOptions{
		{Revocations: &revocations{}, RefreshRevocations: time.Minute, MaxStaleRevocations: time.Hour},
		{Revocations: &revocations{}, RefreshRevocations: -1},
		{Revocations: &revocations{}, RefreshRevocations: 10 * time.Second, MaxStaleRevocations: time.Second},
	} {
		_, err := tenancytest.StartVerifier(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "revocations") {
			t.Errorf("%v, %v: got %v", o.RefreshRevocations, o.MaxStaleRevocations, err)
		}
	}
}

// TestACallerWhoseTokenHasExpiredCanStillBeTakenBack: work that goes on for long
// asks by the caller, not by the token.
func TestACallerWhoseTokenHasExpiredCanStillBeTakenBack(t *testing.T) {
	source := &revocations{}
	inRevocationBubble(t, source, func(b *bubbled) {
		token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Subject: "s", Expires: time.Now().Add(time.Minute)})
		caller, err := b.verifier.Verify(b.Context(), token)
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := b.verifier.Verify(b.Context(), token); !errors.Is(err, tenancy.ErrTokenExpired) {
			b.Errorf("the token after an hour: %v", err)
		}
		if err := b.verifier.Revoked(caller); err != nil {
			b.Errorf("the caller after an hour: %v", err)
		}
		source.set(tenancy.Revoked{Accounts: []tenancy.RevokedAccount{{
			Account: tenancy.Account{Issuer: b.issuer.URL(), Subject: "s"}, Before: time.Now(),
		}}}, nil)
		time.Sleep(tenancytest.RefreshEvery)
		synctest.Wait()
		if err := b.verifier.Revoked(caller); !errors.Is(err, tenancy.ErrTokenRevoked) {
			b.Errorf("the caller, taken back: %v", err)
		}
	})
}
