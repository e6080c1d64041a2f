package journeys_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/demo"
	"github.com/scopegate/scopegate/search/sqlite"
)

// runningDemo is `scopegate demo` on a free port.
type runningDemo struct {
	url    string
	before string // what it printed before it said where it listens
	tour   string // and after, up to its end
	dir    string
}

const demoSessions = "4000" // enough for all that the tour tries to find something

// startDemo returns when the demo has printed its tour. It is stopped, and has
// to end well, when the test ends.
func startDemo(t *testing.T, dir string, further ...string) runningDemo {
	t.Helper()
	reader, writer := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		args := append([]string{"demo", "--listen", "127.0.0.1:0", "--data", dir, "--sessions", demoSessions}, further...)
		err := cli.Run(ctx, args, nil, cli.Streams{In: strings.NewReader(""), Out: writer, Err: io.Discard})
		_ = writer.CloseWithError(io.EOF) // always nil
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the demo ended with: %v", err)
		}
	})
	d := runningDemo{dir: dir}
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		line := lines.Text()
		if url, found := strings.CutPrefix(line, "listening on "); found {
			d.url, d.before, d.tour = url, d.tour, ""
			continue
		}
		d.tour += line + "\n"
		if strings.HasPrefix(line, "The data") { // the tour's last line
			go func() { _, _ = io.Copy(io.Discard, reader) }() // until writer is closed
			return d
		}
	}
	t.Fatalf("the demo ended with %v after it had printed %q", <-ended, d.tour)
	return d
}

func (d runningDemo) get(t *testing.T, path, token string, into any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, ok := into.(*string); ok {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		*text = string(body)
	} else if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func (d runningDemo) login(t *testing.T, a demo.Account) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	token, err := demo.APIClient{Client: client, URL: d.url}.Login(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// account finds a demo account by the beginning of its e-mail.
func account(t *testing.T, name string) demo.Account {
	t.Helper()
	for _, a := range demo.Accounts() {
		if strings.HasPrefix(a.Email, name+"@") {
			return a
		}
	}
	t.Fatalf("no account %s", name)
	return demo.Account{}
}

type countAnswer struct {
	Count int64 `json:"count"`
}

func TestTheDemo(t *testing.T) {
	dir := t.TempDir()
	var total countAnswer
	all := "/api/v1/sessions?withoutItems=true&showAllSupervised=true"
	t.Run("on its first start", func(t *testing.T) {
		d := startDemo(t, dir)
		t.Run("searches through its own listener, cold then warm", func(t *testing.T) { checkTour(t, d) })
		t.Run("prints lines that work when pasted", func(t *testing.T) { checkPasted(t, d) })
		t.Run("has accounts that see what they are there for", func(t *testing.T) { checkAccounts(t, d) })
		d.get(t, all, d.login(t, account(t, "owner")), &total)
	})
	t.Run("on its second start keeps what the first has written", func(t *testing.T) {
		d := startDemo(t, dir, "--sessions", "9000")
		var again countAnswer
		d.get(t, all, d.login(t, account(t, "owner")), &again)
		if total.Count != 4000 || again.Count != total.Count {
			t.Errorf("%d sessions, then %d; want 4000 both times", total.Count, again.Count)
		}
		if !strings.Contains(d.before, "has 4000 sessions") || !strings.Contains(d.before, "for 9000, delete the folder") {
			t.Errorf("before listening it printed %q", d.before)
		}
	})
}

func checkTour(t *testing.T, d runningDemo) {
	t.Helper()
	for _, want := range []string{
		`(?s)cold +[0-9.]+ ms   Cache-Status: [^\n]*fwd=miss.*fwd=miss`,
		`(?s)warm +[0-9.]+ ms   Cache-Status: [^\n]*hit.*hit`,
		`[1-9][0-9,]* sessions match`,
		`supervisor@demo.example +one-branch`,
		`http://127.0.0.1:\d+/debug/traces/[0-9a-f]{32}`,
	} {
		if !regexp.MustCompile(want).MatchString(d.tour) {
			t.Errorf("the tour does not show %s:\n%s", want, d.tour)
		}
	}
	if !strings.Contains(d.before, demoSessions+" sessions written") {
		t.Errorf("before listening it printed %q", d.before)
	}
	var page string
	if status := d.get(t, "/", "", &page); status != http.StatusOK || !strings.Contains(page, "one-branch") {
		t.Errorf("the page answers %d: %s", status, page)
	}
}

func checkPasted(t *testing.T, d runningDemo) {
	t.Helper()
	var script strings.Builder
	for line := range strings.Lines(d.tour) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") || strings.HasPrefix(line, "TOKEN=") {
			script.WriteString(line + "; echo\n")
		}
	}
	output, err := exec.CommandContext(t.Context(), "sh", "-c", script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(output)) {
		var answer map[string]any
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Errorf("%v: %s", err, line)
			continue
		}
		if count, ok := answer["count"].(float64); ok && count > 0 {
			found++
		} else if answer["kid"] == nil {
			t.Errorf("answered %s", line)
		}
	}
	if found != 3 {
		t.Errorf("%d of the printed searches found something, want 3:\n%s", found, output)
	}
}

