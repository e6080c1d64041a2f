package commands_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/demo"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// sortedLines are the lines of a dump in an order that says nothing.
func sortedLines(text string) []string { return slices.Sorted(strings.Lines(text)) }

func TestADumpThatWentThroughTheOtherEngineAndBackIsTheSame(t *testing.T) {
	first, indices, second := harness.EmptyFolder(t), harness.EmptyIndices(t), harness.EmptyFolder(t)
	const sessions = 600
	var seed bytes.Buffer
	if err := demo.NewGenerator(1, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)).WriteNDJSON(t.Context(), &seed, sessions, func(int) {}); err != nil {
		t.Fatal(err)
	}
	harness.ImportInto(t, first, &seed)
	harness.ImportLinesInto(t, first, `{"type": "grant", "doc": {"issuer": "https://id.example", "subject": "ünïcode \" <&>", "companyId": 3}}`)
	want := harness.Command(t, first, nil, "dump")
	harness.ImportInto(t, indices, strings.NewReader(want))
	between := harness.Command(t, indices, nil, "dump")
	harness.ImportInto(t, second, strings.NewReader(between))
	for name, got := range map[string]string{"Elasticsearch": between, "back on SQLite": harness.Command(t, second, nil, "dump")} {
		if diff := cmp.Diff(sortedLines(want), sortedLines(got)); diff != "" {
			t.Errorf("%s (-first +got):\n%s", name, diff)
		}
	}
	if n := strings.Count(want, `"type":"session"`); n != sessions {
		t.Errorf("%d sessions, want %d", n, sessions)
	}
}

func TestADumpGoesToAFileOfItsOwnerThatIsThereOnlyWhenItIsWhole(t *testing.T) {
	at := harness.Folder(harness.SmallTree(t))
	dir := t.TempDir()
	plain := harness.Command(t, at, nil, "dump")
	file := filepath.Join(dir, "all.ndjson.zst")
	harness.Command(t, at, nil, "dump", "-o", file)
	packed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	var unpacked bytes.Buffer
	if _, err := unpacked.ReadFrom(decoder); err != nil || unpacked.String() != plain {
		t.Errorf("the file holds %q, error %v; want %q", unpacked.String(), err, plain)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, error %v", info.Mode(), err)
	}
	_, err = harness.TryCommand(t, at, "dump", "-o", file)
	if err == nil || !strings.Contains(err.Error(), "--force") || cli.ExitCode(err, &bytes.Buffer{}) != cli.ExitUsage {
		t.Errorf("a second dump into the file: error %v, want one that names --force", err)
	}
	harness.Command(t, at, nil, "dump", "-o", file, "--force")
	if left, err := fs.Glob(os.DirFS(dir), "*"); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, error %v", left, err)
	}
}

func TestADumpOfNothingSaysThatThereIsNothing(t *testing.T) {
	if _, err := harness.TryCommand(t, harness.Folder(t.TempDir()), "dump"); err == nil || !strings.Contains(err.Error(), "has no data") {
		t.Errorf("an empty folder: error %v", err)
	}
	if _, err := harness.TryCommand(t, harness.NoIndices(t), "dump"); err == nil || !strings.Contains(err.Error(), "scopegate index create") {
		t.Errorf("no indices: error %v", err)
	}
}
