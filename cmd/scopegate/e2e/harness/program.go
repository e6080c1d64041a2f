package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
)

// Program builds the command as it is shipped: under the race detector so many
// rows would take longer than all other tests together.
func Program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scopegate")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/scopegate/scopegate/cmd/scopegate").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
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
