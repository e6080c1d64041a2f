package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/search/elastic"
)

type indexMigrateCommand struct {
	configFlags
	Abort        bool `xor:"what" help:"Undo a migration that was begun, up to the switch: delete the new index."`
	Follow       bool `xor:"what" help:"After the switch, go on copying what others write to the old index, until drop-old or an interrupt."`
	Rate         int  `placeholder:"N" help:"Copy at most N sessions per second (default: as fast as possible)."`
	LeaveRefused bool `help:"Leave out documents that the new index refuses; drop-old deletes them."`
	Quiet        bool `short:"q" help:"Neither progress nor summary."`
}

// Help is shown by `scopegate index migrate --help`.
func (indexMigrateCommand) Help() string {
	return `Copies the sessions into a new index of this version's schema, compares both, and then makes gateways of
this version search the new one. Gateways and importers of the old version and other producers go on with
the old index. For the switch, the old index takes no writes for at most ten seconds: imports of this
version wait, all others get status 403 and must try again.

Killed or interrupted at any time, run it again: it goes on. Before the switch, --abort undoes everything.
After the switch, imports of this version write to both indices. What others write to the old index is
copied by --follow, by each further run, and by ` + "`scopegate index drop-old`" + `.
The cluster needs as much free space as the sessions take.

Exit codes:
  0  gateways of this version search the new index, or there is nothing to migrate
  1  failed: run it again
  2  wrong usage; nothing was touched
  4  refused: the indices are of another version, or hold documents that the new index refuses`
}

// Run migrates.
func (c indexMigrateCommand) Run(ctx context.Context, env Environ, std Streams) error {
	if c.Rate < 0 {
		return &exitError{ExitUsage, errors.New("--rate must not be negative")}
	}
	return c.withIndices(ctx, env, func(indices app.Indices) error {
		if c.Abort {
			deleted, err := indices.AbortMigration(ctx)
			if err == nil && !c.Quiet {
				_, err = fmt.Fprintf(std.Out, "deleted %s; the old index is as it was\n", deleted)
			}
			return migrationError(err)
		}
		o := elastic.MigrateOptions{Rate: c.Rate, Follow: c.Follow, LeaveRefused: c.LeaveRefused}
		if !c.Quiet {
			bar := newMigrationBar(std.Err)
			defer bar.done()
			o.Progress = bar.show
		}
		done, err := indices.Migrate(ctx, o)
		if err != nil {
			return migrationError(err)
		}
		if c.Quiet {
			return nil
		}
		return sayMigrated(std.Out, done)
	})
}

func sayMigrated(out io.Writer, done elastic.Migrated) error {
	if done.Old == "" {
		_, err := fmt.Fprintf(out, "%s is up to date\n", done.Index)
		return err
	}
	_, err := fmt.Fprintf(out, `gateways of this version search %s; documents: %d, left out: %d
old gateways go on searching %s. What old importers and other producers write to it is searched by new
gateways when "scopegate index migrate --follow" has copied it. When no old gateway runs any more: "scopegate index drop-old"
`, done.Index, done.Sessions, done.Refused, done.Old)
	return err
}

// migrationError gives the exit code of what cannot be done as things are.
func migrationError(err error) error {
	var uncopied *elastic.UncopiedError
	for _, refusal := range []error{elastic.ErrNoMigration, elastic.ErrSwitched, elastic.ErrNotSwitched, elastic.ErrSchema, elastic.ErrMigrationState} {
		if errors.Is(err, refusal) {
			return &exitError{ExitRefused, err}
		}
	}
	if errors.As(err, &uncopied) {
		return &exitError{ExitRefused, err}
	}
	return err
}

// migrationBar shows a bar on a terminal, and a line now and then elsewhere.
type migrationBar struct {
	bar

	to   io.Writer
	last time.Time
	said string
}

// sayEvery is how often a line is written where there is no terminal.
const sayEvery = 10 * time.Second

func newMigrationBar(to io.Writer) *migrationBar {
	return &migrationBar{bar: newCountBar(to, elastic.PhaseCopy, 0), to: to}
}

func (b *migrationBar) show(p elastic.MigrationProgress) {
	if b.drawn != nil {
		b.describe(p.Phase)
		b.bar.show(p.Done, p.Of)
		return
	}
	if p.Phase == b.said && time.Since(b.last) < sayEvery {
		return
	}
	b.last, b.said = time.Now(), p.Phase
	_, _ = fmt.Fprintf(b.to, "%s: %d of %d operations\n", p.Phase, p.Done, p.Of) // progress is no result
}

type indexDropOldCommand struct {
	configFlags
	LeaveRefused bool `help:"Delete documents that the new index refuses, too."`
	Quiet        bool `short:"q" help:"Neither progress nor summary."`
}

// Help is shown by `scopegate index drop-old --help`.
func (indexDropOldCommand) Help() string {
	return `Ends a migration, when no gateway of the old version runs any more: copies what others have written to the
old index, makes the aliases without a number lead to the new index, and deletes the old one. For that, the
index takes no writes for at most ten seconds. Gateways of the old version stop answering. It cannot be
undone. Interrupted at any time, run it again.

Exit codes:
  0  the old index is deleted
  1  failed: run it again
  2  wrong usage; nothing was touched
  4  refused: there is no old index, the new one is not searched yet, or it refuses documents`
}

// Run ends the migration.
func (c indexDropOldCommand) Run(ctx context.Context, env Environ, std Streams) error {
	return c.withIndices(ctx, env, func(indices app.Indices) error {
		o := elastic.MigrateOptions{LeaveRefused: c.LeaveRefused}
		if !c.Quiet {
			bar := newMigrationBar(std.Err)
			defer bar.done()
			o.Progress = bar.show
		}
		dropped, err := indices.DropOld(ctx, o)
		if err == nil && !c.Quiet {
			_, err = fmt.Fprintf(std.Out, "deleted %s\n", dropped)
		}
		return migrationError(err)
	})
}
