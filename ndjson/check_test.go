package ndjson

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf16"
)

const line = `{"type":"company","doc":{"id":1,"name":"One"}}` + "\n"

func TestOtherFormatsAreCalledByTheirNames(t *testing.T) {
	tar := append([]byte("name"), make([]byte, 253)...)
	for name, test := range map[string]struct{ head, want string }{
		"zip":          {"PK\x03\x04\x14\x00", "a zip archive"},
		"XLSX":         {"PK\x03\x04\x14\x00\x08\x00[Content_Types].xml", "XLSX"},
		"xz":           {"\xfd7zXZ\x00\x00", "xz data"},
		"bzip2":        {"BZh91AY&SY", "bzip2 data"},
		"7z":           {"7z\xbc\xaf\x27\x1c\x00", "7z"},
		"tar":          {string(tar) + "ustar\x00", "tar"},
		"gzip":         {"\x1f\x8b\x08", "gzip data"},
		"zstd":         {"\x28\xb5\x2f\xfd", "zstd data"},
		"Parquet":      {"PAR1\x15", "Parquet"},
		"SQLite":       {"SQLite format 3\x00", "SQLite"},
		"array":        {"[{\"id\":1}]", "a JSON array"},
		"marked array": {"\uFEFF [\n", "a JSON array"},
		"pretty":       {"{\r\n  \"id\": 1\r\n}", "over several lines"},
		"CSV":          {"id,companyId,name\r\n1,2,x", "CSV"},
		"CSV_EXCEL":    {"\uFEFFname;\"id\"\r\n", "CSV"},
		"XML":          {"<?xml version=\"1.0\"?>", "XML"},
		"other":        {"\x7fELF\x02\x00\x00", "binary data"},
	} {
		err := Check([]byte(test.head))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextOfWideCharactersIsCalledByItsEncoding(t *testing.T) {
	for name, order := range map[string]binary.ByteOrder{"LE": binary.LittleEndian, "BE": binary.BigEndian} {
		for _, mark := range []string{"", "\uFEFF"} {
			var short, wide bytes.Buffer
			for _, unit := range utf16.Encode([]rune(mark + line)) {
				_ = binary.Write(&short, order, unit) // writing to a Buffer cannot fail
				_ = binary.Write(&wide, order, uint32(unit))
			}
			for encoding, text := range map[string][]byte{"UTF-16" + name: short.Bytes(), "UTF-32" + name: wide.Bytes()} {
				if err := Check(text); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "-f "+encoding) {
					t.Errorf("%s, mark %q: %v", encoding, mark, err)
				}
				convert := exec.CommandContext(t.Context(), "iconv", "-f", encoding, "-t", "UTF-8")
				convert.Stdin = bytes.NewReader(text)
				if out, err := convert.Output(); err != nil || string(TrimMark(out)) != line {
					t.Errorf("what the text says to do gives %q, %v", out, err)
				}
			}
		}
	}
}

func TestALineThatIsBadMakesNoOtherFormat(t *testing.T) {
	for _, head := range []string{
		"", "\n", " ", "\uFEFF", line, "\uFEFF" + line, "\r\n" + line, " " + line, "bad\n", "hello, world\n" + line, "a planted name\n",
		"{\"type\":\n", "null", "1", `"text"`, "{\"a\":\"\x00\"}", "Gr\xfc\xdfe\n" + line, "BZh", "ORC\n", "PK",
	} {
		if err := Check([]byte(head)); err != nil {
			t.Errorf("%q: %v", head, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(line))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, head []byte) {
		err := Check(head)
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		if bytes.HasPrefix(head, []byte(`{"`)) && err != nil {
			t.Fatalf("%q: %v", head, err)
		}
	})
}
