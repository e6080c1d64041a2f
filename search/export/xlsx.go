package export

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// maxSheetRows is the number of rows of a sheet below its header. The limit is
// Excel's; ECMA-376 has none.
const maxSheetRows = 1_048_575

// columnWidth is the width of all columns, in characters.
const columnWidth = 20

// workbook writes XLSX: sheets with one table each and a frozen header. The sheets
// grow in files of the workbook's own temporary folder and are sent after the last
// row: a table begins with its length.
type workbook struct {
	to       io.Writer
	fields   session.FieldSet
	types    []session.Type
	names    []any // the header row
	zone     *time.Location
	dir      *folder // nil: closed
	file     *excelize.File
	styles   styles
	sheets   int
	sheet    *excelize.StreamWriter
	row      int // last written row, in Excel's counting
	sheetMax int // rows of a sheet, without the header
	values   [][]byte
	cells    []excelize.Cell
	pointers []any // to cells, or nil for empty ones
	scratch  []byte
	cut      int64
}

var _ Writer = (*workbook)(nil)

func newWorkbook(w io.Writer, o Options) (_ *workbook, err error) {
	b := &workbook{to: w, fields: o.Fields, zone: o.Zone, sheetMax: maxSheetRows}
	if b.dir, err = o.Temp.newFolder(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	b.file = excelize.NewFile(excelize.Options{TmpDir: b.dir.path})
	if b.styles, err = newStyles(b.file); err != nil {
		return nil, err
	}
	for i, field := range session.Fields() {
		if o.Fields.Has(i) {
			b.types = append(b.types, field.Type)
			b.names = append(b.names, excelize.Cell{StyleID: b.styles.header, Value: o.heading(field)})
		}
	}
	b.cells, b.pointers = make([]excelize.Cell, len(b.types)), make([]any, len(b.types))
	return b, b.beginSheet()
}

// beginSheet begins a sheet; the first one is the sheet that a new workbook has.
func (b *workbook) beginSheet() error {
	b.sheets++
	name := "Sessions"
	if b.sheets == 1 {
		if err := b.file.SetSheetName(b.file.GetSheetName(0), name); err != nil {
			return err
		}
	} else {
		name += " " + strconv.Itoa(b.sheets)
		if _, err := b.file.NewSheet(name); err != nil {
			return err
		}
	}
	var err error
	if b.sheet, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	b.row = 1
	return errors.Join(
		b.sheet.SetColWidth(1, len(b.names), columnWidth),
		b.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}),
		b.sheet.SetRow("A1", b.names))
}

// endSheet turns the rows into a table, whose header has the filters. A separate
// filter would be lost on a streamed sheet.
func (b *workbook) endSheet() error {
	last, err := excelize.CoordinatesToCellName(len(b.names), b.row)
	if err != nil {
		return err
	}
	return errors.Join(b.sheet.AddTable(&excelize.Table{Range: "A1:" + last}), b.sheet.Flush())
}

// Write implements Writer.
func (b *workbook) Write(rows []search.Row) error {
	for _, row := range rows {
		var err error
		if b.values, err = session.Values(row.JSON, b.fields, b.values[:0]); err != nil {
			return err
		}
		if b.row > b.sheetMax {
			if err := errors.Join(b.endSheet(), b.beginSheet()); err != nil {
				return roomError(err)
			}
		}
		b.row++
		for i, value := range b.values {
			b.pointers[i] = nil
			if b.set(&b.cells[i], b.types[i], value) {
				b.pointers[i] = &b.cells[i]
			}
		}
		if err := b.sheet.SetRow("A"+strconv.Itoa(b.row), b.pointers); err != nil {
			return roomError(err)
		}
	}
	return b.dir.count()
}

// Finish implements Writer. The library would build the whole file in memory. So it
// gets an archive that is written directly, and its own buffer stays empty.
func (b *workbook) Finish() error {
	if err := errors.Join(b.endSheet(), b.dir.count()); err != nil {
		return roomError(err)
	}
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return &bookArchive{newPacker(b.to)} })
	return b.file.Write(io.Discard)
}

// CutCells implements Writer.
func (b *workbook) CutCells() int64 { return b.cut }

// Close implements Writer.
func (b *workbook) Close() error {
	if b.dir == nil {
		return nil
	}
	dir := b.dir
	b.dir = nil
	var err error
	if b.file != nil {
		err = b.file.Close()
	}
	return errors.Join(err, dir.remove())
}

// bookArchive is the archive that a workbook consists of.
type bookArchive struct{ *packer }

var _ excelize.ZipWriter = (*bookArchive)(nil)

// Create implements excelize.ZipWriter.
func (p *bookArchive) Create(name string) (io.Writer, error) {
	return p.begin(&zip.FileHeader{Name: name, Method: zip.Deflate})
}

// AddFS implements excelize.ZipWriter. Nothing calls it.
func (*bookArchive) AddFS(fs.FS) error { return errors.ErrUnsupported }
