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
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
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

// refused is for what cannot be done as the directory is; nothing was.
func refused(format string, args ...any) error {
	return &exitError{ExitRefused, fmt.Errorf(format, args...)}
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

// directoryEdit is a change that a command asks for.
type directoryEdit struct {
	command string               // as it is typed: "directory grant"
	asked   audit.Event          // what was asked for, when it comes to no change
	read    func() error         // reads the input, or refuses it; nil: there is none
	make    func(d *draft) error // refuses, or makes the change in the draft; again if the directory has changed
	allow   bool                 // what makes for new problems too
	dryRun  bool
}

// change reads the edit's input, then the directory, lets the edit make another
// of it, and writes the difference, which it returns beside an error too. Nobody
// else edits the directory from when it is read until the difference is written.
// Last it writes the audit's lines, whatever came of it.
func (f directoryFlags) change(ctx context.Context, cfg config.Config, who actorFlag, std Streams, e directoryEdit) (plan, error) {
	if cfg.Directory.File != "" {
		return plan{}, &exitError{ExitUsage, fmt.Errorf("directory.file is set: companies and grants are those of %s, so change that file", cfg.Directory.File)}
	}
	if e.dryRun {
		return e.open(ctx, cfg, std)
	}
	record, err := audit.Open(audit.Options{Path: cfg.Audit.File, Writer: std.Err})
	if err != nil {
		return plan{}, err
	}
	p, err := e.open(ctx, cfg, std)
	return p, errors.Join(err, e.record(ctx, record, who, p, err), record.Close())
}

func (e directoryEdit) open(ctx context.Context, cfg config.Config, std Streams) (_ plan, err error) {
	// Input may come late: the directory is not read, nor held, until it is there.
	if e.read != nil {
		if err := e.read(); err != nil {
			return plan{}, err
		}
	}
	store, err := app.EngineOf(cfg).Open(ctx, cfg)
	if err != nil {
		return plan{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	p, err := e.run(ctx, store)
	if !e.dryRun && p.size() > 0 {
		if unannounced := publishEdit(ctx, cfg, p.companies()); unannounced != nil {
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

// directoryEditor is what run needs of an engine.
type directoryEditor interface {
	Load(ctx context.Context) (tenancy.Records, error)
	EditDirectory(ctx context.Context, f func(tenancy.Records) ([][]session.Change, error)) (session.Written, error)
}

func (e directoryEdit) run(ctx context.Context, store directoryEditor) (p plan, err error) {
	if e.dryRun {
		before, err := store.Load(ctx)
		if err != nil {
			return plan{}, err
		}
		return e.plan(before)
	}
	var refusal error
	written, err := store.EditDirectory(ctx, func(before tenancy.Records) ([][]session.Change, error) {
		p, refusal = e.plan(before)
		return p.steps(), refusal
	})
	switch {
	case refusal != nil:
		return plan{}, err // nothing of it is to be on record as a change
	case errors.Is(err, search.ErrConflict):
		return plan{}, refused("others keep changing the directory at the same time; nothing was changed: try again")
	case err == nil && written.Missing > 0:
		err = errNotThere
	}
	return p, err
}

// plan is the difference that the edit makes of a directory, beside a refusal of
// what it would leave too.
func (e directoryEdit) plan(before tenancy.Records) (plan, error) {
	d := newDraft(before)
	if err := e.make(d); err != nil {
		return plan{}, err
	}
	return d.plan(), e.check(before, d)
}

// check refuses what makes the directory worse than it was.
func (e directoryEdit) check(before tenancy.Records, d *draft) error {
	if e.allow {
		return nil
	}
	if found := newProblems(before, d.records()); len(found) > 0 {
		return refused("%s", listed("this would leave the directory with problems", found))
	}
	return nil
}

// record writes a line for each change, or one for an action that came to none.
func (e directoryEdit) record(ctx context.Context, to *audit.Log, who actorFlag, p plan, err error) error {
	outcome := outcomeOf(err)
	events := p.events()
	if len(events) == 0 {
		if outcome == audit.Done {
			outcome = audit.Unchanged
		}
		events = []audit.Event{e.asked}
	}
	actor, uid := who.by()
	for i := range events {
		events[i].Actor, events[i].Outcome = actor, outcome
		events[i].Details = append(events[i].Details, slog.String("command", e.command), uid)
	}
	if err := to.Write(ctx, events...); err != nil {
		return fmt.Errorf("the audit lines are not written, although the outcome is %q: %w", outcome, err)
	}
	return nil
}

func outcomeOf(err error) audit.Outcome {
	var exit *exitError
	switch {
	case err == nil:
		return audit.Done
	case errors.As(err, &exit) && exit.code == ExitRefused:
		return audit.Refused
	}
	return audit.Failed
}
