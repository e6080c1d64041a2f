package tenancy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/scopegate/scopegate/ndjson"
)

// maxRecordLine bounds a line of a file of records, in bytes.
const maxRecordLine = 64 << 10

// racyFor is how long after its last change a file may change again without a
// new modification time: file systems keep it no finer than 2 s (FAT).
const racyFor = 3 * time.Second

// lineFile is a file of one record a line that is watched for changes.
type lineFile struct {
	path string
	now  func() time.Time
}

// Version tells changes by size and modification time, and by the content too
// as long as the file is so young that a further change might not show.
func (f lineFile) Version(_ context.Context) (string, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return "", err
	}
	version := fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
	if age := f.now().Sub(info.ModTime()); age > racyFor {
		return version, nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %x", version, hash.Sum(nil)), nil
}

// identity identifies the file: os.SameFile distinguishes a file that was changed in
// place from one that was replaced.
func (f lineFile) identity() (os.FileInfo, error) { return os.Stat(f.path) }

// errChanging is a file that somebody is writing.
var errChanging = errors.New("the file changed while it was being read")

// each hands over every line that is not empty. A byte order mark at the start,
// CRs and a missing end of the last line are no matter. The first error ends it
// and is returned with the line's number; a file of another format fails with
// ndjson.ErrFormat. A file that changes meanwhile is errChanging: it may be the
// first half of what it is going to be.
func (f lineFile) each(ctx context.Context, add func(line []byte) error) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	before, err := file.Stat()
	if err != nil {
		return err
	}
	text := bufio.NewReader(file)
	head, err := text.Peek(ndjson.HeadSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := ndjson.Check(bytes.TrimLeft(head, " \t\r\n")); err != nil {
		return err
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxRecordLine)
	number := 0
	for lines.Scan() {
		number++
		if err := ctx.Err(); err != nil {
			return err
		}
		line := lines.Bytes()
		if number == 1 {
			line = ndjson.TrimMark(line)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if err := add(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	after, err := file.Stat()
	if err == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		err = errChanging
	}
	return err
}
