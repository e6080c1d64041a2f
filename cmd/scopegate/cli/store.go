package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/sqlite"
)

type storeCommand struct {
	Migrate storeMigrateCommand `cmd:"" help:"Bring a data folder of an older schema up to date."`
	Backup  storeBackupCommand  `cmd:"" help:"Write a data folder to one file, while it is in use."`
	Restore storeRestoreCommand `cmd:"" help:"Put a backup in a data folder."`
	Check   storeCheckCommand   `cmd:"" help:"Look whether a data folder is whole."`
}

// storeFlags name the data folder.
type storeFlags struct {
	configFlags
	Data  string `type:"path" env:"SCOPEGATE_DATA" placeholder:"DIR" help:"Data folder of the embedded engine (setting sqlite.dir; default ./scopegate-data)."`
	Quiet bool   `short:"q" help:"Neither progress nor summary."`
}

// dir is the folder, which need not be there.
func (f storeFlags) dir(env Environ) (string, error) {
	cfg, err := f.loadEngine(env, f.Data)
	if err != nil {
		return "", err
	}
	dir := app.DataFolder(cfg)
	if dir == "" {
		return "", &exitError{ExitUsage, fmt.Errorf("engine is %s, which has no data folder: these commands are for engine=%s", cfg.Engine, config.EngineSQLite)}
	}
	return dir, nil
}

// full is the folder, which has data.
func (f storeFlags) full(env Environ) (string, error) {
	dir, err := f.dir(env)
	if err != nil {
		return "", err
	}
	return dir, holdsData(dir)
}

// storeError gives the exit code of what cannot be done as things are.
func storeError(err error) error {
	if errors.Is(err, sqlite.ErrInUse) || errors.Is(err, sqlite.ErrSchema) || errors.Is(err, fs.ErrExist) {
		return &exitError{ExitRefused, err}
	}
	return err
}

type storeMigrateCommand struct{ storeFlags }

// Help is shown by `scopegate store migrate --help`.
func (storeMigrateCommand) Help() string {
	return `Writes the database anew in this program's schema, beside the old one, which it replaces when all is
there: it takes as much free space as the folder has. Nobody else may use the folder meanwhile.
Killed at any time, the old database is as it was, and the command is run again. ` + "`scopegate serve`" + `
does the same before it serves. Take a backup first.

Exit codes:
  0  the folder is up to date
  1  failed: the old database is as it was
  2  wrong usage; nothing was touched
  3  migrated; sessions that this version does not take are in the file that is named
  4  refused: the folder is in use, or of a newer version`
}

// Run migrates.
func (c storeMigrateCommand) Run(ctx context.Context, env Environ, std Streams) error {
	dir, err := c.full(env)
	if err != nil {
		return err
	}
	var progress func(done, of int64)
	if !c.Quiet {
		bar := newCountBar(std.Err, "sessions", -1)
		defer bar.done()
		progress = bar.show
	}
	done, err := sqlite.Migrate(ctx, dir, progress)
	if err != nil {
		return storeError(err)
	}
	if !c.Quiet {
		_, err = fmt.Fprintf(std.Out, "%s is up to date; sessions written anew: %d\n", dir, done.Sessions)
	}
	if done.Unfit > 0 {
		err = &exitError{ExitRejected, fmt.Errorf("%d sessions that this version does not take are in %s", done.Unfit, done.UnfitFile)}
	}
	return err
}

type storeBackupCommand struct {
	storeFlags
	Out string `arg:"" name:"file" type:"path" help:"Where to write; it must not be there."`
}

// Help is shown by `scopegate store backup --help`.
func (storeBackupCommand) Help() string {
	return `Writes the database, as it is at one moment, to FILE, also while gateways and imports use the folder.
FILE is a database itself, holds personal data, and can be read by its owner only. It has its name only
when it is whole.

Exit codes:
  0  FILE is whole
  1  failed: no FILE is left
  2  wrong usage; nothing was written
  4  refused: FILE is there, or the folder is of a newer version`
}

// Run backs up.
func (c storeBackupCommand) Run(ctx context.Context, env Environ, std Streams) error {
	dir, err := c.full(env)
	if err != nil {
		return err
	}
	err = sqlite.Backup(ctx, dir, c.Out)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: name another, or remove it", err)
	}
	if err != nil {
		return storeError(err)
	}
	if !c.Quiet {
		_, err = fmt.Fprintf(std.Out, "%s holds %s\n", c.Out, dir)
	}
	return err
}

type storeRestoreCommand struct {
	storeFlags
	From    string `arg:"" name:"file" type:"existingfile" help:"A backup."`
	Replace bool   `help:"Put it in the place of the data that the folder has, which is kept beside it."`
}

// Help is shown by `scopegate store restore --help`.
func (storeRestoreCommand) Help() string {
	return `Puts a copy of FILE, a backup that is whole, in the data folder. Nobody else may use the folder
meanwhile. What gateways have cached of the folder's data before is not used for what is restored.

Exit codes:
  0  the folder holds the backup
  1  failed: the folder is as it was; FILE may be damaged
  2  wrong usage; nothing was touched
  4  refused: the folder has data (--replace), is in use, or FILE is no backup that this version knows`
}

// Run restores.
func (c storeRestoreCommand) Run(ctx context.Context, env Environ, std Streams) error {
	dir, err := c.dir(env)
	if err != nil {
		return err
	}
	done, err := sqlite.Restore(ctx, c.From, dir, c.Replace)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: --replace puts the backup in its place, and keeps it beside", err)
	}
	if err != nil {
		return storeError(err)
	}
	if c.Quiet {
		return nil
	}
	if done.Replaced != "" {
		_, err = fmt.Fprintf(std.Out, "%s holds %s; what it held before is %s\n", dir, c.From, done.Replaced)
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s holds %s\n", dir, c.From)
	return err
}

type storeCheckCommand struct{ storeFlags }

// Help is shown by `scopegate store check --help`.
func (storeCheckCommand) Help() string {
	return `Looks, while the folder is in use, at every page and index, at each session's document against what
searches read, at tags, counts, the text index and the numbers by which gateways learn of changes.
What is wrong is named by keys, never by what is stored.

Exit codes:
  0  the folder is whole
  1  it is not, or it could not be read
  2  wrong usage
  4  refused: it is of a newer version`
}

// Run checks.
func (c storeCheckCommand) Run(ctx context.Context, env Environ, std Streams) error {
	dir, err := c.full(env)
	if err != nil {
		return err
	}
	faults, err := sqlite.Check(ctx, dir)
	if err != nil {
		return storeError(err)
	}
	for _, fault := range faults {
		_, _ = fmt.Fprintln(std.Out, fault) // the exit code tells
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s is not whole: restore a backup, or dump it and import the dump into another folder", dir)
	}
	if !c.Quiet {
		_, err = fmt.Fprintf(std.Out, "%s is whole\n", dir)
	}
	return err
}