func checkAccounts(t *testing.T, d runningDemo) {
	t.Helper()
	for name, companies := range map[string]int64{"owner": 200, "supervisor": 7, "granted": 14, "agent": 1} {
		t.Run(name, func(t *testing.T) {
			a := account(t, name)
			token := d.login(t, a)
			var tree countAnswer
			if status := d.get(t, "/api/v1/companies", token, &tree); status != http.StatusOK {
				t.Fatalf("companies answers %d", status)
			}
			if tree.Count != companies {
				t.Errorf("sees %d companies, want %d", tree.Count, companies)
			}
			var own, all countAnswer
			d.get(t, "/api/v1/sessions?withoutItems=true", token, &own)
			if own.Count < 20 {
				t.Errorf("its own company has %d sessions, want at least 20", own.Count)
			}
			status := d.get(t, "/api/v1/sessions?withoutItems=true&showAllSupervised=true", token, &all)
			switch {
			case !a.Supervisor() && status != http.StatusForbidden:
				t.Errorf("showAllSupervised answers %d, want 403", status)
			case a.Supervisor() && all.Count <= own.Count:
				t.Errorf("supervises %d sessions, of which %d are its own company's", all.Count, own.Count)
			}
		})
	}
}

func TestTheDemoRefusesToStart(t *testing.T) {
	foreign := t.TempDir()
	fillForeign(t, foreign)
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"on every address":          {[]string{"--listen", "0.0.0.0:0"}, cli.ExitUsage, "loopback only"},
		"on an unnamed address":     {[]string{"--listen", ":0"}, cli.ExitUsage, "loopback only"},
		"on a public address":       {[]string{"--listen", "192.0.2.1:0"}, cli.ExitUsage, "loopback only"},
		"without a port":            {[]string{"--listen", "127.0.0.1"}, cli.ExitUsage, "HOST:PORT"},
		"without sessions":          {[]string{"--sessions", "0"}, cli.ExitUsage, "at least 1"},
		"on a port in use":          {[]string{"--listen", taken.Addr().String()}, cli.ExitFailed, "another port"},
		"in somebody else's folder": {[]string{"--data", foreign}, cli.ExitFailed, "nothing in it was touched"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"demo", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--sessions", "10"}, test.args...)
			err := cli.Run(t.Context(), args, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want an error that says %q", err, test.says)
			}
			if code := cli.ExitCode(err, io.Discard); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}

// fillForeign makes a data folder that the demo has not written.
func fillForeign(t *testing.T, dir string) {
	t.Helper()
	lines := `{"type":"company","op":"upsert","doc":{"id":7,"name":"Somebody's own"}}`
	err := cli.Run(t.Context(), []string{"import", "--quiet", "--data", dir, "-"}, nil,
		cli.Streams{In: strings.NewReader(lines), Out: io.Discard, Err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
}

func TestADemoThatIsStoppedWhileSeedingGoesOnAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = demo.Seed(ctx, store, demo.SeedOptions{
		Sessions: 1200, Batch: 500, Seed: demo.DefaultSeed, Now: time.Now(), Progress: func(int, int) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	d := startDemo(t, dir)
	if !strings.Contains(d.before, "went on where an earlier start was cut short") {
		t.Errorf("before listening it printed %q", d.before)
	}
	var all countAnswer
	d.get(t, "/api/v1/sessions?withoutItems=true&showAllSupervised=true", d.login(t, account(t, "owner")), &all)
	if all.Count != 1200 {
		t.Errorf("%d sessions, want 1200", all.Count)
	}
}

func TestImportTakesEveryLineThatSeedWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.ndjson.zst")
	imported := t.TempDir()
	for _, args := range [][]string{
		{"seed", "--sessions", "1500", "--out", file},
		{"import", "--quiet", "--strict", "--data", imported, file},
	} {
		if err := cli.Run(t.Context(), args, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: imported})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	records, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(records.Companies) != 200 || len(records.Grants) != 1 {
		t.Errorf("%d companies and %d grants, want 200 and 1", len(records.Companies), len(records.Grants))
	}
}
