package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/directory"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/tenancy"
)

type directoryCommand struct {
	Import directoryImportCommand `cmd:"" help:"Store companies and grants from NDJSON, all or none."`
	Grant  directoryGrantCommand  `cmd:"" help:"Give an account a further company."`
	Revoke directoryRevokeCommand `cmd:"" help:"Take a granted company from an account."`
	Move   directoryMoveCommand   `cmd:"" help:"Put a company, and all below it, somewhere else."`
	Show   directoryShowCommand   `cmd:"" help:"Show the tree, or one company with its grants."`
}

// directoryHelp ends the help of the commands that change something.
const directoryHelp = `

Running gateways follow within directory.refresh, and at once where they are told: with SQLite, or by
the Redis of this configuration; a warning says when it could not be. Each change is a line in audit.file (default: standard error).

Exit codes:
  0  done, or it was so already
  1  failed: what the audit's lines name may be done, in part or not at all
  2  wrong usage; nothing was touched
  4  refused; nothing was changed`

// directoryFlags are those of all directory commands.
type directoryFlags struct {
	configFlags
	Data string `type:"path" env:"SCOPEGATE_DATA" placeholder:"DIR" help:"Data folder of the embedded engine (setting sqlite.dir; default ./scopegate-data)."`
}

// actorFlag is of those that change something.
type actorFlag struct {
	Actor string `env:"USER" placeholder:"NAME" help:"Who asks for the change, for the audit line."`
}

// by is the actor, who may say anything, and the account of the system, which is
// a fact.
func (f actorFlag) by() (actor string, uid slog.Attr) {
	id := os.Getuid()
	if f.Actor == "" {
		return "uid " + strconv.Itoa(id), slog.Int("uid", id)
	}
	return f.Actor, slog.Int("uid", id)
}

// load reads the settings. With mustBeThere, an embedded engine without data is
// a mistake in naming it, and none is made.
func (f directoryFlags) load(env Environ, mustBeThere bool) (config.Config, error) {
	cfg, err := f.loadEngine(env, f.Data)
	dir := app.DataFolder(cfg)
	if err != nil || !mustBeThere || dir == "" {
		return cfg, err
	}
	return cfg, holdsData(dir)
}

// change reads the edit's input, then the directory, lets the edit make another
// of it, and writes the difference, which it returns beside an error too. Nobody
// else edits the directory from when it is read until the difference is written.
// Last it writes the audit's lines, whatever came of it.
func (f directoryFlags) change(ctx context.Context, cfg config.Config, who actorFlag, std Streams, e directory.Edit) (directory.Plan, error) {
	if cfg.Directory.File != "" {
		return directory.Plan{}, &exitError{ExitUsage, fmt.Errorf("directory.file is set: companies and grants are those of %s, so change that file", cfg.Directory.File)}
	}
	if e.DryRun {
		return openAndRun(ctx, cfg, std, e)
	}
	actor, uid := who.by()
	record, err := audit.Open(audit.Options{Path: cfg.Audit.File, Writer: std.Err})
	if err != nil {
		return directory.Plan{}, err
	}
	p, err := openAndRun(ctx, cfg, std, e)
	return p, errors.Join(err, e.Record(ctx, record, actor, uid, p, err), record.Close())
}

// openAndRun runs the edit on the configured engine and publishes the change.
func openAndRun(ctx context.Context, cfg config.Config, std Streams, e directory.Edit) (_ directory.Plan, err error) {
	// Input may come late: the directory is not read, nor held, until it is there.
	if e.Read != nil {
		if err := e.Read(); err != nil {
			return directory.Plan{}, err
		}
	}
	store, err := app.EngineOf(cfg).Open(ctx, cfg)
	if err != nil {
		return directory.Plan{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	p, err := e.Run(ctx, store)
	if !e.DryRun && p.Size() > 0 {
		if unannounced := publishEdit(ctx, cfg, p.Companies()); unannounced != nil {
			_, _ = fmt.Fprintf(std.Err, "warning: the gateways could not be told of the change: they follow within directory.refresh, 10s at most (%v)\n",
				unannounced) // the change matters more
		}
	}
	return p, err
}

// publishTimeout is how long publishing a change of the directory may take.
const publishTimeout = 10 * time.Second

// publishEdit has gateways read the directory at once, also when ctx has ended since
// it was changed.
func publishEdit(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	return app.EngineOf(cfg).PublishEdit(ctx, cfg, companies)
}
