package export

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
)

func TestAnArchiveHoldsTheFile(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	at := time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
	for _, format := range Formats() {
		t.Run(string(format), func(t *testing.T) {
			o := Options{Format: format, Fields: fields, Modified: at, Temp: tempOf(t)}
			plain := written(t, o, rows...)
			o.Member = "сессии 1" + format.Extension()
			packed := written(t, o, rows...)

			path := filepath.Join(t.TempDir(), "file.zip")
			if err := os.WriteFile(path, packed, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "unzip", "-t", path).CombinedOutput(); err != nil {
				t.Fatalf("unzip -t: %v\n%s", err, out)
			}
			r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.File) != 1 || r.File[0].Name != o.Member || !r.File[0].Modified.Equal(at) {
				t.Fatalf("holds %d files, the first %q of %s", len(r.File), r.File[0].Name, r.File[0].Modified)
			}
			if got := unpacked(t, r.File[0]); format != XLSX && !bytes.Equal(got, plain) {
				t.Errorf("holds %d bytes that are not the %d of the file", len(got), len(plain))
			}
		})
	}
}

func unpacked(t *testing.T, f *zip.File) []byte {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // opened for reading only
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestAnArchiveThatIsNotFinishedIsNone(t *testing.T) {
	fields := hardFields(t)
	for _, o := range []Options{{Format: CSV, Member: "a.csv"}, {Format: NDJSON, Member: "a.ndjson"}, {Format: XLSX, Temp: tempOf(t)}} {
		o.Fields = fields
		var file bytes.Buffer
		w, err := New(&file, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(hardRows(t, fields)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := zip.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len())); err == nil {
			t.Errorf("%s cut off is an archive", o.Format)
		}
	}
}

// Excel refuses a workbook whose local headers have another version than the
// central directory.
func TestLargeFilesAreMarkedInTheirHeader(t *testing.T) {
	fields := fieldsOf(t, "id")
	for _, o := range []Options{{Format: CSV, Member: "a.csv"}, {Format: XLSX, Temp: tempOf(t)}} {
		o.Fields = fields
		file := written(t, o, rowOf(t, fields, nil))
		r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			if f.ReaderVersion != zip64 {
				t.Errorf("%s is of version %d in the directory", f.Name, f.ReaderVersion)
			}
		}
		if got := binary.LittleEndian.Uint16(file[4:]); got != zip64 {
			t.Errorf("the first file is of version %d at its head", got)
		}
	}
}

// What a batch has written is sent at once and does not wait in a buffer.
func TestRowsLeaveAsTheyCome(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	for _, o := range []Options{{Format: JSON}, {Format: NDJSON}, {Format: CSV}, {Format: CSVExcel}, {Format: CSV, Member: "a.csv"}} {
		o.Fields = fields
		var file bytes.Buffer
		w, err := New(&file, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write([]search.Row{rows[0]}); err != nil {
			t.Fatal(err)
		}
		if file.Len() == 0 {
			t.Errorf("%s (%q): nothing has left", o.Format, o.Member)
		}
	}
}
