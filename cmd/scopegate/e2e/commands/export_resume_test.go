package commands_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tcptest"
)

// exportedTo runs the export of all ids of company 1 and below into a file.
func exportedTo(t *testing.T, gateway, token, format, path string) (code int, said string) {
	t.Helper()
	code, _, said = exported(t.Context(), cli.Environ{"SCOPEGATE_TOKEN=" + token}, "--gateway", gateway, "--showAllSupervised", "--format", format, "-o", path, "--resume")
	return code, said
}

// TestAnExportWhoseConnectionBreaksIsResumedAndHasEachIDOnce on both engines,
// while others write.
func TestAnExportWhoseConnectionBreaksIsResumedAndHasEachIDOnce(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			want := plantExported(t, at)
			g := harness.ServeAt(t, at)
			g.AwaitReady(t)
			token := g.Supervisor(t, 1)
			for _, format := range []string{"NDJSON", "CSV"} {
				road := tcptest.NewProxy(t, strings.TrimPrefix(g.URL, "http://"))
				path := filepath.Join(t.TempDir(), "file")
				road.CutAfter(40_000) // packed
				code, said := exportedTo(t, "http://"+road.Address, token, format, path)
				checkPart(t, code, said, path)
				road.Mend()
				late := format + "-late" // behind or before what has come
				harness.ImportLinesInto(t, at, harness.SessionLine(late, 1, ""), harness.SessionLine("z-"+late, 1, ""))
				want = append(want, "z-"+late)
				code, said = exportedTo(t, "http://"+road.Address, token, format, path)
				if code != cli.ExitOK || !strings.Contains(said, "spans 2 snapshots") {
					t.Fatalf("exit code %d: %s", code, said)
				}
				checkIDs(t, format, path, want)
				want = append(want, late)
			}
		})
	}
}

// plantExported stores several batches of an export, and returns their ids.
func plantExported(t *testing.T, at harness.Place) []string {
	t.Helper()
	lines := []string{harness.CompanyLine(1, 0), harness.CompanyLine(2, 1)}
	var ids []string
	for i := range exportedSessions {
		ids = append(ids, fmt.Sprintf("s-%05d", i))
		lines = append(lines, harness.SessionLine(ids[i], 1+i%2, fmt.Sprintf(`"name": "client\r\n \"%x\""`, sha256.Sum256([]byte(ids[i])))))
	}
	harness.ImportLinesInto(t, at, lines...)
	return ids
}

func checkPart(t *testing.T, code int, said, path string) {
	t.Helper()
	if code != cli.ExitIncomplete || !strings.Contains(said, "--resume goes on behind it") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("there is a file, as if it were whole")
	}
	if info, err := os.Stat(path + ".part"); err != nil || info.Size() == 0 {
		t.Fatalf("there is no part: %v", err)
	}
}

// checkIDs looks for each of the ids once, in order.
func checkIDs(t *testing.T, format, path string, want []string) {
	t.Helper()
	text, err := os.ReadFile(path) // #nosec G304 -- a file of the test's
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if format == "NDJSON" {
		got = idsOfLines(t, string(text))
	} else {
		for _, row := range recordsOf(t, string(text))[1:] {
			got = append(got, row[0])
		}
	}
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%d ids, want %d, each once and in order", len(got), len(want))
	}
}

// TestAnExportFromAnElasticsearchThatStopsMidwayIsSaidToBeBrokenAndResumed.
func TestAnExportFromAnElasticsearchThatStopsMidwayIsSaidToBeBrokenAndResumed(t *testing.T) {
	at := harness.EmptyIndices(t)
	want := plantExported(t, at)
	cluster := tcptest.NewProxy(t, strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "http://"))
	g := harness.ServeAt(t, at, fmt.Sprintf(`elasticsearch.addresses=["http://%s"]`, cluster.Address))
	g.AwaitReady(t)
	token, path := g.Supervisor(t, 1), filepath.Join(t.TempDir(), "file")
	cluster.CutAfter(3_000_000)
	code, said := exportedTo(t, g.URL, token, "NDJSON", path)
	checkPart(t, code, said, path)
	cluster.Mend()
	harness.Eventually(t, "it is resumed", func() bool {
		code, said = exportedTo(t, g.URL, token, "NDJSON", path)
		return code == cli.ExitOK
	})
	if !strings.Contains(said, "spans 2 snapshots") {
		t.Error(said)
	}
	checkIDs(t, "NDJSON", path, want)
}

// TestAnExportOfEveryFormatIsKnownToBeWhole by what the real gateway says of it.
func TestAnExportOfEveryFormatIsKnownToBeWhole(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t))
	g.AwaitReady(t)
	env := cli.Environ{"SCOPEGATE_TOKEN=" + g.Supervisor(t, 1)}
	for _, format := range export.Formats() {
		for _, zip := range []string{"--zip=false", "--zip"} {
			path := filepath.Join(t.TempDir(), "file")
			code, _, said := exported(t.Context(), env, "--gateway", g.URL, "--showAllSupervised", "--format", string(format), zip, "-o", path)
			if info, err := os.Stat(path); err != nil || info.Size() == 0 || code != cli.ExitOK || !strings.Contains(said, "rows: 4,") {
				t.Errorf("%s, %s: exit code %d, %v: %s", format, zip, code, err, said)
			}
		}
	}
	code, _, said := exported(t.Context(), env, "--gateway", g.URL, "--companyId=9", "--limit=0")
	if code != cli.ExitRefused || !strings.Contains(said, "400") || !strings.Contains(said, "  limit: must be") {
		t.Errorf("a limit of 0: exit code %d: %s", code, said)
	}
	if code, _, said = exported(t.Context(), env, "--gateway", g.URL, "--companyId=9"); code != cli.ExitRefused || !strings.Contains(said, "403") {
		t.Errorf("another's company: exit code %d: %s", code, said)
	}
}
