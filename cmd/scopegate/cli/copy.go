package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/ingest"
	"github.com/scopegate/scopegate/search/sqlite"
)

type copyCommand struct {
	configFlags
	From    string `type:"existingdir" required:"" placeholder:"DIR" help:"Data folder of the embedded engine to copy from."`
	Rejects string `type:"path" placeholder:"FILE" help:"Where records go that cannot be copied (default scopegate-copy.rejects.ndjson; made when there is one)."`
	Batch   *int   `placeholder:"RECORDS" help:"Records stored at a time (default 1000; 4000 with Elasticsearch)."`
	Quiet   bool   `short:"q" help:"Neither progress nor summary."`
}

// Help is shown by `scopegate copy --help`.
func (copyCommand) Help() string {
	return `Copies all companies, grants and sessions of a data folder into the engine of the settings:

  scopegate index create -c scopegate.yaml
  scopegate copy -c scopegate.yaml --from ./scopegate-data

The folder stays as it is, and may be in use: what is copied is its state at the beginning. Records
that only the engine has are kept. A copy that was cut short, however hard, is run again.

A session that cannot be copied, such as one that an earlier version has stored and this one takes for
a bad line, does not stop the rest: it goes, with its id and the reason, to the reject file, which holds
personal data where the session does.

Exit codes:
  0  every record is copied
  1  failed or interrupted: what is stored is said; copy again to go on
  2  wrong usage; nothing was touched
  3  some records were left out, all others are copied`
}

// copyRejects is where records go that cannot be copied.
const copyRejects = "scopegate-copy.rejects.ndjson"

// Run copies.
func (c copyCommand) Run(ctx context.Context, env Environ, std Streams) (err error) {
	cfg, err := c.check(env)
	if err != nil {
		return err
	}
	from, err := sqlite.OpenArchive(ctx, c.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := app.EngineOf(cfg).OpenBulk(ctx, cfg, c.command("invalidate"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()

	rejected := newRejectFiles(cmp.Or(c.Rejects, copyRejects))
	defer func() { err = errors.Join(err, rejected.Close()) }()

	report, err := c.copy(ctx, std, from, to, rejected)
	if err != nil {
		err = errors.Join(fmt.Errorf("%w; %d records are stored: copy again to go on", err, report.Upserted), to.FinishAnyway(ctx, report.Upserted))
		return err
	}
	if err := to.Finish(ctx, report.Upserted); err != nil {
		return withRejected(err, report, "records were left out", rejected)
	}
	if !c.Quiet {
		_, err = fmt.Fprintf(std.Out, "%s: records copied: %d, left out: %d\n", c.From, report.Upserted, report.Rejected)
	}
	if report.Rejected > 0 {
		err = rejectedError(report, "records were left out", rejected)
	}
	return err
}

func (c copyCommand) copy(
	ctx context.Context, std Streams, from *sqlite.Archive, to *app.BulkStore, rejected *rejectFiles,
) (ingest.Report, error) {
	o := ingest.Options{BatchLines: to.BatchOf(c.Batch), Rejects: rejected.of(c.From)}
	if !c.Quiet {
		bar := newCountBar(std.Err, "records", -1)
		defer bar.done()
		o.Progress = func(p ingest.Progress) { bar.show(p.Lines, -1) }
	}
	return ingest.Copy(ctx, to, from, o)
}

func (c copyCommand) check(env Environ) (config.Config, error) {
	cfg, err := c.loadEngine(env, "")
	if err != nil {
		return cfg, err
	}
	if c.Batch != nil && *c.Batch < 1 {
		return cfg, &exitError{ExitUsage, errors.New("--batch must be at least 1")}
	}
	if to, err := filepath.Abs(app.DataFolder(cfg)); err == nil && to == c.From && app.DataFolder(cfg) != "" {
		return cfg, &exitError{ExitUsage, fmt.Errorf("%s is the folder of the settings' engine too: say with engine or sqlite.dir where to copy it", c.From)}
	}
	if err := checkRejects(nil, c.Rejects); err != nil {
		return cfg, &exitError{ExitUsage, err}
	}
	return cfg, holdsData(c.From)
}
