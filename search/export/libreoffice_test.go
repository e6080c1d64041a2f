package export

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFilesAreWhatLibreOfficeReads has it open a file and write it again, as the
// cells show, and compares them one by one.
func TestFilesAreWhatLibreOfficeReads(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	date := func(s string) string {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at.Format(time.DateTime)
	}
	t.Run("CSV_EXCEL", func(t *testing.T) {
		quoted := func(s string) string {
			if s != "" && strings.ContainsRune("=+-@\t\r\x00", rune(s[0])) {
				return "'" + s // the quote that keeps it from being run
			}
			return s
		}
		// Semicolons, quotes, UTF-8, from the first line, every column as text.
		filter := "CSV:59,34,76,1," + columnsAsText(fields.Len())
		got := readByLibreOffice(t, "file.csv", filter, written(t, Options{Format: CSVExcel, Fields: fields}, rows...))
		if diff := cmp.Diff(oneBreak(wantCells(t, fields, rows, quoted, date)), oneBreak(got)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("XLSX", func(t *testing.T) {
		got := readByLibreOffice(t, "file.xlsx", "", written(t, Options{Format: XLSX, Fields: fields, TempDir: t.TempDir()}, rows...))
		want := oneBreak(wantCells(t, fields, rows, same, date))
		for _, line := range want {
			for i := range line {
				if line[i] == "true" || line[i] == "false" {
					line[i] = strings.ToUpper(line[i]) // how a truth value shows
				}
			}
		}
		if diff := cmp.Diff(want, oneBreak(got)); diff != "" {
			t.Error(diff)
		}
	})
}

// columnsAsText is the part of LibreOffice's import options that keeps it from
// guessing.
func columnsAsText(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d/2/", i+1)
	}
	return strings.TrimSuffix(b.String(), "/")
}

// oneBreak writes every line break within cells the same way: both
// spreadsheets and encoding/csv know one kind only.
func oneBreak(table [][]string) [][]string {
	for _, line := range table {
		for i, cell := range line {
			line[i] = strings.ReplaceAll(strings.ReplaceAll(cell, "\r\n", "\n"), "\r", "\n")
		}
	}
	return table
}

// readByLibreOffice converts a file to CSV as its cells show.
func readByLibreOffice(t *testing.T, name, filter string, file []byte) [][]string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	// Comma, quotes, UTF-8, every text in quotes, as shown.
	args := []string{
		"-env:UserInstallation=file://" + filepath.Join(dir, "profile"), "--headless", "--norestore",
		"--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,false", "--outdir", filepath.Join(dir, "out"),
	}
	if filter != "" {
		args = append(args, "--infilter="+filter)
	}
	if out, err := exec.CommandContext(t.Context(), "soffice", append(args, path)...).CombinedOutput(); err != nil {
		t.Fatalf("soffice (see .ci/prepare): %v\n%s", err, out)
	}
	again, err := os.Open(filepath.Join(dir, "out", "file.csv")) // #nosec G304 -- a folder of the test's
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close() //nolint:errcheck // it is only read
	table, err := csv.NewReader(again).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return table
}
