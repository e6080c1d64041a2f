package tenancy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	stdjson "encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxRecordLine bounds a line of a directory file, in bytes.
const maxRecordLine = 64 << 10

// racyFor is how long after its last change a file may change again without a
// new modification time: file systems keep it no finer than 2 s (FAT).
const racyFor = 3 * time.Second

// FileSource reads a directory from a file of one record a line:
//
//	{"type": "company", "doc": {"id": 7, "name": "…", "parentId": 3}}
//	{"type": "grant", "doc": {"issuer": "…", "subject": "…", "companyId": 7}}
//
// Empty lines are skipped. A line that is anything else fails the whole load,
// so that a file written halfway is never taken for a directory; replace the
// file by renaming.
func FileSource(path string) Source { return &fileSource{path: path, now: time.Now} }

type fileSource struct {
	path string
	now  func() time.Time
}

var _ Source = (*fileSource)(nil)

// Load implements Source. Errors wrap ErrInvalidRecord and name the line, or
// are those of the file system.
func (f *fileSource) Load(ctx context.Context) (Records, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return Records{}, err
	}
	defer func() { _ = file.Close() }()
	return readRecords(ctx, file)
}

// Version implements Source by size and modification time, and by the content
// too as long as the file is so young that a further change might not show.
func (f *fileSource) Version(_ context.Context) (string, error) {
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

func readRecords(ctx context.Context, from io.Reader) (Records, error) {
	var records Records
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxRecordLine)
	number := 0
	for lines.Scan() {
		number++
		if err := ctx.Err(); err != nil {
			return Records{}, err
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := records.add(line); err != nil {
			return Records{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return Records{}, fmt.Errorf("line %d: %w", number+1, err)
	}
	return records, nil
}

// add appends the record that the line holds.
func (r *Records) add(line []byte) error {
	var record struct {
		Type string         `json:"type"`
		Doc  jsontext.Value `json:"doc"`
	}
	if err := decodeRecord(line, &record); err != nil {
		return err
	}
	switch record.Type {
	case "company":
		c, err := DecodeCompany(stdjson.RawMessage(record.Doc))
		if err != nil {
			return err
		}
		r.Companies = append(r.Companies, c)
	case "grant":
		g, err := DecodeGrant(stdjson.RawMessage(record.Doc))
		if err != nil {
			return err
		}
		r.Grants = append(r.Grants, g)
	default:
		return fmt.Errorf("%w: type: must be company or grant", ErrInvalidRecord)
	}
	return nil
}
