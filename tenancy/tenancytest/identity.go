package tenancytest

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

// Identity is an issuer and a verifier that trusts it. A test that needs many
// principals or scopes makes one Identity and asks it for each.
type Identity struct {
	*Issuer

	Verifier *tenancy.Verifier
}

// NewIdentity starts an issuer and a verifier that live as long as the test.
func NewIdentity(tb testing.TB) *Identity {
	tb.Helper()
	issuer := NewIssuer(tb)
	return &Identity{Issuer: issuer, Verifier: NewVerifier(tb, tenancy.VerifierOptions{
		Issuers:    []tenancy.IssuerOptions{issuer.Options()},
		HTTPClient: issuer.Client(),
	})}
}

// What tests that say nothing else have for the options of a verifier or a
// directory: config.Default has the same.
const (
	CompanyClaim   = "company_id"
	RolesClaim     = "roles"
	SupervisorRole = "supervisor"
	MaxToken       = 16 << 10
	RefreshEvery   = 2 * time.Second
	MaxStale       = time.Minute
)

// StartVerifier is tenancy.NewVerifier with what tests leave out.
func StartVerifier(ctx context.Context, o tenancy.VerifierOptions) (*tenancy.Verifier, error) {
	o.CompanyClaim = cmp.Or(o.CompanyClaim, CompanyClaim)
	o.RolesClaim = cmp.Or(o.RolesClaim, RolesClaim)
	o.SupervisorRole = cmp.Or(o.SupervisorRole, SupervisorRole)
	o.MaxToken = cmp.Or(o.MaxToken, MaxToken)
	o.RefreshRevocations = cmp.Or(o.RefreshRevocations, RefreshEvery)
	o.MaxStaleRevocations = cmp.Or(o.MaxStaleRevocations, MaxStale)
	return tenancy.NewVerifier(ctx, o)
}

// StartDirectory is tenancy.NewDirectory with what tests leave out.
func StartDirectory(ctx context.Context, o tenancy.DirectoryOptions) (*tenancy.Directory, error) {
	o.RefreshEvery = cmp.Or(o.RefreshEvery, RefreshEvery)
	o.MaxStale = cmp.Or(o.MaxStale, MaxStale)
	return tenancy.NewDirectory(ctx, o)
}

// NewVerifier is a verifier that lives as long as the test. It has its issuers'
// keys already, so that a test on a slow machine does not see it without; a
// test of an issuer that is down makes its own.
func NewVerifier(tb testing.TB, o tenancy.VerifierOptions) *tenancy.Verifier {
	tb.Helper()
	v, err := StartVerifier(context.Background(), o)
	if err != nil {
		tb.Fatalf("start verifier: %v", err)
	}
	tb.Cleanup(v.Close)
	awaitKeys(tb, v)
	return v
}

func awaitKeys(tb testing.TB, v *tenancy.Verifier) {
	tb.Helper()
	const tries = 10_000
	for range tries {
		if v.Ready() == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	tb.Fatalf("keys: %v", v.Ready())
}

// PrincipalOf signs a token with the claims and verifies it.
func (i *Identity) PrincipalOf(tb testing.TB, c Claims) tenancy.Principal {
	tb.Helper()
	p, err := i.Verifier.Verify(context.Background(), i.Token(tb, c))
	if err != nil {
		tb.Fatalf("verify token: %v", err)
	}
	return p
}

// Principal is the Subject, of the company, with the roles.
func (i *Identity) Principal(tb testing.TB, company tenancy.CompanyID, roles ...string) tenancy.Principal {
	tb.Helper()
	return i.PrincipalOf(tb, Claims{Company: company, Roles: roles})
}

// Scope is the scope of exactly these companies: what a supervisor of the first
// one gets who was granted the others, none of which has companies below it. No
// companies: the empty scope.
func (i *Identity) Scope(tb testing.TB, ids ...tenancy.CompanyID) tenancy.Scope {
	tb.Helper()
	if len(ids) == 0 {
		return tenancy.Scope{}
	}
	p := i.Principal(tb, ids[0], SupervisorRole)
	d, err := StartDirectory(context.Background(), tenancy.DirectoryOptions{
		Source: NewSource(flat(p.Account(), ids)),
	})
	if err != nil {
		tb.Fatalf("start directory: %v", err)
	}
	defer d.Close()
	scope, err := d.Resolve(p, tenancy.Selection{ShowAllSupervised: true})
	if err != nil {
		tb.Fatalf("resolve scope: %v", err)
	}
	return scope
}

// flat is a directory of companies that are all roots, granted to the account.
func flat(account tenancy.Account, ids []tenancy.CompanyID) tenancy.Records {
	var r tenancy.Records
	for _, id := range ids {
		r.Companies = append(r.Companies, tenancy.Company{ID: id, Name: "company"})
		r.Grants = append(r.Grants, tenancy.Grant{Account: account, CompanyID: id})
	}
	return r
}

// Principal is a principal of an Identity of its own: see Identity.Principal.
func Principal(tb testing.TB, company tenancy.CompanyID, roles ...string) tenancy.Principal {
	tb.Helper()
	return NewIdentity(tb).Principal(tb, company, roles...)
}

// Scope is a scope of an Identity of its own: see Identity.Scope.
func Scope(tb testing.TB, ids ...tenancy.CompanyID) tenancy.Scope {
	tb.Helper()
	return NewIdentity(tb).Scope(tb, ids...)
}
