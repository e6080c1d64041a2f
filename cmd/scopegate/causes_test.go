package main

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
)

// awaitLine returns the first line of the gateway's log that holds the text.
func (g *servedGateway) awaitLine(t *testing.T, text string, meanwhile func()) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(g.logs.String()) {
			if strings.Contains(line, text) {
				return line
			}
		}
		meanwhile()
	}
	t.Fatalf("no line says %q:\n%s", text, g.logs)
	return ""
}

func TestAFailureInsideSaysInTheLogWhichFileAndWhy(t *testing.T) {
	temp := filepath.Join(t.TempDir(), "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	g := serve(t, smallTree(t), "exports.temp_dir="+temp)
	token := g.supervisor(t, 1)
	if err := os.RemoveAll(temp); err != nil {
		t.Fatal(err)
	}
	r := g.get(t, "/api/v1/sessions/export?format=XLSX&showAllSupervised=true", token)
	if r.status != http.StatusInternalServerError || strings.Contains(string(r.body), temp) {
		t.Errorf("status %d, body %s", r.status, r.body)
	}
	line := g.awaitLine(t, `"request failed"`, func() {})
	if !strings.Contains(line, temp) || !strings.Contains(line, ": no such file or directory\"") || strings.Contains(line, "*fs.") {
		t.Errorf("the log has no path and reason: %s", line)
	}
}

func TestAWrongPasswordOfRedisIsToldInTheLog(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	g := serve(t, smallTree(t), "redis.addresses="+server.Address(), "redis.password=wrong-password", "redis.budget=1s",
		"cache.keys=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	token := g.supervisor(t, 1)
	asked := 0
	ask := func() { // each time something that is not in memory
		asked++
		if r := g.get(t, "/api/v1/sessions?minMessageCount="+strconv.Itoa(asked), token); r.status != http.StatusOK {
			t.Fatalf("status %d", r.status)
		}
	}
	line := g.awaitLine(t, "Redis is failing: ", ask)
	if !strings.Contains(line, "Redis refused the user or password (WRONGPASS)") || strings.Contains(g.logs.String(), "wrong-password") {
		t.Errorf("line %s", line)
	}
}

func TestAHangupStopsAGatewayInGoodOrder(t *testing.T) {
	path := program(t)
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
		if code := command.ProcessState.ExitCode(); code != exitOK {
			return fmt.Errorf("exit code %d", code)
		}
		return nil
	}
	g := serveBy(t, hungUp, folder(smallTree(t))...)
	if err := g.stop(); err != nil || !strings.Contains(g.logs.String(), `"stopping","listener":"api"`) {
		t.Errorf("error %v, log:\n%s", err, g.logs)
	}
}

func TestTheFirstLineSaysWhatIsServedAndTheLastWhatStops(t *testing.T) {
	dir := smallTree(t)
	g := serve(t, dir, "admin.listen=127.0.0.1:0", "redis.password=a-secret")
	line := g.awaitLine(t, `"serving"`, func() {})
	for _, want := range []string{`"version":`, `"engine":"sqlite"`, `"dir":"` + dir + `"`, `"issuers":["`, `"cache_fresh":"5s"`, `"redis":[]`, `"directory":"engine"`} {
		if !strings.Contains(line, want) {
			t.Errorf("lacks %s: %s", want, line)
		}
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	for _, listener := range []string{"api", "admin"} {
		if n := strings.Count(g.logs.String(), `"msg":"stopping","listener":"`+listener+`"`); n != 1 {
			t.Errorf("%s stops %d times:\n%s", listener, n, g.logs)
		}
	}
	if !strings.Contains(g.logs.String(), `"stop_timeout":"30s"`) || strings.Contains(g.logs.String(), "a-secret") {
		t.Errorf("log:\n%s", g.logs)
	}
}
