package main

import (
	"context"
	"errors"
)

type serveCommand struct {
	configFlags
	Listen string `placeholder:"HOST:PORT" help:"Address of the API (setting listen)."`
	Data   string `placeholder:"DIR" type:"path" env:"SCOPEGATE_DATA" help:"Data folder of the embedded engine (setting sqlite.dir)."`
}

func (c serveCommand) Run(ctx context.Context, env environ, std streams) (err error) {
	if c.Listen != "" {
		c.Set = append(c.Set, "listen="+c.Listen)
	}
	cfg, err := c.load(env, c.Data)
	if err != nil {
		return err
	}
	store, err := openEngine(ctx, cfg)
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
