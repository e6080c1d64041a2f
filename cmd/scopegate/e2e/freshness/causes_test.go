package freshness_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestAFailureInsideSaysInTheLogWhichFileAndWhy(t *testing.T) {
	temp := filepath.Join(t.TempDir(), "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	g := harness.Serve(t, harness.SmallTree(t), "exports.temp_dir="+temp)
	token := g.Supervisor(t, 1)
	if err := os.RemoveAll(temp); err != nil {
		t.Fatal(err)
	}
	r := g.Get(t, "/api/v1/sessions/export?format=XLSX&showAllSupervised=true", token)
	if r.Status != http.StatusInternalServerError || strings.Contains(string(r.Body), temp) {
		t.Errorf("status %d, body %s", r.Status, r.Body)
	}
	line := g.AwaitLine(t, `"request failed"`, func() {})
	if !strings.Contains(line, temp) || !strings.Contains(line, ": no such file or directory\"") || strings.Contains(line, "*fs.") {
		t.Errorf("the log has no path and reason: %s", line)
	}
}

func TestAWrongPasswordOfRedisIsToldInTheLog(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	g := harness.Serve(t, harness.SmallTree(t), "redis.addresses="+server.Address(), "redis.password=wrong-password", "redis.budget=1s",
		"cache.keys=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	token := g.Supervisor(t, 1)
	asked := 0
	ask := func() { // each time something that is not in memory
		asked++
		if r := g.Get(t, "/api/v1/sessions?minMessageCount="+strconv.Itoa(asked), token); r.Status != http.StatusOK {
			t.Fatalf("status %d", r.Status)
		}
	}
	line := g.AwaitLine(t, "Redis is failing: ", ask)
	if !strings.Contains(line, "Redis refused the user or password (WRONGPASS)") || strings.Contains(g.Logs.String(), "wrong-password") {
		t.Errorf("line %s", line)
	}
}

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

func TestTheFirstLineSaysWhatIsServedAndTheLastWhatStops(t *testing.T) {
	dir := harness.SmallTree(t)
	g := harness.Serve(t, dir, "admin.listen=127.0.0.1:0", "redis.password=a-secret")
	line := g.AwaitLine(t, `"serving"`, func() {})
	for _, want := range []string{`"version":`, `"engine":"sqlite"`, `"dir":"` + dir + `"`, `"issuers":["`, `"cache_fresh":"5s"`, `"redis":[]`, `"directory":"engine"`} {
		if !strings.Contains(line, want) {
			t.Errorf("lacks %s: %s", want, line)
		}
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, listener := range []string{"api", "admin"} {
		if n := strings.Count(g.Logs.String(), `"msg":"stopping","listener":"`+listener+`"`); n != 1 {
			t.Errorf("%s stops %d times:\n%s", listener, n, g.Logs)
		}
	}
	if !strings.Contains(g.Logs.String(), `"stop_timeout":"30s"`) || strings.Contains(g.Logs.String(), "a-secret") {
		t.Errorf("log:\n%s", g.Logs)
	}
}
