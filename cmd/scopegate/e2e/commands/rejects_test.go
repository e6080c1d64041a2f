package commands_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search/sqlite"
)

// rejectedLine is what a reject file tells of a line, or of a record.
type rejectedLine struct {
	Line       int
	ID, Reason string
}

func readRejected(t *testing.T, path string) (list []rejectedLine) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var r rejectedLine
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// tryImport imports lines, and returns what the command says and its exit code.
func tryImport(t *testing.T, at harness.Place, in io.Reader, args ...string) (said string, code int) {
	t.Helper()
	var out, errOut strings.Builder
	err := cli.Run(t.Context(), append(append([]string{"import"}, args...), at.Flags()...), nil, cli.Streams{In: in, Out: &out, Err: &errOut})
	code = cli.ExitCode(err, &errOut)
	return out.String() + errOut.String(), code
}

// Elasticsearch refuses such lines, which no engine is to be sent.
func TestOddLinesAreRejectedByBothEnginesAlikeAndTheRestIsStored(t *testing.T) {
	deep := `"metrics":{"a":` + strings.Repeat("[", 998) + strings.Repeat("]", 998) + `}`
	long := `"rating":4.` + strings.Repeat("1", 1000)
	lines := []string{
		harness.CompanyLine(1, 0),
		harness.SessionLine("deep-first", 1, deep),
		harness.SessionLine("a", 1, ""),
		harness.SessionLine("long", 1, long),
		harness.SessionLine("within", 1, `"metrics":{"a":{"b":`+strings.Repeat("3", 1001)+`}}`),
		harness.SessionLine("b", 1, ""),
		`{"type":"session","op":"delete","doc":{"id":"` + strings.Repeat("x", 600) + `"}}`,
		`{"type":"session","op":"delete","doc":{"id":"a"}}`,
		harness.SessionLine("a", 1, `"metrics":{"a":`+strings.Repeat("[", 90)+strings.Repeat("]", 90)+`},"rating":4.`+strings.Repeat("1", 90)),
		harness.SessionLine("deep-last", 1, deep),
	}
	want := []rejectedLine{
		{Line: 2, Reason: "invalid session: metrics: must not be nested deeper than 100 levels"},
		{Line: 4, Reason: "invalid session: rating: must not hold a number of more than 100 characters"},
		{Line: 5, Reason: "invalid session: metrics: must not hold a number of more than 100 characters"},
		{Line: 7, Reason: "invalid line: doc: id: must be a string of 1 to 512 bytes"},
		{Line: 10, Reason: "invalid session: metrics: must not be nested deeper than 100 levels"},
	}
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Chdir(t.TempDir())
			at := empty(t)
			for _, batch := range []string{"2", "1000"} { // again changes nothing
				said, code := tryImport(t, at, strings.NewReader(strings.Join(lines, "\n")), "--batch", batch, "-")
				if code != cli.ExitRejected || !strings.Contains(said, "stored: 4, deleted: 1, to delete but not there: 0, rejected: 5") {
					t.Errorf("exit code %d: %s", code, said)
				}
				if diff := cmp.Diff(want, readRejected(t, "scopegate-import.rejects.ndjson")); diff != "" {
					t.Errorf("rejected (-want +got):\n%s", diff)
				}
			}
			if n := harness.ServeAt(t, at).CountOfAll(t); n != 2 {
				t.Errorf("%d sessions are stored, want 2", n)
			}
		})
	}
}

// refusedByElasticsearch has Elasticsearch meet a field that it does not know in
// place of an odd one, wherever such a line is stored.
func refusedByElasticsearch(t *testing.T, at harness.Place) harness.Place {
	t.Helper()
	return harness.BehindProxy(t, at, func(_ *http.Request, body []byte) (int, []byte) {
		return 0, bytes.ReplaceAll(body, []byte(`"purpose":"odd"`), []byte(`"unknown":"odd"`))
	})
}

const odd = `"purpose":"odd"`

