package export

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// jsonFile writes the same JSON as the answer to a search, row by row.
type jsonFile struct {
	plain

	out  output
	some bool // a row was written
}

var _ Writer = (*jsonFile)(nil)

func newJSON(w io.Writer, o Options) *jsonFile {
	f := &jsonFile{out: output{to: w}}
	f.out.buf = append(f.out.buf, '{')
	if o.Count != nil {
		f.out.buf = strconv.AppendInt(append(f.out.buf, `"count":`...), *o.Count, 10)
		f.out.buf = append(f.out.buf, ',')
	}
	f.out.buf = append(f.out.buf, `"items":[`...)
	return f
}

// Write implements Writer.
func (f *jsonFile) Write(rows []search.Row) error {
	for _, row := range rows {
		if f.some {
			f.out.buf = append(f.out.buf, ',')
		}
		f.some = true
		f.out.buf = append(f.out.buf, row.JSON...)
		if err := f.out.full(); err != nil {
			return err
		}
	}
	return f.out.flush()
}

// Finish implements Writer.
func (f *jsonFile) Finish() error {
	f.out.buf = append(f.out.buf, "]}"...)
	return f.out.flush()
}

// ndjson writes one row per line.
type ndjson struct {
	plain

	out output
}

var _ Writer = (*ndjson)(nil)

// Write implements Writer.
func (f *ndjson) Write(rows []search.Row) error {
	for _, row := range rows {
		var err error
		if f.out.buf, err = appendLine(f.out.buf, row.JSON); err != nil {
			return err
		}
		if err := f.out.full(); err != nil {
			return err
		}
	}
	return f.out.flush()
}

// appendLine appends a row. A row that another producer stored over several lines
// is put on one line: a reader would take each line for a row.
func appendLine(out, row []byte) ([]byte, error) {
	if bytes.IndexByte(row, '\n') >= 0 || bytes.IndexByte(row, '\r') >= 0 {
		compact := jsontext.Value(bytes.Clone(row))
		if err := compact.Compact(); err != nil {
			return out, fmt.Errorf("%w: row is no JSON", session.ErrDocument)
		}
		row = compact
	}
	return append(append(out, row...), '\n'), nil
}

// Finish implements Writer.
func (f *ndjson) Finish() error { return f.out.flush() }
