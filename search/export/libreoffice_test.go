package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/scopegate/scopegate/search"
)

// LibreOffice opens a file and writes the cells as shown; the test compares them
// one by one.
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
			safe, _ := inert(nil, []byte(s))
			return string(safe)
		}
		// Options: semicolons, quotes, UTF-8, from the first line, every column as
		// text.
		filter := "CSV:59,34,76,1," + columnsAsText(fields.Len())
		got := readByLibreOffice(t, "file.csv", filter, written(t, Options{Format: CSVExcel, Fields: fields}, rows...))
		want := wantCells(t, fields, rows, quoted, date)
		rating := slices.Index(want[0], "rating")
		for _, line := range want[1:] {
			line[rating] = strings.Replace(line[rating], ".", ",", 1)
		}
		if diff := cmp.Diff(oneBreak(want), oneBreak(got)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("XLSX", func(t *testing.T) {
		got := readByLibreOffice(t, "file.xlsx", "", written(t, Options{Format: XLSX, Fields: fields, Temp: tempOf(t)}, rows...))
		want := oneBreak(wantCells(t, fields, rows, same, date))
		for _, line := range want {
			for i := range line {
				if line[i] == "true" || line[i] == "false" {
					line[i] = strings.ToUpper(line[i]) // how a boolean is shown
				}
			}
		}
		if diff := cmp.Diff(want, oneBreak(got)); diff != "" {
			t.Error(diff)
		}
	})
}

// LibreOffice's numbers of the languages.
const (
	german  = "1031"
	english = "1033"
)

