package download

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRecordsAreTheSameHoweverTheyAreChunked, and those that encoding/csv reads.
func TestRecordsAreTheSameHoweverTheyAreChunked(t *testing.T) {
	cells := rapid.StringOf(rapid.SampledFrom([]rune("ab ,\"\n\r\\ё😀")))
	rapid.Check(t, func(t *rapid.T) {
		var file bytes.Buffer
		table := rapid.SliceOfN(rapid.SliceOfN(cells, 3, 3), 1, 8).Draw(t, "table")
		w := csv.NewWriter(&file)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		_ = w.WriteAll(table)
		s := newSplitter(Table)
		var got []string
		for rest := file.Bytes(); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			_ = s.split(rest[:n], func(record []byte) error { got = append(got, string(record)); return nil })
			rest = rest[n:]
		}
		if len(s.partial) > 0 || s.within || strings.Join(got, "") != file.String() || len(got) != len(table) {
			t.Fatalf("%q is cut into %q", file.String(), got)
		}
		for i, record := range got {
			for n := range 3 {
				r := csv.NewReader(strings.NewReader(record))
				want, _ := r.Read()
				// encoding/csv reads any line break as the short one.
				if text, ok := cell([]byte(record), n); !ok || strings.ReplaceAll(text, "\r\n", "\n") != want[n] {
					t.Fatalf("cell %d of record %d, %q, is %q", n, i, record, text)
				}
			}
		}
	})
}

func TestTheIDOfALineIsFound(t *testing.T) {
	for line, want := range map[string]string{
		`{"id":"a"}`:                          "a",
		`{"id":"a\"b\u0041","x":1}`:           `a"bA`,
		`{"name":"\"id\":\"no\"","id":"yes"}`: "yes",
		`{"metrics":{"id":"no"},"id":"yes"}`:  "yes",
		`{ "x": 1, "id" : "a" }`:              "a",
		`{"name":"x"}`:                        "",
		`{"id":7}`:                            "",
		`{"id":null}`:                         "",
		`["id"]`:                              "",
		`{"id":"a`:                            "",
		``:                                    "",
	} {
		if id, ok := lineID([]byte(line + "\n")); id != want && ok || ok != (want != "") {
			t.Errorf("%s: %q, %v", line, id, ok)
		}
	}
}

func TestARowWithoutAnEndIsNoExport(t *testing.T) {
	s := newSplitter(Lines)
	s.partial = make([]byte, maxRecord)
	if err := s.split([]byte("x"), nil); err == nil {
		t.Error("it is kept")
	}
}

// FuzzTally: whatever comes, the whole records are a prefix of it, counted as
// they are when they come at once.
func FuzzTally(f *testing.F) {
	f.Add([]byte("id,name\r\n\"a\",\"b\r\n\"\"\"\r\nc,d\r\ne,\"f"), 7, true)
	f.Add([]byte(`{"id":"a"}`+"\n"+`{"id":"b\u0000"}`+"\n"+`{"id":`), 3, false)
	f.Fuzz(func(t *testing.T, text []byte, chunk int, table bool) {
		kind := Lines
		if table {
			kind = Table
		}
		once, often := newTally(kind, ByOther), newTally(kind, ByOther)
		var got []byte
		accept := func(record []byte) error { got = append(got, record...); return nil }
		err := often.take(nil, accept)
		for rest := text; err == nil && len(rest) > 0; {
			n := min(len(rest), max(chunk%8, -chunk%8)+1)
			err = often.take(rest[:n], accept)
			rest = rest[n:]
		}
		again := once.take(text, func([]byte) error { return nil })
		if (err == nil) != (again == nil) || once.rows != often.rows || once.last != often.last || once.bytes != often.bytes {
			t.Fatalf("%q: %+v, %v; in chunks of %d: %+v, %v", text, once, again, chunk, often, err)
		}
		if int64(len(got)) != often.bytes || !bytes.HasPrefix(text, got) {
			t.Fatalf("%q: kept %q", text, got)
		}
	})
}
