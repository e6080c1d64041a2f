package tenancy_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// planted stands for what a token says of a person: no error may repeat it.
const planted = "planted-7f3a"

// wantRefusal fails unless the error is that refusal and repeats nothing of the
// token.
func wantRefusal(t *testing.T, err error, reason tenancy.Reason, claim string) {
	t.Helper()
	gotReason, gotClaim, ok := tenancy.RefusalOf(err)
	if !ok || gotReason != reason || gotClaim != claim {
		t.Errorf("reason %q, claim %q of %v, want %q, %q", gotReason, gotClaim, err, reason, claim)
	}
	if !slices.Contains(tenancy.Reasons(), gotReason) {
		t.Errorf("reason %q is not in the list of reasons", gotReason)
	}
	if err != nil && strings.Contains(err.Error(), planted) {
		t.Errorf("the error repeats the token: %v", err)
	}
}

func TestEveryRefusedTokenHasAReasonThatRepeatsNothingOfIt(t *testing.T) {
	w := newWorld(t)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	claims := func(pairs ...any) string {
		changed := map[string]any{"name": planted}
		for i := 0; i < len(pairs); i += 2 {
			changed[pairs[i].(string)] = pairs[i+1]
		}
		return w.token(t, nil, changed)
	}
	header := func(name string, value any) string {
		return w.token(t, map[string]any{name: value}, map[string]any{"name": planted})
	}
	for name, c := range map[string]struct {
		token  string
		reason tenancy.Reason
		claim  string
	}{
		"nothing":                     {"", tenancy.ReasonMissing, ""},
		"too long":                    {strings.Repeat("A", tenancytest.MaxToken+1), tenancy.ReasonTooLong, ""},
		"opaque":                      {planted, tenancy.ReasonMalformed, ""},
		"encrypted, of five parts":    {"e30.AA.AA.AA.AA", tenancy.ReasonMalformed, ""},
		"no base64":                   {"{}.{}.{}", tenancy.ReasonMalformed, ""},
		"no JSON":                     {"AAAA.AAAA.AAAA", tenancy.ReasonMalformed, ""},
		"crit":                        {header("crit", []string{planted}), tenancy.ReasonExtension, ""},
		"another typ":                 {header("typ", planted), tenancy.ReasonType, ""},
		"no kid":                      {header("kid", nil), tenancy.ReasonKey, ""},
		"an unknown kid":              {header("kid", planted), tenancy.ReasonKey, ""},
		"the kid of another key":      {header("kid", "ec"), tenancy.ReasonKey, ""},
		"no alg":                      {header("alg", nil), tenancy.ReasonAlgorithm, ""},
		"alg none":                    {header("alg", "none"), tenancy.ReasonAlgorithm, ""},
		"alg HS256":                   {header("alg", "HS256"), tenancy.ReasonAlgorithm, ""},
		"an alg that there is not":    {header("alg", planted), tenancy.ReasonAlgorithm, ""},
		"an issuer with a slash more": {claims("iss", w.issuer.URL()+"/"), tenancy.ReasonIssuer, ""},
		"no issuer":                   {claims("iss", nil), tenancy.ReasonIssuer, ""},
		"signed by a stranger":        {compact(t, jwt.SigningMethodEdDSA, stranger, goodHeader(), goodClaims(w.issuer)), tenancy.ReasonSignature, ""},
		"another audience":            {claims("aud", planted), tenancy.ReasonAudience, ""},
		"no audience":                 {claims("aud", nil), tenancy.ReasonAudience, ""},
		"an audience that is no text": {claims("aud", []any{1}), tenancy.ReasonAudience, ""},
		"an audience that is a digit": {claims("aud", 1), tenancy.ReasonAudience, ""},
		"for somebody else, without what is ours": {
			claims("aud", planted, "company_id", nil, "exp", now-60), tenancy.ReasonAudience, "",
		},
		"no exp":                       {claims("exp", nil), tenancy.ReasonClaim, "exp"},
		"exp in milliseconds":          {claims("exp", now*1000), tenancy.ReasonClaim, "exp"},
		"nbf a text":                   {claims("nbf", planted), tenancy.ReasonClaim, "nbf"},
		"iat a text":                   {claims("iat", planted), tenancy.ReasonClaim, "iat"},
		"no subject":                   {claims("sub", nil), tenancy.ReasonClaim, "sub"},
		"a company as text":            {claims("company_id", "7"), tenancy.ReasonClaim, "company_id"},
		"no company":                   {claims("company_id", nil), tenancy.ReasonClaim, "company_id"},
		"roles of numbers":             {claims("roles", []int{1}), tenancy.ReasonClaim, "roles"},
		"a jti that is a number":       {claims("jti", 1), tenancy.ReasonClaim, "jti"},
		"not valid yet":                {claims("nbf", now+60), tenancy.ReasonNotYet, ""},
		"issued in the future":         {claims("iat", now+60), tenancy.ReasonNotYet, ""},
		"expired":                      {claims("exp", now-60), tenancy.ReasonExpired, ""},
		"expired, and without company": {claims("exp", now-60, "company_id", nil), tenancy.ReasonClaim, "company_id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.verifier.Verify(context.Background(), c.token)
			wantRefusal(t, err, c.reason, c.claim)
		})
	}
}

func TestTheNameOfAConfiguredClaimIsTheReasonsClaim(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{
		Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: issuer.Client(), CompanyClaim: "tenant", RolesClaim: "groups",
	})
	for claim, extra := range map[string]map[string]any{
		"tenant": {"tenant": "7"},
		"groups": {"tenant": 7, "groups": 1},
	} {
		_, err := verifier.Verify(t.Context(), issuer.Token(t, tenancytest.Claims{Company: 7, Extra: extra}))
		wantRefusal(t, err, tenancy.ReasonClaim, claim)
	}
}

