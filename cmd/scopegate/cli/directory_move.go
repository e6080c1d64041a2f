package cli

import (
	"context"
	"errors"
	"log/slog"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/cmd/scopegate/directory"
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
	p, err := c.change(ctx, cfg, c.actorFlag, std, directory.Edit{
		Command: "directory move",
		Asked:   audit.Event{Action: "company.move", Details: []slog.Attr{directory.CompanyAttr(id), directory.ParentAttr("new_parent", parent)}},
		Make:    func(d *directory.Draft) error { return directory.Move(d, id, parent) },
	})
	if err != nil {
		return err
	}
	return say(std, p.Size() > 0, "company %d is %s", "company %d was %s before", id, directory.Under(parent))
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
