package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/scopegate/scopegate/ndjson"
)

// MaxLine is the longest line that is read, in bytes; a longer one is rejected.
const MaxLine = 4 << 20

// maxRejectedText is the part of a line that is too long, in bytes, that goes to
// the rejects: enough to find the line by.
const maxRejectedText = 1 << 10

// line is one line of an input, without its line end.
type line struct {
	number  int64 // from 1; blank lines count
	text    []byte
	tooLong bool // text is only the beginning of the line
}

func (l line) blank() bool { return len(bytes.TrimSpace(l.text)) == 0 && !l.tooLong }

// lineReader divides an input into lines. It accepts a CR before the LF, a byte
// order mark at the start, and a missing LF at the end.
type lineReader struct {
	from   *bufio.Reader
	number int64
	begun  bool // a line that is not blank was read
}

func newLineReader(from io.Reader) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(from, 256<<10)}
}

// next reads one line; the caller may keep its text. The error is io.EOF at the
// end, else ndjson.ErrFormat or that of the input. A line that the error cut off is
// not returned, since it would look like a bad one.
func (r *lineReader) next() (line, error) {
	l := line{number: r.number + 1}
	for {
		chunk, err := r.from.ReadSlice('\n')
		ended := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return line{}, err
		}
		l.add(chunk)
		if errors.Is(err, io.EOF) && len(l.text) == 0 {
			return line{}, io.EOF
		}
		if ended || errors.Is(err, io.EOF) {
			break
		}
	}
	if err := r.check(l.text); err != nil {
		return line{}, err
	}
	r.number++
	l.trim()
	return l, nil
}

// check checks once whether the input has another format.
func (r *lineReader) check(text []byte) error {
	if r.begun || len(bytes.TrimSpace(ndjson.TrimMark(text))) == 0 {
		return nil
	}
	r.begun = true
	rest, _ := r.from.Peek(min(r.from.Buffered(), ndjson.HeadSize))
	head := append(bytes.Clone(text[:min(len(text), ndjson.HeadSize)]), rest...)
	return ndjson.Check(head)
}

// fault adds the place where the input failed.
func (r *lineReader) fault(err error) error {
	switch {
	case errors.Is(err, ndjson.ErrFormat):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the compressed data is cut off: %w", err)
	}
	return fmt.Errorf("reading after line %d: %w", r.number, err)
}

// add appends a piece of the line, unless the line becomes too long. The limit
// allows for the line end, which does not count.
func (l *line) add(chunk []byte) {
	if l.tooLong {
		return
	}
	if len(l.text)+len(bytes.TrimRight(chunk, "\r\n")) > MaxLine {
		l.tooLong = true
		l.text = wholeRunes(bytes.Clone(append(l.text, chunk...)[:maxRejectedText]))
		return
	}
	l.text = append(l.text, chunk...)
}

// wholeRunes removes an incomplete character at the end of the text.
func wholeRunes(text []byte) []byte {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
}

func (l *line) trim() {
	l.text = bytes.TrimSuffix(l.text, []byte("\n"))
	l.text = bytes.TrimSuffix(l.text, []byte("\r"))
	if l.number == 1 {
		l.text = ndjson.TrimMark(l.text)
	}
}
