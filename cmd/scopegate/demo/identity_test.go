package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy"
)

// provider is an identity provider on a real listener, with the verifier that
// the gateway would have.
type provider struct {
	t        *testing.T
	url      string
	clock    atomic.Pointer[time.Time]
	verifier *tenancy.Verifier
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t}
	p.pass(0)
	identity, err := NewIdentity(p.now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(identity.Handler())
	t.Cleanup(server.Close)
	p.url = server.URL
	p.verifier, err = tenancy.NewVerifier(t.Context(), tenancy.VerifierOptions{
		Issuers:      []tenancy.IssuerOptions{{Issuer: Issuer, JWKSURL: p.url + KeySetPath, Audiences: []string{Audience}}},
		CompanyClaim: "company_id", RolesClaim: "roles", SupervisorRole: SupervisorRole, MaxToken: 16 << 10,
		HTTPClient: server.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.verifier.Close)
	return p
}

func (p *provider) now() time.Time { return *p.clock.Load() }

// pass lets time pass for the provider.
func (p *provider) pass(d time.Duration) {
	now := time.Now()
	if p.clock.Load() != nil {
		now = p.now().Add(d)
	}
	p.clock.Store(&now)
}

// call sends a JSON body and decodes the answer.
func (p *provider) call(method, path, authorization, body string, into any) int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if into != nil {
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			p.t.Fatal(err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	return response.StatusCode
}

func (p *provider) mustLogin(a Account, further string) tokens {
	p.t.Helper()
	var answer tokens
	body := fmt.Sprintf(`{"email":%q,"password":%q%s}`, a.Email, a.Password, further)
	if status := p.call(http.MethodPost, loginPath, "", body, &answer); status != http.StatusOK {
		p.t.Fatalf("login of %s answers %d", a.Email, status)
	}
	return answer
}

const refreshPath = "/dev/iam/api/v1/auth/refresh"

func TestEveryAccountLogsInAsItselfWithATokenThatTheGatewayBelieves(t *testing.T) {
	p := startProvider(t)
	for _, a := range Accounts() {
		t.Run(a.Email, func(t *testing.T) {
			principal, err := p.verifier.Verify(t.Context(), p.mustLogin(a, "").Token)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := principal.Account(), (tenancy.Account{Issuer: Issuer, Subject: a.Subject}); got != want {
				t.Errorf("account is %v, want %v", got, want)
			}
			if principal.Company() != a.CompanyID || principal.Supervisor() != a.Supervisor() {
				t.Errorf("company %d, supervisor %t; want %d, %t",
					principal.Company(), principal.Supervisor(), a.CompanyID, a.Supervisor())
			}
			if diff := cmp.Diff(a.Roles, principal.Roles()); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoginRefusesWhatItCannotAnswer(t *testing.T) {
	p := startProvider(t)
	supervisor, agent := Supervisor(), Accounts()[agentAccount]
	credentials := func(a Account, further string) string {
		return fmt.Sprintf(`{"email":%q,"password":%q%s}`, a.Email, a.Password, further)
	}
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"a wrong password":              {`{"email":"owner@demo.example","password":"guess"}`, http.StatusUnauthorized},
		"no password":                   {`{"email":"owner@demo.example"}`, http.StatusUnauthorized},
		"an unknown account":            {`{"email":"nobody@demo.example","password":""}`, http.StatusUnauthorized},
		"another account's password":    {fmt.Sprintf(`{"email":%q,"password":%q}`, agent.Email, supervisor.Password), http.StatusUnauthorized},
		"no JSON":                       {`email=owner`, http.StatusBadRequest},
		"an empty body":                 {``, http.StatusBadRequest},
		"two values":                    {credentials(supervisor, "") + `{}`, http.StatusBadRequest},
		"a ttl as text":                 {credentials(supervisor, `,"ttl":"600"`), http.StatusBadRequest},
		"a ttl beyond a day":            {credentials(supervisor, `,"ttl":86401`), http.StatusBadRequest},
		"a ttl below minus a day":       {credentials(supervisor, `,"ttl":-86401`), http.StatusBadRequest},
		"a negative company":            {credentials(supervisor, `,"companyId":-1`), http.StatusBadRequest},
		"a company above its own":       {credentials(supervisor, `,"companyId":1000`), http.StatusForbidden},
		"a company of another branch":   {credentials(supervisor, `,"companyId":1018`), http.StatusForbidden},
		"a company that does not exist": {credentials(supervisor, `,"companyId":999999`), http.StatusForbidden},
		"company 0":                     {credentials(supervisor, `,"companyId":0`), http.StatusForbidden},
		"an agent in another company":   {credentials(agent, `,"companyId":1012`), http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			var answer map[string]any
			if status := p.call(http.MethodPost, loginPath, "", test.body, &answer); status != test.status {
				t.Errorf("answers %d, want %d: %v", status, test.status, answer)
			}
			if answer["error"] == nil || answer["token"] != nil {
				t.Errorf("the answer is %v, want an error and no token", answer)
			}
		})
	}
}

func TestLoginIgnoresMembersThatItDoesNotKnow(t *testing.T) {
	p := startProvider(t)
	supervisor := Supervisor()
	for _, further := range []string{
		`,"extra":{"device":"web","nested":[1,null]}`, `,"extra":"text"`, `,"extra":null,"ttl":null,"companyId":null`, `,"rememberMe":true`,
	} {
		principal, err := p.verifier.Verify(t.Context(), p.mustLogin(supervisor, further).Token)
		if err != nil || principal.Company() != supervisor.CompanyID {
			t.Errorf("%s: company %d, %v", further, principal.Company(), err)
		}
	}
}

func TestASupervisorMayLogInAsAnyCompanyItMaySee(t *testing.T) {
	p := startProvider(t)
	list := Accounts()
	site := list[agentAccount].CompanyID
	for name, test := range map[string]struct {
		account Account
		company tenancy.CompanyID
	}{
		"the owner as a site":               {list[ownerAccount], site},
		"the supervisor as a site below":    {list[supervisorAccount], site},
		"an account as its granted company": {list[grantedAccount], list[grantedAccount].Granted[0]},
		"an agent as its own company":       {list[agentAccount], site},
	} {
		t.Run(name, func(t *testing.T) {
			token := p.mustLogin(test.account, fmt.Sprintf(`,"companyId":%d`, test.company)).Token
			principal, err := p.verifier.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if principal.Company() != test.company {
				t.Errorf("company is %d, want %d", principal.Company(), test.company)
			}
		})
	}
}

func TestATokenLivesAsLongAsAsked(t *testing.T) {
	p := startProvider(t)
	for name, test := range map[string]struct {
		further string
		ttl     time.Duration
		want    error
	}{
		"an hour unless told otherwise": {"", time.Hour, nil},
		"ten minutes":                   {`,"ttl":600`, 10 * time.Minute, nil},
		"expired a minute ago":          {`,"ttl":-60`, 0, tenancy.ErrTokenExpired},
		"expired a day ago":             {`,"ttl":-86400`, 0, tenancy.ErrTokenExpired},
	} {
		t.Run(name, func(t *testing.T) {
			principal, err := p.verifier.Verify(t.Context(), p.mustLogin(Supervisor(), test.further).Token)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if want := p.now().Add(test.ttl).Unix(); err == nil && principal.Expires().Unix() != want {
				t.Errorf("expires %v, want %v", principal.Expires().Unix(), want)
			}
		})
	}
}

func TestAnExpiredTokenIsRenewedOnceForTheSameAccountAndCompany(t *testing.T) {
	p := startProvider(t)
	supervisor := Supervisor()
	site := Accounts()[agentAccount].CompanyID
	old := p.mustLogin(supervisor, fmt.Sprintf(`,"ttl":-60,"companyId":%d`, site))
	body := fmt.Sprintf(`{"refreshToken":%q}`, old.RefreshToken)
	var renewed tokens
	if status := p.call(http.MethodPost, refreshPath, old.Token, body, &renewed); status != http.StatusOK {
		t.Fatalf("refresh answers %d", status)
	}
	principal, err := p.verifier.Verify(t.Context(), renewed.Token)
	if err != nil {
		t.Fatal(err)
	}
	if principal.Account().Subject != supervisor.Subject || principal.Company() != site {
		t.Errorf("renewed for %v, company %d", principal.Account(), principal.Company())
	}
	if status := p.call(http.MethodPost, refreshPath, renewed.Token, body, nil); status != http.StatusUnauthorized {
		t.Errorf("a used refresh token answers %d, want 401", status)
	}
}

func TestRefreshRefusesAndKeepsTheRefreshToken(t *testing.T) {
	p := startProvider(t)
	mine, other := p.mustLogin(Supervisor(), ""), p.mustLogin(Accounts()[ownerAccount], "")
	body := fmt.Sprintf(`{"refreshToken":%q}`, mine.RefreshToken)
	for name, test := range map[string]struct {
		authorization, body string
		status              int
	}{
		"without the old token":            {"", body, http.StatusUnauthorized},
		"with another account's token":     {other.Token, body, http.StatusUnauthorized},
		"with a token that was altered":    {mine.Token[:len(mine.Token)-4] + "AAAA", body, http.StatusUnauthorized},
		"with an unsigned token":           {"eyJhbGciOiJub25lIn0.e30.", body, http.StatusUnauthorized},
		"with an unknown refresh token":    {mine.Token, `{"refreshToken":"guess"}`, http.StatusUnauthorized},
		"without a refresh token":          {mine.Token, `{}`, http.StatusUnauthorized},
		"with a ttl beyond a day":          {mine.Token, body[:len(body)-1] + `,"ttl":99999}`, http.StatusBadRequest},
		"with a body that is not the JSON": {mine.Token, `[]`, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if status := p.call(http.MethodPost, refreshPath, test.authorization, test.body, nil); status != test.status {
				t.Errorf("answers %d, want %d", status, test.status)
			}
		})
	}
	if status := p.call(http.MethodPost, refreshPath, mine.Token, body, nil); status != http.StatusOK {
		t.Errorf("afterwards the right one answers %d, want 200", status)
	}
	renew := func(old string) int {
		fresh := p.mustLogin(Accounts()[ownerAccount], "").RefreshToken
		return p.call(http.MethodPost, refreshPath, old, fmt.Sprintf(`{"refreshToken":%q}`, fresh), nil)
	}
	p.pass(refreshLife - time.Hour)
	if status := renew(other.Token); status != http.StatusOK {
		t.Errorf("a token that expired within the month answers %d, want 200", status)
	}
	p.pass(2 * time.Hour)
	if status := renew(other.Token); status != http.StatusUnauthorized {
		t.Errorf("a token that expired before the month answers %d, want 401", status)
	}
	body = fmt.Sprintf(`{"refreshToken":%q}`, other.RefreshToken)
	if status := p.call(http.MethodPost, refreshPath, p.mustLogin(Accounts()[ownerAccount], "").Token, body, nil); status != http.StatusUnauthorized {
		t.Errorf("a month later it answers %d, want 401", status)
	}
}

func TestWrongPasswordsAreBoundedForOneAccountAndNotForOthers(t *testing.T) {
	p := startProvider(t)
	owner := Accounts()[ownerAccount]
	wrong := fmt.Sprintf(`{"email":%q,"password":"guess"}`, owner.Email)
	for i := range wrongPasswords {
		if status := p.call(http.MethodPost, loginPath, "", wrong, nil); status != http.StatusUnauthorized {
			t.Fatalf("wrong password %d answers %d, want 401", i+1, status)
		}
	}
	right := fmt.Sprintf(`{"email":%q,"password":%q}`, owner.Email, owner.Password)
	for name, body := range map[string]string{"a wrong password": wrong, "the right password": right} {
		if status := p.call(http.MethodPost, loginPath, "", body, nil); status != http.StatusTooManyRequests {
			t.Errorf("%s then answers %d, want 429", name, status)
		}
	}
	p.mustLogin(Supervisor(), "")
	p.pass(2 * wrongPause)
	p.mustLogin(owner, "")
}

func TestRotationSignsWithANewKeyAndLetsTokensLiveOn(t *testing.T) {
	p := startProvider(t)
	before := p.mustLogin(Supervisor(), "")
	if status := p.call(http.MethodPost, "/dev/iam/rotate", "", "", nil); status != http.StatusOK {
		t.Fatalf("rotate answers %d", status)
	}
	after := p.mustLogin(Supervisor(), "")
	kids := publishedKids(p)
	if len(kids) != 3 {
		t.Fatalf("%d keys are published, want the one before, the one in use and the next", len(kids))
	}
	for name, token := range map[string]string{"before": before.Token, "after": after.Token} {
		if _, err := p.verifier.Verify(t.Context(), token); err != nil {
			t.Errorf("the token from %s: %v", name, err)
		}
	}
	header := func(token string) string { head, _, _ := strings.Cut(token, "."); return head }
	if header(before.Token) == header(after.Token) {
		t.Error("the new token names the old key")
	}
	for range 2 * maxPublishedKeys {
		p.call(http.MethodPost, "/dev/iam/rotate", "", "", nil)
	}
	if kids = publishedKids(p); len(kids) != maxPublishedKeys {
		t.Errorf("%d keys are published after many rotations, want %d", len(kids), maxPublishedKeys)
	}
	p.pass(maxTTL * time.Second)
	if kids = publishedKids(p); len(kids) != 2 {
		t.Errorf("%d keys are published after the longest life of a token, want 2", len(kids))
	}
}

// publishedKids checks that both addresses publish the same public keys.
func publishedKids(p *provider) []string {
	p.t.Helper()
	var kids [2][]string
	for i, path := range []string{KeySetPath, "/dev/iam/jwks.json"} {
		var set struct {
			Keys []map[string]string `json:"keys"`
		}
		if status := p.call(http.MethodGet, path, "", "", &set); status != http.StatusOK {
			p.t.Fatalf("%s answers %d", path, status)
		}
		for _, key := range set.Keys {
			if key["alg"] != "ES256" || key["use"] != "sig" || key["d"] != "" {
				p.t.Errorf("%s publishes %v", path, key)
			}
			kids[i] = append(kids[i], key["kid"])
		}
	}
	if diff := cmp.Diff(kids[0], kids[1]); diff != "" {
		p.t.Errorf("the two key sets differ:\n%s", diff)
	}
	return kids[0]
}

func TestDiscoveryNamesTheListenersOwnKeySetAndTheFixedIssuer(t *testing.T) {
	p := startProvider(t)
	var metadata map[string]any
	p.call(http.MethodGet, "/dev/iam/.well-known/openid-configuration", "", "", &metadata)
	if metadata["issuer"] != Issuer || metadata["jwks_uri"] != p.url+KeySetPath {
		t.Errorf("issuer %v, jwks_uri %v", metadata["issuer"], metadata["jwks_uri"])
	}
}

func TestTheAccountListShowsWhatIsNeededToLogIn(t *testing.T) {
	p := startProvider(t)
	var got []map[string]any
	p.call(http.MethodGet, "/dev/accounts", "", "", &got)
	if len(got) != 4 {
		t.Fatalf("%d accounts, want 4", len(got))
	}
	supervisor := Supervisor()
	want := map[string]any{
		"email": supervisor.Email, "password": supervisor.Password, "companyId": float64(supervisor.CompanyID),
		"companyName": supervisor.CompanyName, "roles": []any{SupervisorRole},
	}
	if diff := cmp.Diff(want, got[supervisorAccount]); diff != "" {
		t.Errorf("the supervisor (-want +got):\n%s", diff)
	}
}

func TestRefreshTokensAreBoundedInNumber(t *testing.T) {
	r := newRefreshTokens()
	now := time.Now()
	first := r.issue(login{expires: now.Add(time.Hour)})
	for range maxRefreshes {
		r.issue(login{expires: now.Add(time.Hour)})
	}
	if len(r.logins) != maxRefreshes || len(r.order) != maxRefreshes {
		t.Errorf("%d logins in %d places, want %d", len(r.logins), len(r.order), maxRefreshes)
	}
	if _, err := r.use(first, now, func(login) error { return nil }); !errors.Is(err, errRefreshToken) {
		t.Errorf("the oldest is still there: %v", err)
	}
}
