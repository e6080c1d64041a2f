package commands_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestAHangupStopsAGatewayInGoodOrder(t *testing.T) {
	path := harness.Program(t)
	// A signal that the test's own process ignores, as below nohup, would be ignored
	// by the gateway too. One that it handles is not.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	hungUp := func(ctx context.Context, args []string, stderr io.Writer) error {
		command := exec.CommandContext(ctx, path, args...)
		command.Stderr = stderr
		command.WaitDelay = time.Minute
		command.Cancel = func() error { return command.Process.Signal(syscall.SIGHUP) }
		_ = command.Run() // that it was cancelled
		if code := command.ProcessState.ExitCode(); code != cli.ExitOK {
			return fmt.Errorf("exit code %d", code)
		}
		return nil
	}
	g := harness.ServeBy(t, hungUp, harness.Folder(harness.SmallTree(t))...)
	if err := g.Stop(); err != nil || !strings.Contains(g.Logs.String(), `"stopping","listener":"api"`) {
		t.Errorf("error %v, log:\n%s", err, g.Logs)
	}
}
