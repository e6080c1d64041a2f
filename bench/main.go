package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run    runCommand      `cmd:"" default:"withargs" help:"Load what is not there yet, measure, print, and write the documentation."`
	Cache  cacheCommand    `cmd:"" help:"Measure the hit path: the gateway on a core of its own, beside Gin with one Redis GET and nginx."`
	Export exportCommand   `cmd:"" help:"Measure exports: memory, rate, and beside what else reads an index."`
	Deep   deepCommand     `cmd:"" help:"Measure pages in the middle of an order beside the first one."`
	Matrix matrixCommand   `cmd:"" help:"Measure every filter and every order alone, by size of the scope."`
	Faults faultsCommand   `cmd:"" help:"Measure searches while Redis is stopped, slow, resetting, full, read-only."`
	Stall  stallCommand    `cmd:"" help:"Measure what one account's dear searches, and clients who reset their connections, do to others."`
	Over   overloadCommand `cmd:"" name:"overload" help:"Measure what is answered when far more is asked than fits."`
	Slow   slowCommand     `cmd:"" name:"slow-readers" help:"Measure the memory that callers take who read nothing, and idle connections."`
	Gin    ginCommand      `cmd:"" hidden:"" help:"Serve what the hits in Redis are compared with."`

	Observed observedCommand `cmd:"" hidden:"" help:"Serve the least that a hit in memory can take."`
	Forward  forwardCommand  `cmd:"" hidden:"" help:"Serve the least that a proxy can take."`
}

// streams are the standard streams of a command: what was measured goes to out,
// how far it has come to err.
type streams struct{ out, err io.Writer }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var cli commands
	parsed := kong.Parse(&cli,
		kong.Name("bench"),
		kong.Description("Measures the gateway on real servers, beside what it is compared with."),
		kong.Vars{"slow_page": slowPage},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{out: os.Stdout, err: os.Stderr}),
	)
	err := parsed.Run()
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err) // nobody is left to tell if this fails
		os.Exit(1)
	}
}
