package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	contract "github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/search/export"
)

// exportedTo runs the export of all ids of company 1 and below into a file.
func exportedTo(t *testing.T, gateway, token, format, path string) (code int, said string) {
	t.Helper()
	code, _, said = exported(t.Context(), environ{"SCOPEGATE_TOKEN=" + token}, "--gateway", gateway, "--showAllSupervised", "--format", format, "-o", path, "--resume")
	return code, said
}

// TestAnExportWhoseConnectionBreaksIsResumedAndHasEachIDOnce on both engines,
// while others write.
func TestAnExportWhoseConnectionBreaksIsResumedAndHasEachIDOnce(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			want := plantExported(t, at)
			g := serveAt(t, at)
			g.awaitReady(t)
			token := g.supervisor(t, 1)
			for _, format := range []string{"NDJSON", "CSV"} {
				road := newWire(t, strings.TrimPrefix(g.url, "http://"))
				path := filepath.Join(t.TempDir(), "file")
				road.cutAfter(40_000) // packed
				code, said := exportedTo(t, "http://"+road.address, token, format, path)
				checkKept(t, code, said, path)
				road.mend()
				late := format + "-late" // behind or before what has come
				importLinesInto(t, at, sessionLine(late, 1, ""), sessionLine("z-"+late, 1, ""))
				want = append(want, "z-"+late)
				code, said = exportedTo(t, "http://"+road.address, token, format, path)
				if code != exitOK || !strings.Contains(said, "spans 2 snapshots") {
					t.Fatalf("exit code %d: %s", code, said)
				}
				checkIDs(t, format, path, want)
				want = append(want, late)
			}
		})
	}
}

// plantExported stores several batches of an export, and returns their ids.
func plantExported(t *testing.T, at place) []string {
	t.Helper()
	lines := []string{companyLine(1, 0), companyLine(2, 1)}
	var ids []string
	for i := range exportedSessions {
		ids = append(ids, fmt.Sprintf("s-%05d", i))
		lines = append(lines, sessionLine(ids[i], 1+i%2, fmt.Sprintf(`"name": "client\r\n \"%x\""`, sha256.Sum256([]byte(ids[i])))))
	}
	importLinesInto(t, at, lines...)
	return ids
}

func checkKept(t *testing.T, code int, said, path string) {
	t.Helper()
	if code != exitIncomplete || !strings.Contains(said, "--resume goes on behind it") {
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
	at := emptyIndices(t)
	want := plantExported(t, at)
	cluster := newWire(t, strings.TrimPrefix(service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "http://"))
	g := serveAt(t, at, fmt.Sprintf(`elasticsearch.addresses=["http://%s"]`, cluster.address))
	g.awaitReady(t)
	token, path := g.supervisor(t, 1), filepath.Join(t.TempDir(), "file")
	cluster.cutAfter(3_000_000)
	code, said := exportedTo(t, g.url, token, "NDJSON", path)
	checkKept(t, code, said, path)
	cluster.mend()
	eventually(t, "it is resumed", func() bool {
		code, said = exportedTo(t, g.url, token, "NDJSON", path)
		return code == exitOK
	})
	if !strings.Contains(said, "spans 2 snapshots") {
		t.Error(said)
	}
	checkIDs(t, "NDJSON", path, want)
}

// TestAnExportOfEveryFormatIsKnownToBeWhole by what the real gateway says of it.
func TestAnExportOfEveryFormatIsKnownToBeWhole(t *testing.T) {
	g := serve(t, smallTree(t))
	g.awaitReady(t)
	env := environ{"SCOPEGATE_TOKEN=" + g.supervisor(t, 1)}
	for _, format := range export.Formats() {
		for _, zip := range []string{"--zip=false", "--zip"} {
			path := filepath.Join(t.TempDir(), "file")
			code, _, said := exported(t.Context(), env, "--gateway", g.url, "--showAllSupervised", "--format", string(format), zip, "-o", path)
			if info, err := os.Stat(path); err != nil || info.Size() == 0 || code != exitOK || !strings.Contains(said, "rows: 4,") {
				t.Errorf("%s, %s: exit code %d, %v: %s", format, zip, code, err, said)
			}
		}
	}
	code, _, said := exported(t.Context(), env, "--gateway", g.url, "--companyId=9", "--limit=0")
	if code != exitRefused || !strings.Contains(said, "400") || !strings.Contains(said, "  limit: must be") {
		t.Errorf("a limit of 0: exit code %d: %s", code, said)
	}
	if code, _, said = exported(t.Context(), env, "--gateway", g.url, "--companyId=9"); code != exitRefused || !strings.Contains(said, "403") {
		t.Errorf("another's company: exit code %d: %s", code, said)
	}
}

// TestTheFlagsOfAnExportAreTheParametersOfTheContract, by name.
func TestTheFlagsOfAnExportAreTheParametersOfTheContract(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(contract.YAML())
	if err != nil {
		t.Fatal(err)
	}
	// These have flags of the command's own, say nothing, or are always refused.
	got := []string{"format", "zip", "resumeAfter", "language", "group"}
	query := reflect.TypeFor[exportQuery]()
	for i := range query.NumField() {
		got = append(got, query.Field(i).Tag.Get("name"))
	}
	var want []string
	for name := range document.Components.Schemas["ExportBody"].Value.Properties {
		want = append(want, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("flags %v, parameters %v", got, want)
	}
}