func TestTheLongestTokenIsAnOption(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	long := func(n int) string {
		return issuer.Token(t, tenancytest.Claims{Company: 7, Extra: map[string]any{"groups": strings.Repeat("x", n)}})
	}
	for _, c := range []struct {
		option, length int
		reason         tenancy.Reason // "": it is taken
	}{
		{0, 11_000, ""}, // 200 groups of Entra ID
		{0, 13_000, tenancy.ReasonTooLong},
		{2_000, 1_000, ""},
		{2_000, 2_000, tenancy.ReasonTooLong},
		{64 << 10, 40_000, ""},
	} {
		verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{
			Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: issuer.Client(), MaxToken: c.option,
		})
		_, err := verifier.Verify(t.Context(), long(c.length))
		switch {
		case c.reason != "":
			wantRefusal(t, err, c.reason, "")
		case err != nil:
			t.Errorf("a claim of %d bytes with MaxToken %d: %v", c.length, c.option, err)
		}
	}
}

// Nothing but the length of the whole is bounded.
func TestClaimsMayBeAsManyAndAsLongAsFitIntoAToken(t *testing.T) {
	w := newWorld(t)
	many := func(name string, n int, last string) []string {
		list := make([]string, n, n+1)
		for i := range list {
			list[i] = name + strings.Repeat("x", i%7)
		}
		return append(list, last)
	}
	long := strings.Repeat("é", 3000)
	for name, claims := range map[string]map[string]any{
		"1,000 audiences":       {"aud": many("a", 1000, tenancytest.Audience)},
		"1,000 roles":           {"roles": many("r", 1000, "supervisor")},
		"a long role":           {"roles": []string{long, "supervisor"}},
		"a long subject":        {"sub": long},
		"a long jti":            {"jti": long},
		"1,000 groups":          {"groups": many("g", 1000, "x")},
		"claims within claims":  {"realm_access": map[string]any{"roles": many("r", 100, "x"), "more": map[string]any{"deeper": []any{1, nil}}}},
		"an exp in a century":   {"exp": time.Now().AddDate(100, 0, 0).Unix()},
		"dates with a fraction": {"iat": float64(time.Now().Unix()) - 0.25, "exp": float64(time.Now().Unix()) + 3600.75},
	} {
		t.Run(name, func(t *testing.T) { w.check(t, w.token(t, nil, claims), nil) })
	}
	long = strings.Repeat("k", 1000)
	publish(t, w.issuer, jwk(t, w.keys.ed, long, nil))
	verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{Issuers: []tenancy.IssuerOptions{w.issuer.Options()}, HTTPClient: w.issuer.Client()})
	if _, err := verifier.Verify(t.Context(), w.token(t, map[string]any{"kid": long}, nil)); err != nil {
		t.Errorf("a long kid: %v", err)
	}
}

func TestRefusalsOfKnownCallersSayWhichRule(t *testing.T) {
	companies := []tenancy.Company{{ID: 1, Name: "one"}, {ID: 2, Name: "two", ParentID: 1}, {ID: 9, Name: "nine"}}
	directory := tenancytest.NewDirectory(t, tenancy.Records{Companies: companies})
	identity := tenancytest.NewIdentity(t)
	options := identity.Options()
	options.Companies = []tenancy.CompanyID{1}
	bound := tenancytest.NewVerifier(t, tenancy.VerifierOptions{Issuers: []tenancy.IssuerOptions{options}, HTTPClient: identity.Client()})
	ofBound, err := bound.Verify(t.Context(), identity.Token(t, tenancytest.Claims{Company: 9}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller tenancy.Principal
		asked  tenancy.Selection
		reason tenancy.Reason
	}{
		"a company that is not in the directory": {identity.Principal(t, 77), tenancy.Selection{}, tenancy.ReasonCompanyUnknown},
		"a company of another issuer":            {ofBound, tenancy.Selection{}, tenancy.ReasonCompanyOfAnother},
		"a foreign company":                      {identity.Principal(t, 1), tenancy.Selection{Companies: []tenancy.CompanyID{9}}, tenancy.ReasonCompanyForeign},
		"a company that there is not":            {identity.Principal(t, 1), tenancy.Selection{Companies: []tenancy.CompanyID{77}}, tenancy.ReasonCompanyForeign},
		"all supervised, by an agent":            {identity.Principal(t, 1), tenancy.Selection{ShowAllSupervised: true}, tenancy.ReasonNotSupervisor},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := directory.Resolve(c.caller, c.asked)
			wantRefusal(t, err, c.reason, "")
			if !errors.Is(err, tenancy.ErrForbidden) {
				t.Errorf("%v is no ErrForbidden", err)
			}
		})
	}
}

func TestWhatCannotBeCheckedHasAReasonToo(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	issuer.Answer(http.NotFoundHandler())
	verifier, err := tenancytest.StartVerifier(t.Context(), tenancy.VerifierOptions{
		Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	_, err = verifier.Verify(t.Context(), issuer.Token(t, tenancytest.Claims{Company: 7}))
	wantRefusal(t, err, tenancy.ReasonKeysUnavailable, "")
	wantRefusal(t, tenancy.ErrRevocationsUnavailable, tenancy.ReasonRevocationsUnavailable, "")
	wantRefusal(t, tenancy.ErrTokenRevoked, tenancy.ReasonRevoked, "")
	wantRefusal(t, tenancy.ErrDirectoryStale, tenancy.ReasonDirectoryStale, "")
}
