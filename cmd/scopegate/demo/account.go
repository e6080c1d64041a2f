package demo

import (
	"slices"

	"github.com/scopegate/scopegate/tenancy"
)

const (
	// Issuer is the iss of every token of the identity provider. It does not
	// name the listener, as grants are bound to (issuer, subject) and have to
	// outlive a change of port.
	Issuer = "https://iam.scopegate.example"
	// Audience is the aud of every token.
	Audience = "scopegate"
	// KeySetPath is where the identity provider publishes its keys.
	KeySetPath = "/dev/iam/.well-known/jwks.json"
	// loginPath is where a token is had for an e-mail and a password.
	loginPath = "/dev/iam/api/v1/auth/login"
	// SupervisorRole is the role that lets an account supervise.
	SupervisorRole = "supervisor"
)

// Account is somebody who may log in.
type Account struct {
	Email       string            `json:"email"`
	Password    string            `json:"password"`
	CompanyID   tenancy.CompanyID `json:"companyId"`
	CompanyName string            `json:"companyName"`
	Roles       []string          `json:"roles"`

	// About says in a few words what the account is there to show.
	About string `json:"-"`
	// Subject is the sub of its tokens.
	Subject string `json:"-"`
	// Granted are further companies that the directory gives it.
	Granted []tenancy.CompanyID `json:"-"`
}

// Supervisor reports whether the account may see the companies below its own.
func (a Account) Supervisor() bool { return slices.Contains(a.Roles, SupervisorRole) }

// The accounts' places in the slice that accounts returns.
const (
	ownerAccount = iota
	supervisorAccount
	grantedAccount
	agentAccount
)

// accounts are who can log in, with the companies of the tree that they are
// there to show. Subjects are opaque, as those of a real provider are.
func accounts(tree []company) []Account {
	list := []Account{
		ownerAccount: {
			Email: "owner@demo.example", Password: "owner-of-all", Subject: "acc-7c1f0e52",
			Roles: []string{SupervisorRole}, About: "owner of the whole tree",
		},
		supervisorAccount: {
			Email: "supervisor@demo.example", Password: "one-branch", Subject: "acc-2b94d7a8",
			Roles: []string{SupervisorRole}, About: "supervisor of one branch and its sites",
		},
		grantedAccount: {
			Email: "granted@demo.example", Password: "two-branches", Subject: "acc-e03a61c9",
			Roles: []string{SupervisorRole}, About: "supervisor of one branch, granted an unrelated one",
		},
		agentAccount: {
			Email: "agent@demo.example", Password: "one-company", Subject: "acc-518dbf34",
			Roles: []string{"agent"}, About: "agent of one company, supervises nothing",
		},
	}
	for i, name := range []string{"Nordlicht Group", "Nordlicht Köln", "Nordlicht Málaga", "Köln · Online-Shop"} {
		c := findCompany(tree, name)
		list[i].CompanyID, list[i].CompanyName = c.ID, c.Name
	}
	list[grantedAccount].Granted = []tenancy.CompanyID{findCompany(tree, "Nordlicht 大阪").ID}
	return list
}

// Accounts lists who can log in.
func Accounts() []Account { return accounts(layOut()) }

// Supervisor is the account that the demo searches as: it supervises one branch
// and its sites.
func Supervisor() Account { return Accounts()[supervisorAccount] }
