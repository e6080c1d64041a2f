package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
)

func TestCSVIsWhatPythonReads(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	got := readByPython(t, written(t, Options{Format: CSV, Fields: fields}, rows...))
	if diff := cmp.Diff(wantCells(t, fields, rows, same, same), got); diff != "" {
		t.Error(diff)
	}
}

// readByPython parses a file with Python's csv module, strictly.
func readByPython(t *testing.T, file []byte) [][]string {
	t.Helper()
	const script = `import csv, io, json, sys
text = sys.stdin.buffer.read().decode("utf-8")
print(json.dumps(list(csv.reader(io.StringIO(text, newline=""), strict=True))))`
	python := exec.CommandContext(t.Context(), "python3", "-c", script)
	python.Stdin = bytes.NewReader(file)
	out, err := python.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	var table [][]string
	if err := json.Unmarshal(out, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

func TestDatesOfTablesAreInTheAskedZone(t *testing.T) {
	fields := fieldsOf(t, "createdAt")
	row := rowOf(t, fields, map[string]any{"createdAt": "2018-05-27T21:30:54.789Z"})
	tests := map[string]struct {
		format  Format
		minutes int
		want    string
	}{
		"CSV in UTC":            {CSV, 0, "createdAt\r\n2018-05-27T21:30:54.789Z\r\n"},
		"CSV in the east":       {CSV, 180, "createdAt\r\n2018-05-28T00:30:54.789+03:00\r\n"},
		"CSV in the west":       {CSV, -570, "createdAt\r\n2018-05-27T12:00:54.789-09:30\r\n"},
		"CSV_EXCEL in UTC":      {CSVExcel, 0, "\uFEFFcreatedAt\r\n2018-05-27 21:30:54\r\n"},
		"CSV_EXCEL in the east": {CSVExcel, 330, "\uFEFFcreatedAt\r\n2018-05-28 03:00:54\r\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			zone := time.UTC
			if test.minutes != 0 {
				zone = time.FixedZone("", test.minutes*60)
			}
			if got := string(written(t, Options{Format: test.format, Fields: fields, Zone: zone}, row)); got != test.want {
				t.Errorf("wrote %q, want %q", got, test.want)
			}
		})
	}
}

func TestCSVForExcelRunsNothing(t *testing.T) {
	fields := fieldsOf(t, "name")
	for text, want := range map[string]string{
		"=1+1": `'=1+1`, "+79991234567": "'+79991234567", "-5": "'-5", "@SUM(A1)": "'@SUM(A1)",
		"\tx": "'\tx", "\rx": "\"'\rx\"", "=1;2": `"'=1;2"`, `="a"`: `"'=""a"""`, "a=1": "a=1", "'x": "'x", "": "",
	} {
		got := string(written(t, Options{Format: CSVExcel, Fields: fields}, rowOf(t, fields, map[string]any{"name": text})))
		if got != "\uFEFFname\r\n"+want+"\r\n" {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
	// A NUL gets past no importer, but another producer may have stored one.
	got := string(written(t, Options{Format: CSVExcel, Fields: fields}, search.Row{JSON: json.RawMessage(`{"name":"\u0000=1"}`)}))
	if got != "\uFEFFname\r\n'\x00=1\r\n" {
		t.Errorf("a NUL in front is written as %q", got)
	}
	// A number is one, whatever its sign.
	number := fieldsOf(t, "price")
	if got := string(written(t, Options{Format: CSVExcel, Fields: number}, rowOf(t, number, map[string]any{"price": -5.5}))); got != "\uFEFFprice\r\n-5.5\r\n" {
		t.Errorf("a number is written as %q", got)
	}
}

// TestCellsAreThoseOfEncodingCSV: byte by byte but for the end of the line, where
// encoding/csv would change line breaks within cells as well.
func TestCellsAreThoseOfEncodingCSV(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom(hardTexts()),
		rapid.StringOf(rapid.SampledFrom([]rune("ab ,;\"\r\n\t\\.='+\u00a0\u3000é😀\x00\x1f"))))
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SliceOfN(texts, 2, 5).Draw(t, "line")
		var got, want bytes.Buffer
		c := cells{dialect: dialect{comma: ','}, zone: time.UTC}
		for i, text := range line {
			value, _ := json.Marshal(text)
			if i > 0 {
				got.WriteByte(c.comma)
			}
			got.Write(c.append(nil, search.TypeString, value))
		}
		w := csv.NewWriter(&want)
		_ = w.Write(line)
		w.Flush()
		if diff := cmp.Diff(strings.TrimSuffix(want.String(), "\n"), got.String()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestARowOfOtherFieldsIsNeverWrittenUnderTheWrongColumns(t *testing.T) {
	fields := fieldsOf(t, "id", "name")
	for _, format := range []Format{CSV, CSVExcel, XLSX} {
		w, err := New(&bytes.Buffer{}, Options{Format: format, Fields: fields, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Write([]search.Row{rowOf(t, fieldsOf(t, "id", "city"), nil)})
		if !errors.Is(err, search.ErrDocument) {
			t.Errorf("%s: %v", format, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzCSV: what any producer may have stored comes out as one line of as many
// cells as there are fields, and its text as encoding/json reads it.
func FuzzCSV(f *testing.F) {
	f.Add([]byte(`{"id":"a","name":"b;c"}`))
	f.Add([]byte(`{"name":"\u0000=\"1\r\n", "id":"\ud83d"}`))
	f.Add([]byte(`{"id":["a",{"b":"\""}],"name":null}`))
	fields := fieldsOf(f, "id", "name")
	f.Fuzz(func(t *testing.T, row []byte) {
		var file bytes.Buffer
		w, _ := New(&file, Options{Format: CSV, Fields: fields})
		if w.Write([]search.Row{{JSON: row}}) != nil || !jsontext.Value(row).IsValid() { // no engine stores other text
			return
		}
		r := csv.NewReader(&file)
		r.FieldsPerRecord = 2
		lines, err := r.ReadAll()
		if err != nil || len(lines) != 2 {
			t.Fatalf("%q is written so that it reads as %q, %v", row, lines, err)
		}
		var members map[string]any
		if json.Unmarshal(row, &members) != nil {
			return
		}
		if text, ok := members["name"].(string); ok {
			// encoding/csv reads any line break as the short one.
			if want := strings.ReplaceAll(text, "\r\n", "\n"); lines[1][1] != want {
				t.Errorf("%q reads as %q", want, lines[1][1])
			}
		}
	})
}
