package tenancy

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// FileSource reads a directory from a file of one record a line:
//
//	{"type": "company", "doc": {"id": 7, "name": "…", "parentId": 3}}
//	{"type": "grant", "doc": {"issuer": "…", "subject": "…", "companyId": 7}}
//
// Empty lines are skipped. A line that is anything else fails the whole load,
// so that a file written halfway is never taken for a directory; replace the
// file by renaming.
func FileSource(path string) Source { return &fileSource{lineFile{path: path, now: time.Now}} }

type fileSource struct{ lineFile }

var _ Source = (*fileSource)(nil)

// Load implements Source. Errors wrap ErrInvalidRecord and name the line, or
// are those of the file system.
func (f *fileSource) Load(ctx context.Context) (Records, error) {
	var records Records
	if err := f.each(ctx, records.add); err != nil {
		return Records{}, err
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
