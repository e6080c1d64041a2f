package cli

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/cmd/scopegate/directory"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// grantFlags name a grant.
type grantFlags struct {
	directoryFlags
	actorFlag
	Issuer  string `required:"" placeholder:"ISSUER" help:"The exact iss of the account's tokens."`
	Subject string `required:"" placeholder:"SUBJECT" help:"The sub of the account's tokens."`
	Company uint32 `required:"" placeholder:"ID" help:"The company."`
}

func (f grantFlags) grant() (tenancy.Grant, error) {
	g := tenancy.Grant{Account: tenancy.Account{Issuer: f.Issuer, Subject: f.Subject}, CompanyID: tenancy.CompanyID(f.Company)}
	if err := g.Validate(); err != nil {
		return g, &exitError{ExitUsage, err}
	}
	return g, nil
}

// put writes the grant, or takes it away, and returns whether that was a change.
func (f grantFlags) put(ctx context.Context, env Environ, std Streams, c session.Change, e directory.Edit) (bool, error) {
	cfg, err := f.load(env, true)
	if err != nil {
		return false, err
	}
	e.Asked.Details = directory.GrantAttrs(c.Grant)
	p, err := f.change(ctx, cfg, f.actorFlag, std, e)
	return p.Size() > 0, err
}

type directoryGrantCommand struct{ grantFlags }

// Help is shown by `scopegate directory grant --help`.
func (directoryGrantCommand) Help() string {
	return `Gives an account the company, and all below it if the account may supervise.` + directoryHelp
}

// Run grants.
func (c directoryGrantCommand) Run(ctx context.Context, env Environ, std Streams) error {
	g, err := c.grant()
	if err != nil {
		return err
	}
	change := session.Change{Kind: session.KindGrant, Grant: g}
	done, err := c.put(ctx, env, std, change, directory.Edit{
		Command: "directory grant", Asked: audit.Event{Action: "grant.add"},
		Make: func(d *directory.Draft) error {
			_, err := d.Company(g.CompanyID)
			d.Apply(change)
			return err
		},
	})
	if err != nil {
		return err
	}
	return say(std, done, "company %d is granted", "company %d was granted to the account before", g.CompanyID)
}

type directoryRevokeCommand struct{ grantFlags }

// Help is shown by `scopegate directory revoke --help`.
func (directoryRevokeCommand) Help() string {
	return `Takes a grant away. The account keeps its own company, and what other grants give. A grant that is
not there is refused: a slip in --issuer or --subject would leave the real one in force.` + directoryHelp
}

// Run revokes.
func (c directoryRevokeCommand) Run(ctx context.Context, env Environ, std Streams) error {
	g, err := c.grant()
	if err != nil {
		return err
	}
	change := session.Change{Kind: session.KindGrant, Delete: true, Grant: g}
	done, err := c.put(ctx, env, std, change, directory.Edit{
		Command: "directory revoke", Asked: audit.Event{Action: "grant.remove"},
		Make: func(d *directory.Draft) error {
			if !d.Granted(g) {
				return noGrant(d, g.CompanyID)
			}
			d.Apply(change)
			return nil
		},
	})
	if err != nil {
		return err
	}
	return say(std, done, "the grant of company %d is revoked", "", g.CompanyID)
}

// noGrant says why there is nothing to revoke. A grant may outlive its company.
func noGrant(d *directory.Draft, company tenancy.CompanyID) error {
	if _, err := d.Company(company); err != nil {
		return err
	}
	return directory.Refused("the account has no grant of company %d; `scopegate directory show --company %d` lists those there are", company, company)
}

// say prints what came of it.
func say(std Streams, done bool, changed, unchanged string, args ...any) error {
	format := changed
	if !done {
		format = unchanged
	}
	_, err := fmt.Fprintf(std.Out, format+"\n", args...)
	return err
}
