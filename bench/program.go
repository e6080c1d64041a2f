package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long a process that was told to end may take.
const stopTimeout = 40 * time.Second

// program is an executable file.
type program string

// command prepares a run of the program without settings of the caller's own,
// which would change what is measured.
func (p program) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, string(p), args...) // #nosec G204 -- the program that is measured, named by its user
	c.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "SCOPEGATE_") || strings.HasPrefix(variable, "OTEL_")
	})
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = stopTimeout
	return c
}

// run runs the program to its end. What it says on standard error is in the
// error, if there is one.
func (p program) run(ctx context.Context, args ...string) error {
	return p.pipe(ctx, func(io.Reader) error { return nil }, args...)
}

// pipe runs the program and reads its output.
func (p program) pipe(ctx context.Context, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a program whose reader gave up
	c := p.command(ctx, args...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err = read(out)
	if err != nil {
		cancel()
	} else {
		_, err = io.Copy(io.Discard, out)
	}
	if ended := c.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("%s %s: %w\n%s", p, args[0], ended, said.Bytes()))
	}
	return err
}

// with is the arguments and a --set for each setting.
func with(settings []string, args ...string) []string {
	for _, setting := range settings {
		args = append(args, "--set", setting)
	}
	return args
}
