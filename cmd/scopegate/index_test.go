package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// tryCommand runs a command on the place.
func tryCommand(t *testing.T, at place, args ...string) (out string, err error) {
	t.Helper()
	var text strings.Builder
	err = run(t.Context(), append(args, at.flags()...), nil, streams{in: strings.NewReader(""), out: &text, err: io.Discard})
	return text.String(), err
}

func TestIndicesAreMadeOnceAndShown(t *testing.T) {
	at := noIndices(t)
	if out, err := tryCommand(t, at, "index", "status"); err == nil || !strings.Contains(err.Error(), "scopegate index create") || !strings.Contains(out, "sessions") {
		t.Errorf("before: %s, error %v; want what to do", out, err)
	}
	for _, want := range []string{"-sessions-000001", "all indices are there"} {
		if out := command(t, at, nil, "index", "create"); !strings.Contains(out, want) {
			t.Errorf("create says %q, want %q", out, want)
		}
	}
	importLinesInto(t, at, sessionLine("a", 1, ""))
	status := command(t, at, nil, "index", "status")
	for _, want := range []string{"Elasticsearch 8.", "-sessions-000001", "-sessions-write", "green", "companies", "grants"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
}

func TestCommandsThatNeedAnotherEngineSaySo(t *testing.T) {
	elastic := place{"engine=elasticsearch", `elasticsearch.addresses=["http://127.0.0.1:1"]`}
	dir := t.TempDir()
	for name, test := range map[string]struct {
		at   place
		args []string
		code int
		says string
	}{
		"indices of the embedded engine": {folder(dir), []string{"index", "create"}, exitUsage, "engine=elasticsearch"},
		"a folder for Elasticsearch":     {elastic, []string{"import", "--data", dir, "-"}, exitUsage, "leave one of them out"},
		"a copy onto itself":             {folder(dir), []string{"copy", "--from", dir}, exitUsage, "where to copy it"},
		"no address":                     {place{"engine=elasticsearch"}, []string{"index", "status"}, exitUsage, "elasticsearch.addresses: must hold at least one"},
		"an Elasticsearch that is down":  {elastic, []string{"import", "-"}, exitFailed, "no connection"},
		"another engine":                 {place{"engine=mysql"}, []string{"import", "-"}, exitUsage, "engine: must be sqlite or elasticsearch"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCommand(t, test.at, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want one that says %q", err, test.says)
			}
			var exit *exitError
			if got := exitCode(err, io.Discard); got != test.code {
				t.Errorf("exit code %d (%t), want %d", got, errors.As(err, &exit), test.code)
			}
		})
	}
}

func TestAnImportWithoutIndicesSaysHowToMakeThem(t *testing.T) {
	_, err := tryCommand(t, noIndices(t), "import", "-")
	if err == nil || !strings.Contains(err.Error(), "scopegate index create") {
		t.Errorf("error %v", err)
	}
}
