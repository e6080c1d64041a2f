package download

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestCellsAreCountedAsACSVReaderCountsThem.
func TestCellsAreCountedAsACSVReaderCountsThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		comma := rapid.SampledFrom([]byte{',', ';'}).Draw(rt, "comma")
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\",;\n é")))
		record := rapid.SliceOfN(text, 1, 6).Draw(rt, "record")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma, w.UseCRLF = rune(comma), rapid.Bool().Draw(rt, "CRLF")
		if err := w.Write(record); err != nil {
			rt.Fatal(err)
		}
		w.Flush()
		if got := cells(b.Bytes(), comma); got != len(record) {
			rt.Fatalf("%d cells in %q, want %d", got, b.String(), len(record))
		}
	})
}

// FuzzARowOfNDJSONIsAJSONObject: never what encoding/json would not take.
func FuzzARowOfNDJSONIsAJSONObject(f *testing.F) {
	for _, line := range []string{`{}`, `{"id":"a"}`, ` {"a":[1,{"b":null}]} `, ``, `<html>`, `[]`, `"id"`, `{"id":"a"`, `{"id":"a"}}`, `{} {}`, `{"a":1,"a":2}`, `null`} {
		f.Add([]byte(line + "\n"))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		want := json.Valid(line) && bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{"))
		if got := isObject(line); got != want {
			t.Errorf("%q: %t, want %t", line, got, want)
		}
	})
}
