package commands_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// Every command of docs/backup.md is run as it stands there, one after another.
func TestTheCommandsOfTheBackupPageDoWhatItSays(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := harness.SmallTree(t)
	t.Chdir(t.TempDir())
	if err := os.Symlink(folder, "scopegate-data"); err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^scopegate (.*)$`).FindAllStringSubmatch(string(page), -1)
	if len(commands) != 5 {
		t.Fatalf("%d commands were found", len(commands))
	}
	for _, command := range commands {
		var out, errs bytes.Buffer
		if err := cli.Run(t.Context(), strings.Fields(command[1]), nil, cli.Streams{Out: &out, Err: &errs}); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, errs.String())
		}
	}
	want := harness.Command(t, harness.Folder(folder), nil, "dump")
	for _, dir := range []string{"restored", "again"} {
		if diff := cmp.Diff(sortedLines(want), sortedLines(harness.Command(t, harness.Folder(dir), nil, "dump"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dir, diff)
		}
	}
}

func TestStoreCommandsSayWhyTheyRefuse(t *testing.T) {
	folder := harness.SmallTree(t)
	backup := filepath.Join(t.TempDir(), "backup")
	run := func(args ...string) error {
		var out, errs bytes.Buffer
		return cli.Run(t.Context(), args, nil, cli.Streams{Out: &out, Err: &errs})
	}
	if err := run("store", "backup", "--data", folder, backup); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup+".bad", []byte("no backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a backup that is there":       {[]string{"store", "backup", "--data", folder, backup}, cli.ExitRefused, "name another"},
		"a folder that has data":       {[]string{"store", "restore", "--data", folder, backup}, cli.ExitRefused, "--replace"},
		"what is no backup":            {[]string{"store", "restore", "--data", t.TempDir(), backup + ".bad"}, cli.ExitRefused, "no SQLite database"},
		"a folder without data":        {[]string{"store", "check", "--data", t.TempDir()}, cli.ExitUsage, "has no data"},
		"a migration of nothing":       {[]string{"store", "migrate", "--data", t.TempDir()}, cli.ExitUsage, "has no data"},
		"an engine that has no folder": {[]string{"store", "check", "--set", "engine=elasticsearch", "--set", `elasticsearch.addresses=["http://127.0.0.1:1"]`}, cli.ExitUsage, "no data folder"},
	} {
		err := run(test.args...)
		if err == nil || !strings.Contains(err.Error(), test.says) || cli.ExitCode(err, &bytes.Buffer{}) != test.code {
			t.Errorf("%s: exit code %d, error %v; want %d and %q", name, cli.ExitCode(err, &bytes.Buffer{}), err, test.code, test.says)
		}
	}
	harness.Serve(t, folder)
	if err := run("store", "restore", "--replace", "--data", folder, backup); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a folder that a gateway is using: error %v", err)
	}
}