func TestLibreOfficeReadsTheNumbersAndDatesThatAreStored(t *testing.T) {
	fields := fieldsOf(t, "id", "createdAt", "price")
	var rows []search.Row
	want := map[string]float64{}
	for i, number := range []string{"4.5", "1.12", "1234.56", "9.10", "1e5", "-2.5e-3", "1.25e1", "0.125", "-7", "1000000", "999999999999999", "0.000001234"} {
		id := fmt.Sprintf("s%d", i)
		rows = append(rows, rowOf(t, fields, map[string]any{"id": id, "price": json.RawMessage(number), "createdAt": "2018-05-27T21:30:54.000Z"}))
		want[id], _ = strconv.ParseFloat(number, 64)
	}
	excel := written(t, Options{Format: CSVExcel, Fields: fields}, rows...)
	book := written(t, Options{Format: XLSX, Fields: fields, Temp: tempOf(t)}, rows...)
	for name, open := range map[string]struct {
		file, filter, locale string
		content              []byte
	}{
		"CSV_EXCEL in German": {"file.csv", "CSV:59,34,76,1,," + german + ",false,true", "de-DE", excel},
		"XLSX in German":      {"file.xlsx", "", "de-DE", book},
		"XLSX in American":    {"file.xlsx", "", "en-US", book},
	} {
		t.Run(name, func(t *testing.T) {
			again := workbookByLibreOffice(t, open.file, open.filter, open.locale, open.content)
			sheet := again.GetSheetName(0)
			got := map[string]float64{}
			for row := 2; row <= len(rows)+1; row++ {
				cell := func(column string) (string, excelize.CellType) {
					ref := column + strconv.Itoa(row)
					text, _ := again.GetCellValue(sheet, ref, excelize.Options{RawCellValue: true})
					kind, _ := again.GetCellType(sheet, ref)
					return text, kind
				}
				id, _ := cell("A")
				number, kind := cell("C")
				if kind != excelize.CellTypeUnset && kind != excelize.CellTypeNumber {
					t.Errorf("%s is no number but %q of type %d", id, number, kind)
				}
				got[id], _ = strconv.ParseFloat(number, 64)
				if date, _ := cell("B"); !strings.HasPrefix(date, "43247.8964") {
					t.Errorf("the date is %s", date)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLibreOfficeRunsNothingOfAFileForExcelWhereverItSplitsIt(t *testing.T) {
	fields := fieldsOf(t, "id", "name", "operatorGroupIds")
	var rows []search.Row
	for i, text := range []string{
		"=1+1", "x,=1+1", "x;=1+1", "x\t=1+1", "x\n=1+1", "\n=1+1", "\t=1+1", " =1+1", "x, =1+1", `"=1+1`, `x,"=1+1`, `x";=1+1`, "\u200b=1+1", "＝1+1",
		"+1+1", "-1+1", "@SUM(1)", `x,"",=1+1`, "x\r=1+1", "x\r\n=1+1",
	} {
		rows = append(rows, rowOf(t, fields, map[string]any{"id": fmt.Sprintf("s%d", i), "name": text, "operatorGroupIds": []string{text, text}}))
	}
	formulas := func(t *testing.T, format Format, separators, delimiter string) (found []string) {
		t.Helper()
		filter := "CSV:" + separators + "," + delimiter + ",76,1,," + english + ",false,false,false,true,0,true" // evaluates formulas, removes spaces
		book := workbookByLibreOffice(t, "file.csv", filter, "en-US", written(t, Options{Format: format, Fields: fields}, rows...))
		sheet := book.GetSheetName(0)
		table, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for r, row := range table {
			for c := range row {
				ref, _ := excelize.CoordinatesToCellName(c+1, r+1)
				if formula, _ := book.GetCellFormula(sheet, ref); formula != "" {
					found = append(found, ref+" "+formula)
				}
			}
		}
		return found
	}
	if found := formulas(t, CSV, "44", "34"); len(found) == 0 {
		t.Fatal("nothing is run of a file where something is to be: the options have no effect")
	}
	for _, split := range [][2]string{{"44", "34"}, {"44/59/9", "34"}, {"44/59/9", ""}} {
		if found := formulas(t, CSVExcel, split[0], split[1]); len(found) > 0 {
			t.Errorf("split at %s, quoted by %q, it runs %q", split[0], split[1], found)
		}
	}
}

// columnsAsText returns the part of LibreOffice's import options that makes every
// column text.
func columnsAsText(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d/2/", i+1)
	}
	return strings.TrimSuffix(b.String(), "/")
}

// oneBreak converts all line breaks within cells to one kind: both spreadsheets and
// encoding/csv support only one.
func oneBreak(table [][]string) [][]string {
	for _, line := range table {
		for i, cell := range line {
			line[i] = strings.ReplaceAll(strings.ReplaceAll(cell, "\r\n", "\n"), "\r", "\n")
		}
	}
	return table
}

// readByLibreOffice converts a file to CSV, with the cells as shown.
func readByLibreOffice(t *testing.T, name, filter string, file []byte) [][]string {
	t.Helper()
	// Options: comma, quotes, UTF-8, every text in quotes, as shown.
	path := convertByLibreOffice(t, name, filter, "en-US", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,false", file)
	again, err := os.Open(path) // #nosec G304 -- a folder of the test's
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close() //nolint:errcheck // opened for reading only
	table, err := csv.NewReader(again).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// workbookByLibreOffice makes LibreOffice, in a locale, open a file and save it as
// a workbook.
func workbookByLibreOffice(t *testing.T, name, filter, locale string, file []byte) *excelize.File {
	t.Helper()
	content, err := os.ReadFile(convertByLibreOffice(t, name, filter, locale, "xlsx", file)) // #nosec G304 -- a folder of the test's
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, content)
}

// localeSettings is the settings file of a user profile with a locale.
const localeSettings = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>%s</value></prop></item>
</oor:items>
`

// convertByLibreOffice returns the path of the converted file.
func convertByLibreOffice(t *testing.T, name, filter, locale, to string, file []byte) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	user := filepath.Join(dir, "profile", "user")
	if err := os.MkdirAll(user, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{
		path: file, filepath.Join(user, "registrymodifications.xcu"): fmt.Appendf(nil, localeSettings, locale),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out")
	args := []string{
		"-env:UserInstallation=file://" + filepath.Join(dir, "profile"), "--headless", "--norestore",
		"--convert-to", to, "--outdir", out,
	}
	if filter != "" {
		args = append(args, "--infilter="+filter)
	}
	if said, err := exec.CommandContext(t.Context(), "soffice", append(args, path)...).CombinedOutput(); err != nil {
		t.Fatalf("soffice (see .ci/prepare): %v\n%s", err, said)
	}
	extension, _, _ := strings.Cut(to, ":")
	return filepath.Join(out, "file."+extension)
}
