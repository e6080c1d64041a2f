package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
)

// programDir is where the program is; nil until a test needs it.
var programDir atomic.Pointer[string]

// program is built by the first test that needs it.
var program = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "scopegate-e2e-*")
	if err != nil {
		return "", err
	}
	programDir.Store(&dir)
	path = filepath.Join(dir, "scopegate")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "github.com/scopegate/scopegate/cmd/scopegate")
	if out, err := build.CombinedOutput(); err != nil {
		return path, fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// Program builds the command as it is shipped, once in a package of tests, whose
// TestMain is Main: under the race detector so many rows would take longer than all
// other tests together.
func Program(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main runs the tests of a package, which must leave no goroutine, and removes the
// program that they have built.
func Main(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir := programDir.Load(); dir != nil {
			_ = os.RemoveAll(*dir) // the tests' outcome matters more
		}
		os.Exit(code)
	}))
}

// AsProgram runs a command in a process of its own.
func AsProgram(path string) Runner {
	return func(ctx context.Context, args []string, stderr io.Writer) error {
		command := exec.CommandContext(ctx, path, args...)
		command.Stderr = stderr
		command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
		if err := command.Run(); err != nil && ctx.Err() == nil {
			return err
		}
		if code := command.ProcessState.ExitCode(); code != cli.ExitOK {
			return fmt.Errorf("exit code %d", code)
		}
		return nil
	}
}
