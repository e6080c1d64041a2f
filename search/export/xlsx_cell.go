package export

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/xuri/excelize/v2"
)

// maxCell is the longest content of a cell, in UTF-16 code units.
const maxCell = excelize.TotalCellChars

// cutMark ends a truncated cell.
const cutMark = "… [cut]"

// styles are the styles of cells in a workbook.
type styles struct{ header, text, date int }

func newStyles(file *excelize.File) (s styles, err error) {
	const asText = 49 // "@": stays text when somebody edits it, too
	dates := "yyyy-mm-dd hh:mm:ss"
	for _, style := range []struct {
		id *int
		is excelize.Style
	}{
		{&s.header, excelize.Style{Font: &excelize.Font{Bold: true}}},
		{&s.text, excelize.Style{NumFmt: asText}},
		{&s.date, excelize.Style{CustomNumFmt: &dates}},
	} {
		if *style.id, err = file.NewStyle(&style.is); err != nil {
			return s, err
		}
	}
	return s, nil
}

// set stores a value in a cell by the type of its column; false: the cell stays
// empty.
func (b *workbook) set(cell *excelize.Cell, t session.Type, value []byte) bool {
	switch value[0] {
	case 'n':
		return false
	case 't', 'f':
		*cell = excelize.Cell{Value: value[0] == 't'}
	case '"':
		b.scratch, _ = jsontext.AppendUnquote(b.scratch[:0], value) // see cells
		if t == session.TypeDate && b.setDate(cell) {
			return true
		}
		b.setText(cell, b.scratch)
	case '{', '[':
		b.setText(cell, value)
	default:
		b.setNumber(cell, value)
	}
	return true
}

func (b *workbook) setText(cell *excelize.Cell, text []byte) {
	*cell = excelize.Cell{StyleID: b.styles.text, Value: string(text)}
	if len(text) > maxCell && units(text) > maxCell { // no text has more units than bytes
		b.cut++
		cell.Value = cutText(text)
	}
}

// units counts UTF-16 code units.
func units(text []byte) int {
	n := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		n += unitsOf(r)
		text = text[size:]
	}
	return n
}

func unitsOf(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// cutText truncates text to what a cell can hold, including the mark.
func cutText(text []byte) string {
	left, end := maxCell-units([]byte(cutMark)), 0
	for {
		r, size := utf8.DecodeRune(text[end:])
		if left -= unitsOf(r); left < 0 {
			return string(text[:end]) + cutMark
		}
		end += size
	}
}

// setNumber stores a number; one that a cell would round is stored as text.
func (b *workbook) setNumber(cell *excelize.Cell, value []byte) {
	d := parseDecimal(value, b.scratch)
	b.scratch = d.digits[:0]
	if !d.fits() {
		b.setText(cell, value)
		return
	}
	if !d.exponent && d.magnitude == len(d.digits) { // an integer
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			*cell = excelize.Cell{Value: n}
			return
		}
	}
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		b.setText(cell, value)
		return
	}
	*cell = excelize.Cell{Value: n + 0} // -0 + 0 is 0
}

// setDate stores the current date in the cell, as days since the end of 1899. It
// returns false for dates before March 1900, on which spreadsheets do not agree,
// and for text that is not a date of the zone's calendar.
func (b *workbook) setDate(cell *excelize.Cell) bool {
	at, ok := dateIn(b.zone, b.scratch)
	if !ok || !inCalendar(at) {
		return false
	}
	if at.Before(time.Date(1900, time.March, 1, 0, 0, 0, 0, b.zone)) {
		b.scratch = appendPlain(b.scratch[:0], at)
		return false
	}
	*cell = excelize.Cell{StyleID: b.styles.date, Value: serial(at)}
	return true
}

// serial returns a date and time in days. Some programs truncate it to the shown
// second and others round it, and the library rounds it to 15 digits. So serial
// rounds up to 15 digits: the value is never before its second, and at most a
// millisecond after it.
func serial(at time.Time) float64 {
	const (
		msPerDay = 24 * 60 * 60 * 1000
		epoch    = 25_569 // 1970-01-01
	)
	_, offset := at.Zone()
	ms := at.UnixMilli() + int64(offset)*1000 + epoch*msPerDay
	days, rest := ms/msPerDay, ms%msPerDay
	unit := int64(1e10) // days have five digits until the year 2173
	for digits := int64(100_000); days >= digits; digits *= 10 {
		unit /= 10
	}
	parts := (rest*unit + msPerDay - 1) / msPerDay
	return float64(days) + float64(parts)/float64(unit)
}
