package cli

import (
	"context"
	"errors"
	"log/slog"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

type directoryMoveCommand struct {
	directoryFlags
	actorFlag
	Company uint32  `arg:"" help:"The company to move."`
	Parent  *uint32 `xor:"to" placeholder:"ID" help:"The company that it is to be directly below."`
	Root    bool    `xor:"to" help:"Below none."`
}

// Help is shown by `scopegate directory move --help`.
func (directoryMoveCommand) Help() string {
	return `Those who supervise a company above the old place lose it, and all below it; those who supervise one
above the new place gain it.` + directoryHelp
}

// Run moves.
func (c directoryMoveCommand) Run(ctx context.Context, env Environ, std Streams) error {
	id, parent, err := c.ids()
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	cfg, err := c.load(env, true)
	if err != nil {
		return err
	}
	p, err := c.change(ctx, cfg, c.actorFlag, std, directoryEdit{
		command: "directory move",
		asked:   audit.Event{Action: "company.move", Details: []slog.Attr{companyAttr(id), parentAttr("new_parent", parent)}},
		make:    func(d *draft) error { return move(d, id, parent) },
	})
	if err != nil {
		return err
	}
	return say(std, p.size() > 0, "company %d is %s", "company %d was %s before", id, under(parent))
}

func (c directoryMoveCommand) ids() (id, parent tenancy.CompanyID, err error) {
	if c.Root == (c.Parent != nil) {
		return 0, 0, errors.New("say where to: either --parent or --root")
	}
	if id = tenancy.CompanyID(c.Company); !id.Valid() {
		return 0, 0, errors.New("the company must be 1 to 2147483647")
	}
	if c.Root {
		return id, 0, nil
	}
	if parent = tenancy.CompanyID(*c.Parent); !parent.Valid() {
		return 0, 0, errors.New("--parent must be 1 to 2147483647")
	}
	return id, parent, nil
}

// move refuses a parent that is not there, or is the company or below it.
func move(d *draft, id, parent tenancy.CompanyID) error {
	company, err := d.company(id)
	if err != nil {
		return err
	}
	if parent != 0 {
		if _, err := d.company(parent); err != nil {
			return err
		}
	}
	seen := map[tenancy.CompanyID]bool{} // the way up may be a circle already
	for at := parent; at != 0 && !seen[at]; at = d.is.companies[at].ParentID {
		if at == id {
			return refused("company %d cannot be below company %d: that is company %[1]d itself, or below it", id, parent)
		}
		seen[at] = true
	}
	company.ParentID = parent
	d.apply(session.Change{Kind: session.KindCompany, Company: company})
	return nil
}
