package commands_test

import (
	"io"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestIndicesAreMadeOnceAndShown(t *testing.T) {
	at := harness.NoIndices(t)
	if out, err := harness.TryCommand(t, at, "index", "status"); err == nil || !strings.Contains(err.Error(), "scopegate index create") || !strings.Contains(out, "sessions") {
		t.Errorf("before: %s, error %v; want what to do", out, err)
	}
	for _, want := range []string{"-sessions-000001", "all indices are there"} {
		if out := harness.Command(t, at, nil, "index", "create"); !strings.Contains(out, want) {
			t.Errorf("create says %q, want %q", out, want)
		}
	}
	harness.ImportLinesInto(t, at, harness.SessionLine("a", 1, ""))
	status := harness.Command(t, at, nil, "index", "status")
	for _, want := range []string{"Elasticsearch 8.", "-sessions-000001", "-sessions-write", "green", "companies", "grants"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
}

func TestCommandsThatNeedAnotherEngineSaySo(t *testing.T) {
	elastic := harness.Place{"engine=elasticsearch", `elasticsearch.addresses=["http://127.0.0.1:1"]`}
	dir := t.TempDir()
	for name, test := range map[string]struct {
		at   harness.Place
		args []string
		code int
		says string
	}{
		"indices of the embedded engine": {harness.Folder(dir), []string{"index", "create"}, cli.ExitUsage, "engine=elasticsearch"},
		"a folder for Elasticsearch":     {elastic, []string{"import", "--data", dir, "-"}, cli.ExitUsage, "leave one of them out"},
		"a copy onto itself":             {harness.Folder(dir), []string{"copy", "--from", dir}, cli.ExitUsage, "where to copy it"},
		"no address":                     {harness.Place{"engine=elasticsearch"}, []string{"index", "status"}, cli.ExitUsage, "elasticsearch.addresses: must hold at least one"},
		"an Elasticsearch that is down":  {elastic, []string{"import", "-"}, cli.ExitFailed, "no connection"},
		"another engine":                 {harness.Place{"engine=mysql"}, []string{"import", "-"}, cli.ExitUsage, "engine: must be sqlite or elasticsearch"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := harness.TryCommand(t, test.at, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want one that says %q", err, test.says)
			}
			if got := cli.ExitCode(err, io.Discard); got != test.code {
				t.Errorf("exit code %d, want %d", got, test.code)
			}
		})
	}
}

func TestAnImportWithoutIndicesSaysHowToMakeThem(t *testing.T) {
	_, err := harness.TryCommand(t, harness.NoIndices(t), "import", "-")
	if err == nil || !strings.Contains(err.Error(), "scopegate index create") {
		t.Errorf("error %v", err)
	}
}
