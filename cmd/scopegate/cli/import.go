package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/ingest"
)

// stdinName stands for standard input on the command line.
const stdinName = "-"

type importCommand struct {
	configFlags
	Files   []string `arg:"" name:"file" type:"path" help:"NDJSON, plain, gzip or zstd; - reads standard input."`
	Data    string   `type:"path" env:"SCOPEGATE_DATA" placeholder:"DIR" help:"Data folder of the embedded engine (setting sqlite.dir; default ./scopegate-data)."`
	Type    string   `enum:",session,company,grant" default:"" placeholder:"TYPE" help:"Lines are bare documents of this type: session, company or grant."`
	Strict  bool     `help:"Stop at the first bad line; the lines before it are stored."`
	Rejects string   `type:"path" placeholder:"FILE" help:"Where bad lines go (default FILE.rejects.ndjson beside each file, scopegate-import.rejects.ndjson for standard input, pipes and devices; made when there is one)."`
	Batch   *int     `placeholder:"LINES" help:"Lines stored at a time (default 1000; 4000 with Elasticsearch)."`
	Quiet   bool     `short:"q" help:"Neither progress nor summary."`
}

// Help is shown by `scopegate import --help`.
func (importCommand) Help() string {
	return `A line is {"type": "session|company|grant", "op": "upsert|delete", "doc": {…}}; op may be
left out for an upsert. With --type it is the bare document. The document of a delete needs only
the id; of a grant, its issuer, subject and companyId.

The engine is that of the settings, the embedded one unless they say otherwise. Importing the same
lines again changes nothing: an import that was cut short, however hard, is run again.

A bad line does not stop the rest: it goes, with its number and the reason, to the reject file,
which holds personal data where the line does. An input of another format (an archive, UTF-16, a
JSON array) is refused as a whole.

Exit codes:
  0  every line is stored
  1  failed, interrupted, or stopped by --strict; what the summary counts is stored
  2  wrong usage; nothing was touched
  3  some lines were rejected, all others are stored`
}

// Run imports the files in their order. When ctx ends, it stops behind the
// batch that is being written.
func (c importCommand) Run(ctx context.Context, env Environ, std Streams) (err error) {
	cfg, err := c.check(env)
	if err != nil {
		return err
	}
	store, err := app.EngineOf(cfg).OpenBulk(ctx, cfg, c.command("invalidate"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	rejected := newRejectFiles(c.Rejects)
	defer func() { err = errors.Join(err, rejected.Close()) }()

	total, err := c.importFiles(ctx, std, store, rejected)
	if err != nil {
		return errors.Join(err, store.FinishAnyway(ctx, total.Upserted+total.Deleted))
	}
	if err := store.Finish(ctx, total.Upserted+total.Deleted); err != nil {
		return withRejected(err, total, "lines were rejected", rejected)
	}
	if total.Rejected > 0 {
		return rejectedError(total, "lines were rejected", rejected)
	}
	return nil
}

func (c importCommand) importFiles(ctx context.Context, std Streams, store *app.BulkStore, rejected *rejectFiles) (total ingest.Report, err error) {
	for _, name := range c.Files {
		report, err := c.importFile(ctx, std, store, name, rejected)
		total.Add(report)
		if err := c.summarize(std.Out, name, report); err != nil {
			return total, err
		}
		if err != nil {
			return total, importError(name, err)
		}
	}
	return total, nil
}

// check looks at all that can be known to be wrong before anything is written.
func (c importCommand) check(env Environ) (config.Config, error) {
	if err := errors.Join(c.checkFiles(), checkRejects(c.Files, c.Rejects)); err != nil {
		return config.Config{}, &exitError{ExitUsage, err}
	}
	return c.loadEngine(env, c.Data)
}

func (c importCommand) checkFiles() error {
	if c.Batch != nil && *c.Batch < 1 {
		return errors.New("--batch must be at least 1")
	}
	seen := map[string]bool{}
	for _, name := range c.Files {
		if seen[name] {
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		if name == stdinName {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a folder: name the files in it", name)
		}
	}
	return nil
}

func (c importCommand) importFile(
	ctx context.Context, std Streams, store *app.BulkStore, name string, rejected *rejectFiles,
) (_ ingest.Report, err error) {
	source, err := openSource(name, std.In)
	if err != nil {
		return ingest.Report{}, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()

	var progress bar
	shown := filepath.Base(source.Name())
	if !c.Quiet {
		progress = newByteBar(std.Err, shown, source.Size())
	}
	defer progress.done()
	options := ingest.Options{
		Type:       ingest.Type(c.Type),
		Strict:     c.Strict,
		BatchLines: store.BatchOf(c.Batch),
		AtOnce:     store.AtOnce,
		Rejects:    rejected.of(name),
		Progress: func(p ingest.Progress) {
			progress.describe(fmt.Sprintf("%s, %d lines", shown, p.Lines))
			progress.show(p.Bytes, source.Size())
		},
	}
	if c.sharesRejects(name) {
		options.RejectsName = name // a line number alone says nothing
	}
	return ingest.Run(ctx, store, source, options)
}

// sharesRejects reports whether bad lines of other inputs go to the same file.
func (c importCommand) sharesRejects(name string) bool {
	place := rejectsOf(name, c.Rejects)
	return slices.ContainsFunc(c.Files, func(other string) bool { return other != name && rejectsOf(other, c.Rejects) == place })
}

func openSource(name string, stdin io.Reader) (*ingest.Source, error) {
	if name == stdinName {
		return ingest.NewSource(label(name), stdin)
	}
	return ingest.OpenFile(name)
}

// summarize prints one line of counts.
func (c importCommand) summarize(to io.Writer, name string, r ingest.Report) error {
	if c.Quiet {
		return nil
	}
	_, err := fmt.Fprintf(to, "%s: lines: %d, stored: %d, deleted: %d, to delete but not there: %d, rejected: %d\n",
		label(name), r.Lines, r.Upserted, r.Deleted, r.Missing, r.Rejected)
	return err
}

// label is how an input is called in messages.
func label(name string) string {
	if name == stdinName {
		return "standard input"
	}
	return name
}

// importError says what to do about an import that ended early.
func importError(name string, err error) error {
	name = label(name)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted; what is counted is stored: import it again to go on (%w)", name, err)
	case errors.Is(err, ingest.ErrRejected):
		return fmt.Errorf("%s: stopped by --strict: %w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
