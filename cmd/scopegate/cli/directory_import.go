package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/cmd/scopegate/directory"
	"github.com/scopegate/scopegate/search/ingest"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

type directoryImportCommand struct {
	directoryFlags
	actorFlag
	Files         []string `arg:"" name:"file" type:"path" help:"NDJSON of companies and grants, plain, gzip or zstd; - reads standard input."`
	Replace       bool     `help:"Also remove every company and grant that is not in the files."`
	DryRun        bool     `help:"Print what would change, and change nothing."`
	AllowProblems bool     `help:"Store also what makes for cycles, missing parents, or grants of unknown companies. They are contained: nobody sees more for them."`
}

// Help is shown by `scopegate directory import --help`.
func (directoryImportCommand) Help() string {
	return `A line is one of those that scopegate import takes, but no session. All lines are looked at before
anything is written; one that is bad, or that makes for a new problem, refuses all of them. Only
what differs is written.

The sessions of a company that is removed stay stored, and nobody can reach them.` + directoryHelp
}

// Run imports.
func (c directoryImportCommand) Run(ctx context.Context, env Environ, std Streams) error {
	if err := (importCommand{Files: c.Files}).checkFiles(); err != nil {
		return &exitError{ExitUsage, err}
	}
	cfg, err := c.load(env, c.DryRun)
	if err != nil {
		return err
	}
	e := directory.Edit{
		Command: "directory import", Asked: audit.Event{Action: "directory.import"},
		Allow: c.AllowProblems, DryRun: c.DryRun,
	}
	var changes []session.Change
	e.Read = func() (err error) {
		changes, err = c.read(ctx, std)
		return err
	}
	e.Make = func(d *directory.Draft) error {
		c.lay(changes, d)
		return nil
	}
	if c.Replace {
		e.Command += " --replace"
	}
	p, err := c.change(ctx, cfg, c.actorFlag, std, e)
	if c.DryRun {
		err = errors.Join(printLines(std.Out, p.Lines()), err)
	}
	if err != nil {
		return err
	}
	return c.summarize(std.Out, p)
}

// read returns the files' lines.
func (c directoryImportCommand) read(ctx context.Context, std Streams) (changes []session.Change, err error) {
	for _, name := range c.Files {
		if changes, err = c.readFile(ctx, std, changes, name); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			return nil, directory.Refused("%s: %w", label(name), err)
		}
	}
	if c.Replace {
		alone := directory.NewDraft(tenancy.Records{})
		if c.lay(changes, alone); len(alone.Records().Companies) == 0 {
			return nil, directory.Refused("there is no company in what is to replace all companies")
		}
	}
	return changes, nil
}

// lay lays the lines over the draft.
func (c directoryImportCommand) lay(changes []session.Change, d *directory.Draft) {
	if c.Replace {
		d.Clear()
	}
	for _, change := range changes {
		d.Apply(change)
	}
}

var errSession = errors.New("a session: these are for `scopegate import`")

// readFile appends the file's lines.
func (c directoryImportCommand) readFile(ctx context.Context, std Streams, to []session.Change, name string) (_ []session.Change, err error) {
	source, err := openSource(name, std.In)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	err = ingest.Each(ctx, source, func(change session.Change) error {
		if change.Kind == session.KindSession {
			return errSession
		}
		to = append(to, change)
		return nil
	})
	return to, err
}

func (c directoryImportCommand) summarize(to io.Writer, p directory.Plan) error {
	verb := ""
	if c.DryRun {
		verb = "would be "
	}
	lines := []string{fmt.Sprintf("companies %sadded: %d, changed: %d, removed: %d; grants %sadded: %d, removed: %d",
		verb, len(p.Added), len(p.Changed), len(p.Removed), verb, len(p.GrantsAdded), len(p.GrantsTaken))}
	if len(p.Removed) > 0 {
		lines = append(lines, "sessions of a company that is removed stay stored, and nobody can reach them")
	}
	return printLines(to, lines)
}

func printLines(to io.Writer, lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(to, line); err != nil {
			return err
		}
	}
	return nil
}
