package freshness_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cache/redistest"
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

func TestAWrongPasswordOfRedisIsInTheLog(t *testing.T) {
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
