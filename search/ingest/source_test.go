package ingest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/ndjson"
)

func TestTheFirstBytesDecideTheFormat(t *testing.T) {
	const text = `{"id":1}` + "\n"
	skipped := append([]byte{0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'y'}, zstandard(t, text)...)
	for name, tt := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"text":                      {"a.ndjson", []byte(text), text},
		"gzip":                      {"a.gz", gzipped(t, text), text},
		"zstd":                      {"a.zst", zstandard(t, text), text},
		"zstd, metadata first":      {"a.zst", skipped, text},
		"gzip without its name":     {"a.ndjson", gzipped(t, text), text},
		"zstd under gzip's name":    {"a.gz", zstandard(t, text), text},
		"text under gzip's name":    {"a.GZ", []byte(text), text},
		"marked text as zstd":       {"a.zst", []byte("\uFEFF" + text), "\uFEFF" + text},
		"two gzip members":          {"a.gz", append(gzipped(t, text), gzipped(t, text)...), text + text},
		"two zstd frames":           {"a.zst", append(zstandard(t, text), zstandard(t, text)...), text + text},
		"gzip and padding":          {"a.gz", append(gzipped(t, text), make([]byte, 1000)...), text},
		"gzip and one zero":         {"a.gz", append(gzipped(t, text), 0), text},
		"gzip members padded":       {"a.gz", slices.Concat(gzipped(t, text), make([]byte, 511), gzipped(t, text), make([]byte, 3)), text + text},
		"an empty gzip member":      {"a.gz", slices.Concat(gzipped(t, ""), gzipped(t, text)), text},
		"zstd and padding":          {"a.zst", append(zstandard(t, text), make([]byte, 1000)...), text},
		"zstd and one zero":         {"a.zst", append(zstandard(t, text), 0), text},
		"zstd frames padded":        {"a.zst", slices.Concat(zstandard(t, text), make([]byte, 511), skipped, make([]byte, 3)), text + text},
		"nothing":                   {"a.ndjson", nil, ""},
		"nothing under gzip's name": {"a.gz", nil, ""},
		"one byte":                  {"a.ndjson", []byte("x"), "x"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.file)
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			})
			if file.Name() != path || file.Size() != int64(len(tt.data)) {
				t.Errorf("name %s, size %d", file.Name(), file.Size())
			}
			// A stream that arrives byte by byte gives the same result.
			stream := sourceFrom(t, tt.file, iotest.OneByteReader(bytes.NewReader(tt.data)))
			for _, source := range []*Source{file, stream} {
				got, err := io.ReadAll(source)
				if err != nil || string(got) != tt.want {
					t.Errorf("read %q, %v", got, err)
				}
				if source.BytesRead() != int64(len(tt.data)) {
					t.Errorf("%d of %d bytes read", source.BytesRead(), len(tt.data))
				}
			}
			if stream.Size() != -1 {
				t.Errorf("a stream of size %d", stream.Size())
			}
		})
	}
}