func TestALineThatElasticsearchRefusesGoesToTheRejectFileAndTheRestIsStored(t *testing.T) {
	const reason = "Elasticsearch refuses it: status 400, strict_dynamic_mapping_exception"
	lines := []string{harness.SessionLine("odd", 1, odd), harness.CompanyLine(1, 0)} // the first line
	want := []rejectedLine{{Line: 1, Reason: reason}}
	for n := 3; n <= 40; n++ {
		if n%13 == 0 || n == 40 { // in the middle of batches, and the last line
			lines = append(lines, harness.SessionLine("odd", 1, odd))
			want = append(want, rejectedLine{Line: n, Reason: reason})
			continue
		}
		lines = append(lines, harness.SessionLine(fmt.Sprintf("s%d", n), 1, ""))
	}
	text := strings.Join(lines, "\n") + "\n"
	at := harness.EmptyIndices(t)
	faulty := refusedByElasticsearch(t, at)
	t.Run("of a file", func(t *testing.T) {
		file := harness.WriteFile(t, filepath.Join(t.TempDir(), "a.ndjson"), text)
		said, code := tryImport(t, faulty, nil, "--batch", "7", file)
		if code != cli.ExitRejected || !strings.Contains(said, "lines: 40, stored: 35, deleted: 0, to delete but not there: 0, rejected: 5") ||
			!strings.Contains(said, "5 of 40 lines were rejected: see "+file+".rejects.ndjson") {
			t.Errorf("exit code %d: %s", code, said)
		}
		if diff := cmp.Diff(want, readRejected(t, file+".rejects.ndjson")); diff != "" {
			t.Errorf("rejected (-want +got):\n%s", diff)
		}
		if n := harness.ServeAt(t, at).CountOfAll(t); n != 34 {
			t.Errorf("%d sessions are stored, want 34", n)
		}
	})
	t.Run("of a pipe", func(t *testing.T) {
		t.Chdir(t.TempDir())
		said, code := tryImport(t, faulty, strings.NewReader(text), "-")
		if code != cli.ExitRejected || !strings.Contains(said, "rejected: 5") {
			t.Errorf("exit code %d: %s", code, said)
		}
		if diff := cmp.Diff(want, readRejected(t, "scopegate-import.rejects.ndjson")); diff != "" {
			t.Errorf("rejected (-want +got):\n%s", diff)
		}
	})
	t.Run("strictly", func(t *testing.T) {
		said, code := tryImport(t, faulty, strings.NewReader(text), "--strict", "--rejects", filepath.Join(t.TempDir(), "r"), "-")
		if code != cli.ExitFailed || !strings.Contains(said, "stopped by --strict: line rejected: line 1: "+reason) {
			t.Errorf("exit code %d: %s", code, said)
		}
	})
}

func TestACopyEndsAndSaysWhatItLeftOut(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, at := harness.SmallTree(t), harness.EmptyIndices(t)
	harness.ImportLines(t, dir, harness.SessionLine("odd", 3, odd), harness.SessionLine("last", 3, ""))
	// An earlier version has stored it.
	storeAsItIs(t, dir, "c", `{"id":"c","companyId":2,"metrics":{"a":`+strings.Repeat("[", 998)+strings.Repeat("]", 998)+`}}`)
	want := []rejectedLine{
		{ID: "odd", Reason: "Elasticsearch refuses it: status 400, strict_dynamic_mapping_exception"},
		{ID: "c", Reason: "invalid session: metrics: must not be nested deeper than 100 levels"},
	}
	for range 2 { // again changes nothing
		out, err := harness.TryCommand(t, refusedByElasticsearch(t, at), "copy", "--from", dir)
		if code := cli.ExitCode(err, io.Discard); code != cli.ExitRejected || !strings.Contains(out, "records copied: 9, left out: 2") ||
			!strings.Contains(fmt.Sprint(err), "2 of 11 records were left out: see scopegate-copy.rejects.ndjson") {
			t.Errorf("exit code %d, %v: %s", code, err, out)
		}
		if diff := cmp.Diff(want, readRejected(t, "scopegate-copy.rejects.ndjson")); diff != "" {
			t.Errorf("left out (-want +got):\n%s", diff)
		}
	}
	if n := harness.ServeAt(t, at).CountOfAll(t); n != 4 { // a, b, d and last
		t.Errorf("%d sessions are copied, want 4", n)
	}
}

// storeAsItIs puts a document in the place of a session's.
func storeAsItIs(t *testing.T, dir, id, document string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a failed write was told
	const statement = "UPDATE documents SET doc = ? WHERE key = (SELECT key FROM sessions WHERE id = ?)"
	if _, err := db.ExecContext(t.Context(), statement, []byte(document), id); err != nil {
		t.Fatal(err)
	}
}
