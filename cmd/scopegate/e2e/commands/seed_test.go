package commands_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
)

// seed runs `scopegate seed` and returns what it wrote to standard output.
func seed(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	all := append([]string{"seed", "--sessions", "50", "--now", "2026-03-14T09:26:53Z"}, args...)
	if err := cli.Run(t.Context(), all, nil, cli.Streams{In: strings.NewReader(""), Out: &out, Err: io.Discard}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSeedWritesTheSameBytesForTheSameArguments(t *testing.T) {
	first := seed(t)
	if first != seed(t) {
		t.Error("two runs differ")
	}
	if first == seed(t, "--seed", "2") {
		t.Error("another seed gives the same data")
	}
	if lines := strings.Count(first, "\n"); lines != 200+1+50 {
		t.Errorf("%d lines, want 251", lines)
	}
}

func TestSeedWritesTheSameFirstSessionsWhateverTheNumber(t *testing.T) {
	if !strings.HasPrefix(seed(t, "--sessions", "80"), seed(t)) {
		t.Error("the first 50 of 80 sessions differ from 50 sessions")
	}
}

func TestSeedCompressesAsTheFileNameSays(t *testing.T) {
	want := seed(t)
	for name, decompress := range map[string]func(io.Reader) (io.Reader, error){
		"plain.ndjson":  func(r io.Reader) (io.Reader, error) { return r, nil },
		"gzip.gz":       func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstandard.zst": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if out := seed(t, "--out", path); out != "" {
				t.Errorf("standard output has %d bytes", len(out))
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			reader, err := decompress(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(reader)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("the file has %d bytes that are not the %d wanted", len(got), len(want))
			}
		})
	}
}

func TestSeedLeavesNoHalfFileBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "half.gz")
	err := cli.Run(ctx, []string{"seed", "--out", path}, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	if err == nil {
		t.Fatal("a seeding that was stopped ended well")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
}
