package main

import (
	"context"
	"errors"

	"github.com/scopegate/scopegate/search/sqlite"
)

type serveCommand struct {
	configFlags
	Listen string `placeholder:"HOST:PORT" help:"Address of the API (setting listen)."`
	Data   string `placeholder:"DIR" type:"path" env:"SCOPEGATE_DATA" help:"Data folder of the embedded engine (setting sqlite.dir)."`
}

func (c serveCommand) Run(ctx context.Context, env environ, std streams) (err error) {
	for key, value := range map[string]string{"listen": c.Listen, "sqlite.dir": c.Data} {
		if value != "" {
			c.Set = append(c.Set, key+"="+value)
		}
	}
	cfg, err := c.load(env)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, sqlite.Options{Dir: cfg.SQLite.Dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	running, err := startGateway(ctx, parts{config: cfg, store: store, logs: std.err})
	if err != nil {
		return err
	}
	return running.Wait()
}
