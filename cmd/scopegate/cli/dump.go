package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/search/ingest"
)

type dumpCommand struct {
	configFlags
	Data  string `type:"path" env:"SCOPEGATE_DATA" placeholder:"DIR" help:"Data folder of the embedded engine (setting sqlite.dir; default ./scopegate-data)."`
	Out   string `short:"o" default:"-" placeholder:"FILE" help:"Where to write; .gz and .zst are compressed, - is standard output (default -)."`
	Force bool   `help:"Overwrite FILE."`
	Quiet bool   `short:"q" help:"Neither progress nor summary."`
}

// Help is shown by `scopegate dump --help`.
func (dumpCommand) Help() string {
	return `Writes all companies, grants and sessions of the settings' engine as lines that ` + "`scopegate import`" + `
reads, as they are at one moment. The engine may be in use, and of an older schema than this program's:

  scopegate dump -c scopegate.yaml -o scopegate.ndjson.zst
  scopegate dump -c old.yaml | scopegate import -c new.yaml -

FILE holds personal data: only its owner can read it, and it has its name only when it is whole.
Records that an import rejects, such as documents of another producer that are no sessions, are in it
as they are stored.

Exit codes:
  0  every record is written
  1  failed: no FILE is left
  2  wrong usage; nothing was written
  3  some records could not be read, all others are written`
}

// Run writes the lines.
func (c dumpCommand) Run(ctx context.Context, env Environ, std Streams) (err error) {
	cfg, err := c.loadEngine(env, c.Data)
	if err != nil {
		return err
	}
	if dir := app.DataFolder(cfg); dir != "" {
		if err := holdsData(dir); err != nil {
			return err
		}
	}
	from, err := app.EngineOf(cfg).OpenDump(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	out, err := createSecretFile(c.Out, std.Out, c.Force)
	if err != nil {
		return err
	}
	report, err := c.dump(ctx, std, from, out)
	if err != nil {
		return errors.Join(fmt.Errorf("dump: %w", err), out.discard())
	}
	if err := out.Close(); err != nil {
		return err
	}
	if !c.Quiet {
		_, err = fmt.Fprintf(std.Err, "companies: %d, grants: %d, sessions: %d; of these, import rejects %d\n",
			report.Companies, report.Grants, report.Sessions, report.Unfit)
	}
	if report.Unread > 0 {
		err = &exitError{ExitIncomplete, fmt.Errorf("%d records could not be read and are not in the dump", report.Unread)}
	}
	return err
}

func (c dumpCommand) dump(ctx context.Context, std Streams, from app.Dumpable, out io.Writer) (ingest.DumpReport, error) {
	if c.Quiet {
		return ingest.Dump(ctx, from, out, nil)
	}
	bar := newCountBar(std.Err, "records", -1)
	defer bar.done()
	return ingest.Dump(ctx, from, out, func(r ingest.DumpReport) { bar.show(r.Lines(), -1) })
}
