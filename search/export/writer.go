package export

import (
	"fmt"
	"io"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// Writer writes one file, front to back.
type Writer interface {
	// Write adds rows, and hands on what it has of the file. It keeps nothing of
	// them. It fails with session.ErrDocument for a row that does not have exactly
	// the fields of the file, else as the underlying writer does.
	Write(rows []search.Row) error
	// Finish adds what stands behind the last row. A file that was not finished
	// is cut off, and no reader of its format takes an archive or a workbook cut
	// off for a whole one.
	Finish() error
	// CutCells is how many cells were too long for the format, and were cut.
	CutCells() int64
	// Close lets go of temporary files; of one that is not finished, too. It may
	// be called again.
	Close() error
}

// Options say what the file is like.
type Options struct {
	Format Format
	Fields session.FieldSet // of each row: the columns
	// Count stands in front of JSON's items; nil: it has none.
	Count *int64
	// Zone is that of dates in tables; nil: UTC.
	Zone *time.Location
	// Member is the name of the file within an archive; "": there is no archive.
	Member string
	// Modified is the archive's date of the file; UTC is best understood.
	Modified time.Time
	// Temp is where XLSX keeps its sheets; nil: the system's folder for temporary
	// files, without a bound.
	Temp *Temp
}

// New begins a file; the caller closes the Writer. The error is that of w, or of
// the temporary folder; ErrTempFull when there is no room for it, then or later.
func New(w io.Writer, o Options) (Writer, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Member != "" {
		return newArchive(w, o)
	}
	switch o.Format {
	case JSON:
		return newJSON(w, o), nil
	case NDJSON:
		return &ndjson{out: output{to: w}}, nil
	case CSV:
		return newTable(w, o, dialect{comma: ',', date: rfc3339Dates}), nil
	case CSVExcel:
		return newTable(w, o, dialect{comma: ';', date: plainDates, spreadsheet: true}), nil
	case XLSX:
		return newWorkbook(w, o)
	}
	return nil, fmt.Errorf("export: there is no format %q", string(o.Format))
}

// flushAt is the size of one write to the underlying writer.
const flushAt = 64 << 10

// output gathers bytes. They are built in buf, so that a row needs no more than
// appends.
type output struct {
	to  io.Writer
	buf []byte
}

// full hands on what is worth a write.
func (o *output) full() error {
	if len(o.buf) < flushAt {
		return nil
	}
	return o.flush()
}

func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	_, err := o.to.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// plain is what Writers have in common that hold nothing and cut nothing.
type plain struct{}

// CutCells implements Writer.
func (plain) CutCells() int64 { return 0 }

// Close implements Writer.
func (plain) Close() error { return nil }
