package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/demo"
)

type seedCommand struct {
	Sessions int       `default:"50000" placeholder:"N" help:"Sessions to generate (default ${default})."`
	Seed     uint64    `placeholder:"NUMBER" help:"What the data is generated from; another number makes other people. Default: the demo's."`
	Now      time.Time `placeholder:"TIME" help:"RFC 3339; the dates lie in the two years before it. Default: now."`
	Out      string    `short:"o" default:"-" placeholder:"FILE" help:"Where to write; .gz and .zst are compressed, - is standard output (default -)."`
}

// Help is shown by `scopegate seed --help`.
func (seedCommand) Help() string {
	return `Writes companies, grants and sessions as lines that ` + "`scopegate import`" + ` reads:

  scopegate seed --sessions 1000000 | scopegate import -

The first N sessions are the same whatever the number asked for, and the same as the demo's; with
--now the bytes are, too.`
}

// Run writes the lines. A file that was not written to its end is removed.
func (c seedCommand) Run(ctx context.Context, std Streams) (err error) {
	if c.Sessions < 0 {
		return &exitError{ExitUsage, errors.New("--sessions must not be negative")}
	}
	out, err := createLineFile(c.Out, std.Out)
	if err != nil {
		return err
	}
	bar := newCountBar(std.Err, "sessions", c.Sessions)
	err = c.generator().WriteNDJSON(ctx, out, c.Sessions, func(done int) { bar.show(int64(done), int64(c.Sessions)) })
	bar.done()
	if err != nil {
		return errors.Join(fmt.Errorf("seed: %w", err), out.discard())
	}
	return out.Close()
}

func (c seedCommand) generator() *demo.Generator {
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	if c.Seed == 0 {
		c.Seed = demo.DefaultSeed
	}
	return demo.NewGenerator(c.Seed, c.Now)
}
