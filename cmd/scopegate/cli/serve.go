package cli

import (
	"context"
	"errors"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
)

type serveCommand struct {
	configFlags
	Listen string `placeholder:"HOST:PORT" help:"Address of the API (setting listen)."`
	Data   string `placeholder:"DIR" type:"path" env:"SCOPEGATE_DATA" help:"Data folder of the embedded engine (setting sqlite.dir)."`
}

// Run serves until ctx is done.
func (c serveCommand) Run(ctx context.Context, env Environ, std Streams) (err error) {
	if c.Listen != "" {
		c.Set = append(c.Set, "listen="+c.Listen)
	}
	cfg, err := c.load(env, c.Data)
	if err != nil {
		return err
	}
	store, err := app.OpenServed(ctx, cfg, std.Err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	running, err := app.Start(ctx, app.Parts{Config: cfg, Store: store, Logs: std.Err})
	if err != nil {
		return err
	}
	return running.Wait()
}
