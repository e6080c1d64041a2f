package main

import (
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/config"
)

// configFlags is how commands are given their settings.
type configFlags struct {
	Config string   `short:"c" type:"path" env:"SCOPEGATE_CONFIG" placeholder:"FILE" help:"YAML file of settings."`
	Set    []string `sep:"none" placeholder:"KEY=VALUE" help:"One setting, over file and environment; may be repeated."`
}

// load reads and validates all settings; data, if not empty, is a --data flag.
func (f configFlags) load(env environ, data string) (config.Config, error) {
	return f.loadBy(config.Load, env, data)
}

// loadEngine is load for commands that use the engine alone.
func (f configFlags) loadEngine(env environ, data string) (config.Config, error) {
	return f.loadBy(config.LoadEngine, env, data)
}

func (f configFlags) loadBy(load func(config.Sources) (config.Config, error), env environ, data string) (config.Config, error) {
	set := f.Set
	if data != "" {
		set = append(slices.Clone(set), "sqlite.dir="+data)
	}
	cfg, err := load(config.Sources{File: f.Config, Environ: env, Set: set})
	if err == nil && data != "" && cfg.Engine != config.EngineSQLite {
		err = fmt.Errorf("--data (or SCOPEGATE_DATA) names a folder of the embedded engine, but engine is %s: leave one of them out", cfg.Engine)
	}
	if err != nil {
		return config.Config{}, &exitError{exitUsage, err}
	}
	return cfg, nil
}

type configCommand struct {
	Check configCheckCommand `cmd:"" help:"Validate the configuration and print what is in force, secrets masked."`
	Keys  configKeysCommand  `cmd:"" help:"List every setting and its environment variable."`
}

type configCheckCommand struct{ configFlags }

func (c configCheckCommand) Run(env environ, std streams) error {
	cfg, err := c.load(env, "")
	if err != nil {
		return err
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	_, err = std.out.Write(text)
	return err
}

type configKeysCommand struct{}

func (configKeysCommand) Run(std streams) error {
	for _, key := range config.Keys() {
		if _, err := fmt.Fprintf(std.out, "%-32s %s\n", key, config.EnvName(key)); err != nil {
			return err
		}
	}
	return nil
}
