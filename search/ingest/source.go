package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/scopegate/scopegate/ndjson"
)

// maxWindow is the most memory that a zstd stream may require, as with --long=27 of
// the command line tool.
const maxWindow = 128 << 20

// Source is an input, decompressed as it is read.
type Source struct {
	name    string
	size    int64
	file    io.Closer // nil: the caller closes it
	raw     *countingReader
	text    io.Reader
	release func() // frees the decompressor's memory
	reading sync.Mutex
}

// OpenFile opens a file of NDJSON, plain, gzip or zstd.
func OpenFile(path string) (*Source, error) {
	file, err := os.Open(path) //nolint:gosec // naming the file is the operator's part
	if err != nil {
		return nil, err
	}
	size := int64(-1)
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	s, err := newSource(path, file, size)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s.file = file
	return s, nil
}

// NewSource reads NDJSON, plain, gzip or zstd, from a stream of unknown size, such
// as standard input. The caller closes the stream. The name is for messages.
func NewSource(name string, from io.Reader) (*Source, error) {
	return newSource(name, from, -1)
}

func newSource(name string, from io.Reader, size int64) (*Source, error) {
	s := &Source{name: name, size: size, raw: &countingReader{from: from}, release: func() {}}
	buffered := bufio.NewReaderSize(s.raw, 256<<10)
	format, err := detect(name, buffered)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch format {
	case formatGzip:
		unzip, err := newGzipMembers(buffered)
		if err != nil {
			return nil, fmt.Errorf("%s: not gzip: %w", name, err)
		}
		s.text = unzip
	case formatZstd:
		unzstd, err := zstd.NewReader(&zstdFrames{from: buffered}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("%s: not zstd: %w", name, err)
		}
		s.text, s.release = unzstd, unzstd.Close
	case formatText:
		s.text = buffered
	}
	return s, nil
}

// Name returns the path, or the name that was given to NewSource.
func (s *Source) Name() string { return s.name }

// Size returns the size of the input in bytes as it is stored, compressed or not;
// -1 when it is unknown.
func (s *Source) Size() int64 { return s.size }

// BytesRead returns how many of these bytes have been read. It may be called while
// another goroutine reads.
func (s *Source) BytesRead() int64 { return s.raw.count.Load() }

// Read reads decompressed text.
func (s *Source) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	return s.text.Read(p)
}

// Close closes a file that OpenFile opened. It does not wait for a running Read,
// which may be waiting for a terminal.
func (s *Source) Close() error {
	if s.reading.TryLock() {
		s.release()
		s.text = closedReader{}
		s.reading.Unlock()
	}
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

type closedReader struct{}

func (closedReader) Read([]byte) (int, error) { return 0, os.ErrClosed }

type format int

const (
	formatText format = iota
	formatGzip
	formatZstd
)

var (
	magicGzip = []byte{0x1f, 0x8b}             // RFC 1952, section 2.3.1
	magicZstd = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878, section 3.1.1
)

// detect uses the first bytes, which are more reliable than a name. The name
// decides only if the bytes match no format, so that a damaged .gz gives an error
// about gzip and not about every line.
func detect(name string, from *bufio.Reader) (format, error) {
	head, err := from.Peek(len(magicZstd))
	if err != nil && !errors.Is(err, io.EOF) {
		return formatText, err
	}
	switch {
	case beginsGzip(head):
		return formatGzip, nil
	case beginsZstd(head):
		return formatZstd, nil
	case len(head) == 0, bytes.HasPrefix(head, []byte(ndjson.ByteOrderMark)), strings.ContainsRune(" \t\r\n{", rune(head[0])):
		return formatText, nil
	}
	more, _ := from.Peek(from.Buffered())
	if ndjson.Check(more) != nil {
		return formatText, nil //nolint:nilerr // the first line shows which format it is
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gz":
		return formatGzip, nil
	case ".zst":
		return formatZstd, nil
	}
	return formatText, nil
}

// skippable reports whether the head is a frame that zstd may put before its data
// (RFC 8878, section 3.1.2).
func skippable(head []byte) bool {
	return len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18})
}

// countingReader counts the bytes that are read through it.
type countingReader struct {
	from  io.Reader
	count atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.count.Add(int64(n))
	return n, err
}
