package tenancy

import (
	"slices"
	"time"
)

// Principal is a caller whose token has been verified.
//
// SECURITY: it can be made only by Verifier.Verify; Recall repeats it. The zero Principal is
// nobody: every Directory method refuses it.
type Principal struct {
	account    Account
	company    CompanyID
	roles      []string
	supervisor bool
	expires    time.Time
	bounds     []CompanyID // subtrees that the issuer may speak for; empty: any
	proof      proof
}

// proof is what tells later whether the token was taken back.
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

// Supervisor reports whether the account may see the companies below its own
// and below those granted to it.
func (p Principal) Supervisor() bool { return p.supervisor }

// Expires is the token's exp.
func (p Principal) Expires() time.Time { return p.expires }
