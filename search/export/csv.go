package export

import (
	"io"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// dialect is a variant of CSV.
type dialect struct {
	comma byte
	// date appends a date. It returns false, and appends nothing, for text that is
	// not a date or that the zone cannot represent.
	date func(out, text []byte, zone *time.Location) ([]byte, bool)
	// spreadsheet: the file is for opening with a double click. It has a byte order
	// mark for UTF-8. Text is quoted and contains nothing that would be run as a
	// formula. Numbers have a decimal comma, as in the countries whose spreadsheets
	// use the semicolon as separator.
	spreadsheet bool
}

// lineEnd is the line end of RFC 4180.
const lineEnd = "\r\n"

// byteOrderMark tells Excel that the file is UTF-8.
const byteOrderMark = "\uFEFF"

// table writes CSV directly from the bytes of the rows.
type table struct {
	plain

	out    output
	fields session.FieldSet
	types  []session.Type // of the columns
	cells  cells
	values [][]byte // of the current row
}

var _ Writer = (*table)(nil)

func newTable(w io.Writer, o Options, d dialect) *table {
	t := &table{out: output{to: w}, fields: o.Fields, cells: cells{dialect: d, zone: o.Zone}}
	if d.spreadsheet {
		t.out.buf = append(t.out.buf, byteOrderMark...)
	}
	for i, field := range session.Fields() {
		if !o.Fields.Has(i) {
			continue
		}
		if len(t.types) > 0 {
			t.out.buf = append(t.out.buf, d.comma)
		}
		t.types = append(t.types, field.Type)
		// Headings are not quoted, for readers that count the byte order mark as part
		// of the first cell. None of them needs quotes.
		if d.spreadsheet {
			t.out.buf = append(t.out.buf, o.heading(field)...)
		} else {
			t.out.buf = append(t.out.buf, field.Name...)
		}
	}
	t.out.buf = append(t.out.buf, lineEnd...)
	return t
}

// Write implements Writer.
func (t *table) Write(rows []search.Row) error {
	for _, row := range rows {
		var err error
		if t.values, err = session.Values(row.JSON, t.fields, t.values[:0]); err != nil {
			return err
		}
		before := len(t.out.buf)
		for i, value := range t.values {
			if i > 0 {
				t.out.buf = append(t.out.buf, t.cells.comma)
			}
			t.out.buf = t.cells.append(t.out.buf, t.types[i], value)
		}
		if len(t.out.buf) == before {
			t.out.buf = append(t.out.buf, `""`...) // many readers skip a blank line
		}
		t.out.buf = append(t.out.buf, lineEnd...)
		if err := t.out.full(); err != nil {
			return err
		}
	}
	return t.out.flush()
}

// Finish implements Writer.
func (t *table) Finish() error { return t.out.flush() }
