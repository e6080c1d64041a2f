package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/ingest"
	"github.com/scopegate/scopegate/search/sqlite"
)

type copyCommand struct {
	configFlags
	From  string `type:"existingdir" required:"" placeholder:"DIR" help:"Data folder of the embedded engine to copy from."`
	Batch *int   `placeholder:"RECORDS" help:"Records stored at a time (default 1000; 4000 with Elasticsearch)."`
	Quiet bool   `short:"q" help:"Neither progress nor summary."`
}

// Help is shown by `scopegate copy --help`.
func (copyCommand) Help() string {
	return `Copies all companies, grants and sessions of a data folder into the engine of the settings:

  scopegate index create -c scopegate.yaml
  scopegate copy -c scopegate.yaml --from ./scopegate-data

The folder stays as it is, and may be in use: what is copied is its state at the beginning. Records
that only the engine has are kept. A copy that was cut short, however hard, is run again.`
}

// Run copies.
func (c copyCommand) Run(ctx context.Context, env environ, std streams) (err error) {
	cfg, err := c.check(env)
	if err != nil {
		return err
	}
	from, err := sqlite.Open(ctx, sqlite.Options{Dir: c.From})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := openBulkStore(ctx, cfg, c.configFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()

	report, err := c.copy(ctx, std, from, to)
	if err != nil {
		err = errors.Join(fmt.Errorf("%w; %d records are stored: copy again to go on", err, report.Upserted), to.finishAnyway(ctx, report.Upserted))
		return err
	}
	if err := to.finish(ctx, report.Upserted); err != nil || c.Quiet {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s: records copied: %d\n", c.From, report.Upserted)
	return err
}

func (c copyCommand) copy(ctx context.Context, std streams, from *sqlite.Store, to *bulkStore) (ingest.Report, error) {
	o := ingest.Options{BatchLines: to.batchOf(c.Batch)}
	if !c.Quiet {
		bar := newCountBar(std.err, "records", -1)
		defer bar.done()
		o.Progress = func(p ingest.Progress) { bar.show(int(p.Lines), -1) }
	}
	return ingest.Copy(ctx, to, from, o)
}

func (c copyCommand) check(env environ) (config.Config, error) {
	cfg, err := c.loadEngine(env, "")
	if err != nil {
		return cfg, err
	}
	if c.Batch != nil && *c.Batch < 1 {
		return cfg, &exitError{exitUsage, errors.New("--batch must be at least 1")}
	}
	if to, err := filepath.Abs(cfg.SQLite.Dir); err == nil && to == c.From && cfg.Engine == config.EngineSQLite {
		return cfg, &exitError{exitUsage, fmt.Errorf("%s is the folder of the settings' engine too: say with engine or sqlite.dir where to copy it", c.From)}
	}
	return cfg, holdsData(c.From)
}
