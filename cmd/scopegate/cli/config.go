package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/sqlite"
)

// configFlags is how commands are given their settings.
type configFlags struct {
	Config string   `short:"c" type:"path" env:"SCOPEGATE_CONFIG" placeholder:"FILE" help:"YAML file of settings."`
	Set    []string `sep:"none" placeholder:"KEY=VALUE" help:"One setting, over file and environment; may be repeated."`
}

// load reads and validates all settings; data, if not empty, is a --data flag.
func (f configFlags) load(env Environ, data string) (config.Config, error) {
	return f.loadBy(config.Load, env, data)
}

// loadEngine is load for commands that use the engine alone.
func (f configFlags) loadEngine(env Environ, data string) (config.Config, error) {
	return f.loadBy(config.LoadEngine, env, data)
}

func (f configFlags) loadBy(load func(config.Sources) (config.Config, error), env Environ, data string) (config.Config, error) {
	set := f.Set
	if data != "" {
		set = append(slices.Clone(set), "sqlite.dir="+data)
	}
	cfg, err := load(config.Sources{File: f.Config, Environ: env, Set: set})
	if err == nil && data != "" && app.DataFolder(cfg) == "" {
		err = fmt.Errorf("--data (or SCOPEGATE_DATA) names a folder of the embedded engine, but engine is %s: leave one of them out", cfg.Engine)
	}
	if err != nil {
		return config.Config{}, &exitError{ExitUsage, err}
	}
	return cfg, nil
}

// command is how another command is typed that is to have the same settings. Those
// of --set may be secrets, and are not shown.
func (f configFlags) command(name string) string {
	line := "scopegate " + name
	if f.Config != "" {
		line += " -c " + f.Config
	}
	if len(f.Set) > 0 {
		line += " --set …"
	}
	return line
}

type configCommand struct {
	Check configCheckCommand `cmd:"" help:"Validate the configuration and print what is in force, secrets masked."`
	Keys  configKeysCommand  `cmd:"" help:"List every setting and its environment variable."`
}

type configCheckCommand struct {
	configFlags
	NoFiles bool `help:"Do not look at the files and folders that are named."`
}

// Help is shown by `scopegate config check --help`.
func (configCheckCommand) Help() string {
	return `Faults of the settings and of the files that they name are told all at once. Files are looked at as
the user who runs this command: run it as the gateway's, or leave them out (--no-files).

Exit codes:
  0  the configuration can be used
  2  it cannot`
}

// Run checks. What can be read is looked at further even where something is wrong.
func (c configCheckCommand) Run(ctx context.Context, env Environ, std Streams) error {
	cfg, err := config.Load(config.Sources{File: c.Config, Environ: env, Set: c.Set})
	var files fileChecks
	if !c.NoFiles {
		files = checkFiles(ctx, cfg)
	}
	for _, warning := range append(cfg.Warnings(), files.warnings...) {
		_, _ = fmt.Fprintln(std.Err, "warning:", warning) // the faults matter more
	}
	if err = errors.Join(append([]error{err}, files.faults...)...); err != nil {
		return &exitError{ExitUsage, err}
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	_, err = std.Out.Write(text)
	return err
}

type configKeysCommand struct{}

// Run lists the settings.
func (configKeysCommand) Run(std Streams) error {
	for _, key := range config.Keys() {
		if _, err := fmt.Fprintf(std.Out, "%-32s %s\n", key, config.EnvName(key)); err != nil {
			return err
		}
	}
	return nil
}

// holdsData refuses a folder of the embedded engine that is not there: opening it
// would make it.
func holdsData(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil {
		return &exitError{ExitUsage, fmt.Errorf("%s has no data of the embedded engine: there is no %s in it", dir, sqlite.FileName)}
	}
	return nil
}