func TestADamagedArchiveIsNamed(t *testing.T) {
	for name, says := range map[string]string{"a.gz": "not gzip", "a.zst": "magic"} {
		source, err := NewSource(name, strings.NewReader("damaged"))
		if err == nil {
			_, err = io.ReadAll(source)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDataAfterTheCompressedDataIsReported(t *testing.T) {
	long := strings.Repeat("many lines\n", 100_000)
	for name, data := range map[string][]byte{
		"gzip": append(gzipped(t, long), "garbage"...), "zstd": append(zstandard(t, long), "garbage"...),
		"gzip, padding first": slices.Concat(gzipped(t, long), make([]byte, 9), []byte("garbage")),
		"zstd in gzip":        append(gzipped(t, long), zstandard(t, long)...),
		"gzip in zstd":        append(zstandard(t, long), gzipped(t, long)...),
	} {
		got, err := io.ReadAll(sourceFrom(t, name, bytes.NewReader(data)))
		if !errors.Is(err, errTrailing) || string(got) != long {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestCompressedDataThatIsCutOffIsNeverTakenForAWholeFile(t *testing.T) {
	const text = "a line\n"
	for name, whole := range map[string][]byte{"gzip": gzipped(t, text), "zstd": zstandard(t, text)} {
		for n := 5; n < len(whole); n++ { // shorter data has no complete header
			source, err := NewSource(name, bytes.NewReader(whole[:n]))
			if err == nil {
				_, err = io.ReadAll(source)
			}
			if err == nil {
				t.Errorf("%d of %d bytes of %s are read as a whole file", n, len(whole), name)
			}
		}
	}
}

// The decoder reads the same from the frames directly and through zstdFrames, with
// any padding after them.
func FuzzZstdFrames(f *testing.F) {
	f.Add([]byte("a line\n"), []byte{}, uint8(0))
	f.Add(bytes.Repeat([]byte("ab"), 200_000), []byte("x"), uint8(3))
	f.Add(make([]byte, 300_000), bytes.Repeat([]byte{7}, 1000), uint8(200))
	f.Fuzz(func(t *testing.T, one, two []byte, zeros uint8) {
		padding := make([]byte, zeros)
		data := slices.Concat(zstandard(t, string(one)), padding, zstandard(t, string(two)), padding)
		got, err := io.ReadAll(sourceFrom(t, "a.zst", iotest.HalfReader(bytes.NewReader(data))))
		if want := string(one) + string(two); err != nil || string(got) != want {
			t.Errorf("read %d bytes of %d, %v", len(got), len(want), err)
		}
	})
}

func TestAFileThatIsNotThere(t *testing.T) {
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenFile: %v", err)
	}
}

func TestAClosedSourceDoesNotLookFinished(t *testing.T) {
	source := sourceFrom(t, "a.gz", bytes.NewReader(gzipped(t, "x\n")))
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
}

func TestCloseDoesNotWaitForARead(t *testing.T) {
	from, to := io.Pipe()
	source := make(chan *Source)
	go func() {
		s, err := NewSource("pipe", from)
		if err != nil {
			t.Error(err)
		}
		source <- s
	}()
	if _, err := io.WriteString(to, "1234"); err != nil {
		t.Fatal(err)
	}
	s := <-source
	read := make(chan error)
	go func() {
		_, err := io.ReadAll(s)
		read <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil && !errors.Is(err, os.ErrClosed) {
		t.Errorf("the read ended with %v", err)
	}
}

// readLines reads all lines as number and text.
func readLines(from io.Reader) (lines []line, err error) {
	reader := newLineReader(from)
	for {
		l, err := reader.next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"none":                    {"", nil},
		"one":                     {"a\n", []string{"a"}},
		"last without its end":    {"a\nb", []string{"a", "b"}},
		"windows":                 {"a\r\nb\r\n", []string{"a", "b"}},
		"byte order mark":         {"\uFEFFa\n\uFEFFb\n", []string{"a", "\uFEFFb"}},
		"only a byte order mark":  {"\uFEFF", []string{""}},
		"blank":                   {"\n\n", []string{"", ""}},
		"carriage return within":  {"a\rb\n", []string{"a\rb"}},
		"longer than the buffer":  {strings.Repeat("y", 600<<10) + "\nb\n", []string{strings.Repeat("y", 600<<10), "b"}},
		"just as long as allowed": {long + "\r\nb\n", []string{long, "b"}},
		"one too long":            {long + "x\nb\n", []string{long[:maxRejectedText], "b"}},
		"too long at the end":     {"a\n" + long + "x", []string{"a", long[:maxRejectedText]}},
	} {
		t.Run(name, func(t *testing.T) {
			lines, err := readLines(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, l := range lines {
				got = append(got, string(l.text))
				if l.number != int64(i+1) {
					t.Errorf("line %d has the number %d", i+1, l.number)
				}
				if l.tooLong != (len(l.text) == maxRejectedText) {
					t.Errorf("line %d: too long is %v", i+1, l.tooLong)
				}
			}
			if !cmp.Equal(tt.want, got) {
				t.Errorf("%d lines, want %d, or of other text", len(got), len(tt.want))
			}
		})
	}
}

func TestALineThatAFaultCutsIsNotALine(t *testing.T) {
	broken := errors.New("broken")
	lines, err := readLines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(lines) != 1 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "a", "a\nb\r\n\r\r\n", "\uFEFF\n\uFEFF", "\r", "\n\n", "\x00", "[1]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = text[:min(len(text), MaxLine)] // the naive way below has no limit
		var want []string
		for i, naive := range bytes.SplitAfter(text, []byte("\n")) {
			if len(naive) == 0 {
				continue // after the last line end
			}
			naive = bytes.TrimSuffix(bytes.TrimSuffix(naive, []byte("\n")), []byte("\r"))
			if i == 0 {
				naive = bytes.TrimPrefix(naive, []byte("\uFEFF"))
			}
			want = append(want, string(naive))
		}
		lines, err := readLines(iotest.HalfReader(bytes.NewReader(text)))
		if errors.Is(err, ndjson.ErrFormat) {
			return // FuzzCheck tests this: no line of JSON objects is refused
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, string(l.text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}
