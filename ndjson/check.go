package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
)

// ErrFormat marks an input of another format. The text names the format and says
// what to do, and quotes nothing of the input.
var ErrFormat = errors.New("not one JSON object a line")

// ByteOrderMark may stand before the first line of a text in UTF-8.
const ByteOrderMark = "\uFEFF"

// HeadSize is the number of bytes of an input that Check uses.
const HeadSize = 1 << 10

// TrimMark removes a byte order mark from the beginning of the text.
func TrimMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte(ByteOrderMark)) }

// Check checks the beginning of an input, from its first line that is not blank:
// that whole line, up to HeadSize, and what head contains of the rest. It fails
// with ErrFormat when another format begins like that. Nil does not mean that the
// line is valid.
func Check(head []byte) error {
	head = head[:min(len(head), HeadSize)]
	for _, s := range signatures() {
		if bytes.HasPrefix(head[min(s.at, len(head)):], []byte(s.magic)) && bytes.Contains(head, []byte(s.holds)) {
			return refusal(s.what, s.remedy)
		}
	}
	if encoding := wideEncoding(head); encoding != "" {
		return refusal("text in "+encoding, "write it as UTF-8 (iconv -f "+encoding+" -t UTF-8)")
	}
	text := bytes.TrimSpace(TrimMark(head))
	first, _, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSpace(first)
	switch {
	case len(text) == 0:
		return nil
	case text[0] == '[':
		return refusal("a JSON array", "write one element a line (jq -c '.[]')")
	case string(first) == "{":
		return refusal("JSON over several lines", "write one object a line (jq -c .)")
	case text[0] == '<':
		return refusal("XML or HTML", "write it as JSON")
	case text[0] != '{' && bytes.IndexByte(head, 0) >= 0:
		return refusal("binary data", "write it as JSON")
	case likeCSVHeader.Match(first) && namesID.Match(first):
		return refusal("CSV", "write it as JSON")
	}
	return nil
}

func refusal(what, remedy string) error {
	return fmt.Errorf("%w: this is %s: %s", ErrFormat, what, remedy)
}

// A line of several names, one of them the name of an id, is the header of a CSV.
var (
	likeCSVHeader = regexp.MustCompile(`^"?\pL[\pL\d_. -]*"?([,;\t]"?\pL[\pL\d_. -]*"?)+$`)
	namesID       = regexp.MustCompile(`(?i)(^|[,;\t])"?(id|companyId)"?([,;\t]|$)`)
)

// signature describes the beginning of a format.
type signature struct {
	magic  string
	at     int    // offset of the magic
	holds  string // somewhere in the head
	what   string
	remedy string
}

// signatures lists the signatures in the order of the checks.
func signatures() []signature {
	const (
		table  = "save its rows as JSON"
		unpack = "unpack it first"
	)
	return []signature{
		{magic: "PK\x03\x04", holds: "[Content_Types].xml", what: "a workbook or document of an office suite (XLSX or the like)", remedy: table},
		{magic: "PK\x03\x04", holds: "mimetypeapplication/vnd.oasis", what: "a document of an office suite (ODS or the like)", remedy: table},
		{magic: "PK\x03\x04", what: "a zip archive", remedy: unpack + " (unzip -p)"},
		{magic: "PK\x05\x06", what: "a zip archive, an empty one", remedy: "look where it comes from"},
		{magic: "PK\x07\x08", what: "a zip archive of several parts", remedy: unpack + " (unzip -p)"},
		{magic: "\x1f\x8b", what: "gzip data", remedy: unpack + " (gzip -dc)"},
		{magic: "\x28\xb5\x2f\xfd", what: "zstd data", remedy: unpack + " (zstd -dc)"},
		{magic: "\xfd7zXZ\x00", what: "xz data", remedy: unpack + " (xz -dc)"},
		{magic: "BZh", holds: "1AY&SY", what: "bzip2 data", remedy: unpack + " (bzip2 -dc)"},
		{magic: "BZh", holds: "\x17rE8P\x90", what: "bzip2 data", remedy: unpack + " (bzip2 -dc)"},
		{magic: "7z\xbc\xaf\x27\x1c", what: "a 7z archive", remedy: unpack + " (7z x -so)"},
		{magic: "Rar!\x1a\x07", what: "a RAR archive", remedy: unpack},
		{magic: "\x04\x22\x4d\x18", what: "LZ4 data", remedy: unpack + " (lz4 -dc)"},
		{magic: "LZIP", what: "lzip data", remedy: unpack + " (lzip -dc)"},
		{magic: "\x5d\x00\x00", what: "LZMA data", remedy: unpack + " (xz --format=lzma -dc)"},
		{magic: "\x1f\x9d", what: "data of compress", remedy: unpack + " (gzip -dc)"},
		{magic: "\xff\x06\x00\x00sNaPpY", what: "Snappy data", remedy: unpack},
		{magic: "ustar", at: 257, what: "a tar archive", remedy: unpack + " (tar -xO)"},
		{magic: "PAR1", what: "a Parquet file", remedy: table},
		{magic: "ORC", holds: "\x00", what: "an ORC file", remedy: table},
		{magic: "Obj\x01", what: "an Avro file", remedy: table},
		{magic: "ARROW1", what: "an Arrow file", remedy: table},
		{magic: "SQLite format 3\x00", what: "a SQLite database", remedy: "`scopegate copy --from` its folder, if it is one of Scopegate's"},
		{magic: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", what: "a document of an office suite (XLS or the like)", remedy: table},
		{magic: "%PDF-", what: "a PDF", remedy: table},
	}
}

// wideEncoding returns the encoding of a text with two or four bytes per character,
// "" for other encodings. It uses the byte order mark, or the zeros in the first
// characters of a JSON text, which are ASCII (RFC 4627, section 3).
func wideEncoding(head []byte) string {
	for _, mark := range []struct{ bytes, encoding string }{
		{"\xff\xfe\x00\x00", "UTF-32LE"}, // before UTF-16, whose mark is a prefix
		{"\x00\x00\xfe\xff", "UTF-32BE"},
		{"\xff\xfe", "UTF-16LE"},
		{"\xfe\xff", "UTF-16BE"},
	} {
		if bytes.HasPrefix(head, []byte(mark.bytes)) {
			return mark.encoding
		}
	}
	for _, form := range []struct {
		size, at int // bytes of a character, and the index of the ASCII byte among them
		encoding string
	}{{4, 0, "UTF-32LE"}, {4, 3, "UTF-32BE"}, {2, 0, "UTF-16LE"}, {2, 1, "UTF-16BE"}} {
		if len(head) >= form.size && opensJSON(head[form.at]) && bytes.Count(head[:form.size], []byte{0}) == form.size-1 {
			return form.encoding
		}
	}
	return ""
}

func opensJSON(b byte) bool { return bytes.IndexByte([]byte("{[\" \t\r\n"), b) >= 0 }
