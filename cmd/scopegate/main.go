// Command scopegate is the gateway and its tools; `scopegate --help` lists
// them. It is the only place where concrete parts are put together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	// A second interrupt ends the process at once, should the stop hang.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Environ(), streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(exitCode(err, os.Stderr))
}

// stopSignals end a command in good order: a terminal that is closed as well,
// unless nohup has it ignored.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// streams are the standard streams of a command.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// environ is the process environment, "NAME=value".
type environ []string

type commands struct {
	Demo       demoCommand       `cmd:"" help:"Try it: one process with generated sessions and accounts, no server needed."`
	Serve      serveCommand      `cmd:"" help:"Serve the API."`
	Index      indexCommand      `cmd:"" help:"See to the indices in Elasticsearch."`
	Import     importCommand     `cmd:"" help:"Store sessions, companies and grants from NDJSON."`
	Export     exportCommand     `cmd:"" help:"Write all sessions that match to a file, from a gateway."`
	Invalidate invalidateCommand `cmd:"" help:"Tell gateways whose sessions were changed by other means."`
	Directory  directoryCommand  `cmd:"" help:"Show and change companies and grants."`
	Copy       copyCommand       `cmd:"" help:"Copy a data folder of the embedded engine, to Elasticsearch for one."`
	Seed       seedCommand       `cmd:"" help:"Write generated sessions, companies and grants as NDJSON."`
	Config     configCommand     `cmd:"" help:"Check and print the configuration."`
}

// Exit codes that scripts may rely on.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRejected = 3 // import: some lines were rejected, the others are stored
	// exitIncomplete, of export: a part of what was asked for has come.
	exitIncomplete = exitRejected
	exitRefused    = 4 // directory, export: what was asked for cannot be; nothing was changed
)

// exitError carries the exit code of a command that did not end well.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// run is main without the process around it: it returns when the command has
// ended or ctx is done and all is stopped.
func run(ctx context.Context, args []string, env environ, std streams) error {
	exited := -1
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("scopegate"),
		kong.Description("Searches the chat sessions of every company a supervisor supervises."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, env),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help has been printed
		return nil
	}
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("%w; `scopegate --help` tells how it is used", err)}
	}
	return command.Run()
}

// exitCode prints the error and gives the process's exit code.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "scopegate:", err) // nobody is left to tell if this fails
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}
