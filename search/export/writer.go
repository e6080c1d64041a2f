package export

import (
	"fmt"
	"io"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// Writer writes one file, from beginning to end.
type Writer interface {
	// Write adds rows and passes the finished part of the file on. It does not
	// retain the rows. It fails with session.ErrDocument for a row that does not
	// have exactly the fields of the file, otherwise with the error of the
	// underlying writer.
	Write(rows []search.Row) error
	// Finish writes the end of the file. A file without it is truncated; for an
	// archive or a workbook every reader notices that.
	Finish() error
	// CutCells returns the number of cells that were too long for the format and
	// were truncated.
	CutCells() int64
	// Close removes temporary files, also those of an unfinished file. It may be
	// called more than once.
	Close() error
}

// Options describe the file.
type Options struct {
	Format Format
	Fields session.FieldSet // of each row: the columns
	// Labels is the language of the labels that the header row of CSV_EXCEL and XLSX
	// has; "": it has the names of the fields.
	Labels session.Language
	// Count is written before the items of JSON; nil: not written.
	Count *int64
	// Zone is the time zone of dates in tables; nil: UTC.
	Zone *time.Location
	// Member is the name of the file within an archive; "": no archive.
	Member string
	// Modified is the time of the file in the archive; most readers expect UTC.
	Modified time.Time
	// Temp is the folder where XLSX stores its sheets; nil: the system's folder for
	// temporary files, without a limit.
	Temp *Temp
}

// New begins a file. The caller must close the Writer. It fails with the error of w
// or of the temporary folder. It fails with ErrTempFull, as later calls do, when
// the folder is full.
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

// heading is what the header row calls a field.
func (o Options) heading(field session.Field) string {
	if o.Labels == "" {
		return field.Name
	}
	return field.Label.In(o.Labels)
}

// flushAt is the size of one write to the underlying writer.
const flushAt = 64 << 10

// output collects bytes in buf, so that writing a row is only a series of appends.
type output struct {
	to  io.Writer
	buf []byte
}

// full passes the buffer on when it is large enough.
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

// plain is embedded by Writers that have no resources and truncate nothing.
type plain struct{}

// CutCells implements Writer.
func (plain) CutCells() int64 { return 0 }

// Close implements Writer.
func (plain) Close() error { return nil }
