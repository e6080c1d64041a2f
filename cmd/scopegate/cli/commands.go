// Package cli is the command line of scopegate: it reads flags, loads the settings
// and runs one command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/scopegate/scopegate/cmd/scopegate/directory"
)

// Streams are the standard streams of a command.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Environ is the process environment, "NAME=value".
type Environ []string

type commands struct {
	Demo       demoCommand       `cmd:"" help:"Try it: one process with generated sessions and accounts, no server needed."`
	Serve      serveCommand      `cmd:"" help:"Serve the API."`
	Index      indexCommand      `cmd:"" help:"See to the indices in Elasticsearch."`
	Import     importCommand     `cmd:"" help:"Store sessions, companies and grants from NDJSON."`
	Export     exportCommand     `cmd:"" help:"Write all sessions that match to a file, from a gateway."`
	Invalidate invalidateCommand `cmd:"" help:"Tell gateways whose sessions were changed by other means."`
	Directory  directoryCommand  `cmd:"" help:"Show and change companies and grants."`
	Store      storeCommand      `cmd:"" help:"Back up, restore, check and migrate a data folder of the embedded engine."`
	Dump       dumpCommand       `cmd:"" help:"Write all sessions, companies and grants as NDJSON that import reads."`
	Copy       copyCommand       `cmd:"" help:"Copy a data folder of the embedded engine, to Elasticsearch for one."`
	Seed       seedCommand       `cmd:"" help:"Write generated sessions, companies and grants as NDJSON."`
	Config     configCommand     `cmd:"" help:"Check and print the configuration."`
}

// Exit codes that scripts may rely on.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitRejected = 3 // import: some lines were rejected, the others are stored
	// ExitIncomplete, of export: a part of what was asked for has come.
	ExitIncomplete = ExitRejected
	ExitRefused    = 4 // directory, export, store: what was asked for cannot be; nothing was changed
)

// exitError carries the exit code of a command that did not end well.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Run is main without the process around it: it returns when the command has
// ended or ctx is done and all is stopped.
func Run(ctx context.Context, args []string, env Environ, std Streams) error {
	exited := -1
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("scopegate"),
		kong.Description("Searches the chat sessions of every company a supervisor supervises."),
		kong.Writers(std.Out, std.Err),
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
		return &exitError{ExitUsage, fmt.Errorf("%w; `scopegate --help` tells how it is used", err)}
	}
	return command.Run()
}

// ExitCode prints the error and gives the process's exit code.
func ExitCode(err error, stderr io.Writer) int {
	if err == nil {
		return ExitOK
	}
	_, _ = fmt.Fprintln(stderr, "scopegate:", err) // nobody is left to tell if this fails
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	var refusal *directory.RefusedError
	if errors.As(err, &refusal) {
		return ExitRefused
	}
	return ExitFailed
}
