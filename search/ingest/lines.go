package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxLine is the longest line that is read, in bytes; a longer one is rejected.
const MaxLine = 4 << 20

// maxRejectedText is how much of a line that is too long goes to the rejects:
// enough to find it by.
const maxRejectedText = 1 << 10

var byteOrderMark = []byte("\uFEFF")

// line is one line of an input, without its end.
type line struct {
	number  int64 // from 1, blank lines counted
	text    []byte
	tooLong bool // text is only its beginning
}

func (l line) blank() bool { return len(bytes.TrimSpace(l.text)) == 0 && !l.tooLong }

// lineReader cuts an input into lines. A CR before the LF, a byte order mark at
// the start and a missing LF at the end are no matter.
type lineReader struct {
	from   *bufio.Reader
	number int64
}

func newLineReader(from io.Reader) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(from, 256<<10)}
}

// next reads one line; its text is not used again. The error is io.EOF at the
// end, else the input's: then a line that was cut by it is not returned, for it
// would look like a bad one.
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
	r.number++
	l.trim()
	return l, nil
}

// add appends a piece of the line, unless that makes it too long. The line's
// end does not count, so it is allowed for.
func (l *line) add(chunk []byte) {
	if l.tooLong {
		return
	}
	if len(l.text)+len(bytes.TrimRight(chunk, "\r\n")) > MaxLine {
		l.tooLong = true
		l.text = bytes.Clone(append(l.text, chunk...)[:maxRejectedText])
		return
	}
	l.text = append(l.text, chunk...)
}

func (l *line) trim() {
	l.text = bytes.TrimSuffix(l.text, []byte("\n"))
	l.text = bytes.TrimSuffix(l.text, []byte("\r"))
	if l.number == 1 {
		l.text = bytes.TrimPrefix(l.text, byteOrderMark)
	}
}
