package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/directory"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/tenancy"
)

type directoryShowCommand struct {
	directoryFlags
	Company uint32 `placeholder:"ID" help:"This company alone: the way up to it, what is below it, and its grants."`
	JSON    bool   `name:"json" help:"As JSON."`
}

// Help is shown by `scopegate directory show --help`.
func (directoryShowCommand) Help() string {
	return `Shows what the gateways of the same settings go by, also when that is a directory.file. Problems are
contained: nobody sees more for them, at most less. The tree has them contained.

Exit code 4 when the company is not in the directory.`
}

// Run shows.
func (c directoryShowCommand) Run(ctx context.Context, env Environ, std Streams) error {
	records, err := c.records(ctx, env)
	if err != nil {
		return err
	}
	nodes := tenancy.Outline(records)
	if c.Company == 0 {
		return c.print(std.Out, directory.OverviewOf(nodes, records))
	}
	one, there := directory.CompanyViewOf(nodes, records.Grants, tenancy.CompanyID(c.Company))
	if !there {
		return directory.Refused("company %d is not in the directory", c.Company)
	}
	return c.print(std.Out, one)
}

func (c directoryShowCommand) print(to io.Writer, view interface{ Text() string }) error {
	if !c.JSON {
		_, err := io.WriteString(to, view.Text())
		return err
	}
	pretty := json.NewEncoder(to)
	pretty.SetIndent("", "  ")
	return pretty.Encode(view)
}

func (c directoryShowCommand) records(ctx context.Context, env Environ) (_ tenancy.Records, err error) {
	cfg, err := c.loadEngine(env, c.Data)
	if err != nil {
		return tenancy.Records{}, err
	}
	if cfg.Directory.File != "" {
		return tenancy.FileSource(cfg.Directory.File).Load(ctx)
	}
	if cfg, err = c.load(env, true); err != nil {
		return tenancy.Records{}, err
	}
	return loadRecords(ctx, cfg)
}

func loadRecords(ctx context.Context, cfg config.Config) (_ tenancy.Records, err error) {
	store, err := app.EngineOf(cfg).Open(ctx, cfg)
	if err != nil {
		return tenancy.Records{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Load(ctx)
}
