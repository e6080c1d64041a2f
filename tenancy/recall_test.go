package tenancy_test

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func (b *bubbled) finds(token string, want bool) {
	b.Helper()
	if _, ok := b.verifier.Cached(token); ok != want {
		b.Fatalf("recalled: %v, want %v", ok, want)
	}
}

func TestATokenIsInTheMemoOnlyAfterItWasVerified(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		token, other := b.token(), b.issuer.Token(b.T, tenancytest.Claims{Company: 8, Expires: time.Now().Add(time.Hour)})
		b.finds(token, false)
		b.want(token, nil)
		p, ok := b.verifier.Cached(token)
		if !ok || p.Company() != 7 || p.Account().Subject != tenancytest.Subject {
			b.Errorf("recalled %v: %+v", ok, p)
		}
		for _, unknown := range []string{other, "", "a.b.c", "garbage", token + "x", token[:len(token)-1], token + "\n"} {
			b.finds(unknown, false)
			if unknown != other {
				_, _ = b.verifier.Verify(b.Context(), unknown)
				b.finds(unknown, false)
			}
		}
	})
}

func TestATokenInTheMemoIsGoodUntilItsExpAndLeeway(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		expires := time.Now().Add(time.Hour)
		token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Expires: expires})
		b.want(token, nil)
		time.Sleep(time.Until(expires.Truncate(time.Second).Add(tenancy.Leeway)) - time.Second)
		b.finds(token, true)
		time.Sleep(time.Second)
		b.finds(token, false)
		b.want(token, tenancy.ErrTokenExpired)
	})
}

func TestATokenLeavesTheMemoWithItsKey(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		token := b.token()
		b.want(token, nil)
		b.issuer.Rotate(b.T)
		time.Sleep(30 * time.Second)
		b.finds(token, false)
	})
}

func TestATokenLeavesTheMemoOnceItIsRevoked(t *testing.T) {
	source := &revocations{}
	inRevocationBubble(t, source, func(b *bubbled) {
		token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Expires: time.Now().Add(time.Hour), Extra: map[string]any{"jti": "a"}})
		b.want(token, nil)
		b.finds(token, true)
		source.tokens(tenancy.RevokedToken{ID: "a"})
		time.Sleep(tenancytest.RefreshEvery + time.Second)
		b.finds(token, false)
	})
}
