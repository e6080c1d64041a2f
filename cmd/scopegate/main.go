// Command scopegate is the gateway and its tools; `scopegate --help` lists them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the rules of time zones, for machines that have none

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	// A second interrupt ends the process at once, should the stop hang.
	context.AfterFunc(ctx, stop)
	err := cli.Run(ctx, os.Args[1:], os.Environ(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(cli.ExitCode(err, os.Stderr))
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
