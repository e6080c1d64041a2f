package export

import (
	"io"
	"time"

	"github.com/scopegate/scopegate/search"
)

// dialect is a kind of CSV.
type dialect struct {
	comma byte
	date  func(out, text []byte, zone *time.Location) []byte
	// spreadsheet: the file is opened by a double click, so it says by a byte
	// order mark that it is UTF-8, and holds nothing that would be run.
	spreadsheet bool
}

// lineEnd is that of RFC 4180.
const lineEnd = "\r\n"

// byteOrderMark tells Excel that what follows is UTF-8.
const byteOrderMark = "\uFEFF"

// table writes CSV, straight from the bytes of the rows.
type table struct {
	plain

	out    output
	fields search.FieldSet
	types  []search.Type // of the columns
	cells  cells
	values [][]byte // of the row at hand
}

var _ Writer = (*table)(nil)

func newTable(w io.Writer, o Options, d dialect) *table {
	t := &table{out: output{to: w}, fields: o.Fields, cells: cells{dialect: d, zone: o.Zone}}
	if d.spreadsheet {
		t.out.buf = append(t.out.buf, byteOrderMark...)
	}
	for i, field := range search.Fields() {
		if !o.Fields.Has(i) {
			continue
		}
		if len(t.types) > 0 {
			t.out.buf = append(t.out.buf, d.comma)
		}
		t.types = append(t.types, field.Type)
		t.out.buf = append(t.out.buf, field.Name...)
	}
	t.out.buf = append(t.out.buf, lineEnd...)
	return t
}

// Write implements Writer.
func (t *table) Write(rows []search.Row) error {
	for _, row := range rows {
		var err error
		if t.values, err = search.Values(row.JSON, t.fields, t.values[:0]); err != nil {
			return err
		}
		for i, value := range t.values {
			if i > 0 {
				t.out.buf = append(t.out.buf, t.cells.comma)
			}
			t.out.buf = t.cells.append(t.out.buf, t.types[i], value)
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
