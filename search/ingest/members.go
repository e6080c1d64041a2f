package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// errTrailing: the bytes after compressed data are neither more such data nor the
// zeros that fill a block of a tape or a disk.
var errTrailing = errors.New("something else stands behind the compressed data: the file is damaged, or two were joined")

// nextMember skips zeros and moves to the next member (RFC 1952, section 2.2) or
// frame (RFC 8878, section 3.1), which begins recognizes; io.EOF if there is none.
func nextMember(from *bufio.Reader, begins func(head []byte) bool) error {
	for {
		head, err := from.Peek(len(magicZstd))
		switch {
		case begins(head):
			return nil
		case len(head) == 0:
			return err
		case head[0] != 0:
			return errTrailing
		}
		if _, err := from.Discard(1); err != nil {
			return err
		}
	}
}

func beginsGzip(head []byte) bool { return bytes.HasPrefix(head, magicGzip) }

func beginsZstd(head []byte) bool { return bytes.HasPrefix(head, magicZstd) || skippable(head) }

// gzipMembers reads the members one after another.
type gzipMembers struct {
	from  *bufio.Reader
	unzip *gzip.Reader // stops directly after the member that it has read
}

func newGzipMembers(from *bufio.Reader) (*gzipMembers, error) {
	unzip, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	unzip.Multistream(false)
	return &gzipMembers{from, unzip}, nil
}

// Read implements io.Reader.
func (m *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := m.unzip.Read(p)
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return n, err
		}
		if n > 0 {
			return n, nil // the next Read returns the end again
		}
		if err := nextMember(m.from, beginsGzip); err != nil {
			return 0, err
		}
		if err := m.unzip.Reset(m.from); err != nil {
			return 0, err
		}
		m.unzip.Multistream(false)
	}
}

// zstdFrames passes on the bytes of the frames, and drops what is between and after
// them. The decoder that reads from it reports faults within the frames.
type zstdFrames struct {
	from  *bufio.Reader
	left  int64 // bytes to pass on before the next header
	state frameState
	sum   int64 // bytes of the frame's checksum
	begun bool
}

type frameState int

const (
	betweenFrames frameState = iota
	betweenBlocks
	lost // not a frame: everything is passed on
)

// Read implements io.Reader.
func (f *zstdFrames) Read(p []byte) (int, error) {
	for f.left == 0 && f.state != lost {
		if err := f.look(); err != nil {
			return 0, err
		}
	}
	if f.state != lost && int64(len(p)) > f.left {
		p = p[:f.left]
	}
	n, err := f.from.Read(p)
	f.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// look finds the number of bytes before the next header.
func (f *zstdFrames) look() error {
	if f.state == betweenBlocks {
		return f.lookAtBlock()
	}
	if !f.begun {
		f.begun = true
		if head, _ := f.from.Peek(len(magicZstd)); !beginsZstd(head) {
			f.state = lost
			return nil
		}
	} else if err := nextMember(f.from, beginsZstd); err != nil {
		return err
	}
	head, _ := f.from.Peek(zstd.HeaderMaxSize) // fewer bytes at the end
	var frame zstd.Header
	if known := frame.Decode(head) == nil; !known {
		f.state = lost
		return nil
	}
	f.left = int64(frame.HeaderSize)
	if frame.Skippable {
		f.left += int64(frame.SkippableSize)
		return nil
	}
	f.state, f.sum = betweenBlocks, 0
	if frame.HasCheckSum {
		f.sum = 4
	}
	return nil
}

// lookAtBlock reads the header of a block (RFC 8878, section 3.1.1.2).
func (f *zstdFrames) lookAtBlock() error {
	const (
		size     = 3
		repeated = 1 // type of a block of one byte
	)
	head, err := f.from.Peek(size)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	header := int64(head[0]) | int64(head[1])<<8 | int64(head[2])<<16
	f.left = size + header>>3
	if header>>1&3 == repeated {
		f.left = size + 1
	}
	if header&1 == 1 { // the last block
		f.left += f.sum
		f.state = betweenFrames
	}
	return nil
}
