package commands_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/demo"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search/schema"
)

// outdatedFolder has generated sessions, as a program with another folding table
// would have stored them.
func outdatedFolder(t *testing.T, sessions int) string {
	t.Helper()
	dir := t.TempDir()
	var seed bytes.Buffer
	if err := demo.NewGenerator(1, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)).WriteNDJSON(t.Context(), &seed, sessions, func(int) {}); err != nil {
		t.Fatal(err)
	}
	harness.ImportInto(t, harness.Folder(dir), &seed)
	db, err := sql.Open("sqlite", filepath.Join(dir, "scopegate.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "UPDATE meta SET value = 'another' WHERE name = 'schema.fold'")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAGatewayMigratesItsFolderBeforeItServesAndSaysSo(t *testing.T) {
	const sessions = 6000
	dir := outdatedFolder(t, sessions)
	logs, writer := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := cli.Run(ctx, []string{
			"serve", "--listen", "127.0.0.1:0", "--data", dir, "--set", "admin.listen=127.0.0.1:0",
			"--set", `identity.issuers=[{"issuer": "https://id.example", "jwks_url": "https://127.0.0.1:1/jwks", "audiences": ["a"]}]`,
		}, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: writer})
		_ = writer.CloseWithError(io.EOF) // always nil
		ended <- err
	}()
	lines := make(chan string, 1000) // requests wait for the log, and are made while it is read
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(logs); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	var seen []string
	for text := range lines {
		var line struct {
			Msg, API, Admin string
			Sessions        int64
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		seen = append(seen, line.Msg)
		switch {
		case strings.Contains(line.Msg, "older schema"):
			for target, want := range map[string]struct {
				status int
				says   string
			}{
				line.Admin + "/livez":         {http.StatusOK, "alive"},
				line.Admin + "/readyz":        {http.StatusServiceUnavailable, "sessions are written anew"},
				line.API + "/api/v1/sessions": {http.StatusServiceUnavailable, "brought up to date"},
			} {
				status, body := fetch(t, target)
				if status != want.status || !strings.Contains(body, want.says) {
					t.Errorf("%s: status %d, %s; want %d and %q", target, status, body, want.status, want.says)
				}
			}
			if _, err := harness.TryCommand(t, harness.Folder(dir), "directory", "show"); err == nil || !strings.Contains(err.Error(), "replaces the data") {
				t.Errorf("a second process: error %v", err)
			}
		case line.Msg == "the data is migrated" && line.Sessions != sessions:
			t.Errorf("%d sessions were migrated, want %d", line.Sessions, sessions)
		case line.Msg == "serving":
			if status, body := fetch(t, line.API+"/api/v1/sessions"); status != http.StatusUnauthorized {
				t.Errorf("afterwards: status %d, %s", status, body)
			}
			stop()
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if len(seen) < 3 || !strings.Contains(strings.Join(seen, "; "), "the data is migrated") {
		t.Errorf("the log says %q", seen)
	}
}

func fetch(t *testing.T, target string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusServiceUnavailable && strings.HasSuffix(target, "/sessions") && response.Header.Get("Retry-After") == "" {
		t.Errorf("%s has no Retry-After", target)
	}
	return response.StatusCode, string(text)
}

func TestCommandsSayHowAnOutdatedFolderIsBroughtUpToDate(t *testing.T) {
	dir := outdatedFolder(t, 20)
	before := harness.Command(t, harness.Folder(dir), nil, "dump")
	if _, err := harness.TryCommand(t, harness.Folder(dir), "directory", "show"); err == nil || !strings.Contains(err.Error(), "scopegate store migrate") {
		t.Errorf("error %v, want one that says what to do", err)
	}
	var out bytes.Buffer
	if err := cli.Run(t.Context(), []string{"store", "migrate", "--data", dir}, nil, cli.Streams{Out: &out, Err: io.Discard}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint("written anew: ", 20); !strings.Contains(out.String(), want) {
		t.Errorf("it says %q, want %q", out.String(), want)
	}
	if after := harness.Command(t, harness.Folder(dir), nil, "dump"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// asOldSchema makes the index of sessions look like one of the schema before this
// program's.
func asOldSchema(t *testing.T, at harness.Place) {
	t.Helper()
	steps := schema.Steps()
	before := steps[len(steps)-2]
	put(t, at, "_mapping", fmt.Sprintf(`{"_meta": {"scopegate": {"schema": %d, "folding": %q}}}`, before.Schema, before.Folding.Fingerprint()))
}

// put sends a request to the write alias of the sessions, as another producer does.
func put(t *testing.T, at harness.Place, path, body string) {
	t.Helper()
	target := harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH") + "/" + harness.IndexOf(at) + "-sessions-write/" + path
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode >= http.StatusBadRequest {
		t.Fatalf("status %d: %s", response.StatusCode, text)
	}
}

// interruptedAt runs a command and interrupts it when it has written some words.
func interruptedAt(t *testing.T, words string, args []string) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	errs := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte(words)) {
			interrupt()
		}
	})
	if err := cli.Run(ctx, args, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: errs}); err == nil {
		t.Fatalf("%v ended before it could be interrupted", args)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// Every command of docs/upgrade.md is run as it stands there, but for the name of the
// new index.
func TestTheCommandsOfTheUpgradePageDoWhatItSays(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	folder, old, fresh := outdatedFolder(t, 50), harness.EmptyIndices(t), harness.NoIndices(t)
	harness.PlantSmallTree(t, old)
	asOldSchema(t, old)
	want := harness.Command(t, old, nil, "dump")
	t.Chdir(t.TempDir())
	if err := os.Symlink(folder, "scopegate-data"); err != nil {
		t.Fatal(err)
	}
	settings := "engine: elasticsearch\nelasticsearch: {addresses: [" + harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH") + "], index: " + harness.IndexOf(old) + "}\n"
	harness.WriteFile(t, "old.yaml", settings)
	harness.WriteFile(t, "new.yaml", settings)
	run := func(line string) string {
		t.Helper()
		var out bytes.Buffer
		for command := range strings.SplitSeq(line, "|") {
			in := io.Reader(strings.NewReader(out.String()))
			out.Reset()
			var errs bytes.Buffer
			if err := cli.Run(t.Context(), strings.Fields(command)[1:], nil, cli.Streams{In: in, Out: &out, Err: &errs}); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, errs.String())
			}
		}
		return out.String()
	}
	lines := regexp.MustCompile(`(?m)^ *scopegate .*$`).FindAllString(strings.ReplaceAll(string(page), "scopegate-2", harness.IndexOf(fresh)), -1)
	var known []string
	command := func(words string) string {
		t.Helper()
		for _, line := range lines {
			if strings.Contains(line, words) {
				known = append(known, line)
				return line
			}
		}
		t.Fatalf("the page has no command %q", words)
		return ""
	}
	run(command("store migrate"))
	run(command("store check"))

	migrate := command("index migrate -c")
	interruptedAt(t, "copying", append(strings.Fields(migrate)[1:], "--rate", "1"))
	if status := run("scopegate index status -c new.yaml"); !strings.Contains(status, "--abort") {
		t.Errorf("the status is\n%s", status)
	}
	if out := run(command("--abort")); !strings.Contains(out, "deleted") {
		t.Errorf("it says %q", out)
	}
	if out := run(migrate); !strings.Contains(out, "drop-old") {
		t.Errorf("it says %q", out)
	}
	put(t, old, "_doc/foreign", `{"id": "foreign", "companyId": 2}`)
	followed := make(chan error, 1)
	follow := strings.Fields(command("--follow"))[1:]
	go func() {
		followed <- cli.Run(t.Context(), follow, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	}()
	copied := func() string { return run("scopegate dump --quiet -c new.yaml") }
	harness.Eventually(t, "what another producer has written is copied", func() bool { return strings.Contains(copied(), `"foreign"`) })
	if out := run(command("drop-old")); !strings.Contains(out, "deleted "+harness.IndexOf(old)+"-sessions-000001") {
		t.Errorf("it says %q", out)
	}
	if err := <-followed; err != nil {
		t.Errorf("what followed on: %v", err)
	}
	after := copied()
	others := slices.DeleteFunc(sortedLines(after), func(line string) bool { return strings.Contains(line, `"foreign"`) })
	if diff := cmp.Diff(sortedLines(want), others); diff != "" {
		t.Errorf("(-old +new):\n%s", diff)
	}

	run(command("index create"))
	run(command("scopegate dump"))
	if diff := cmp.Diff(sortedLines(after), sortedLines(harness.Command(t, fresh, nil, "dump"))); diff != "" {
		t.Errorf("(-old +new):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(lines)), slices.Sorted(slices.Values(known))); diff != "" {
		t.Errorf("other commands are on the page (-page +run):\n%s", diff)
	}
}
