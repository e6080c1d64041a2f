package export

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
)

// opened opens a workbook.
func opened(t *testing.T, file []byte) *excelize.File {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	return book
}

func TestCellsOfAWorkbookHaveTheTypesOfTheirFields(t *testing.T) {
	fields := fieldsOf(t, "id", "name", "whatsappPhone", "markedAsSpam", "clientMessageCount", "rating", "createdAt", "operatorGroupIds", "timerFirstAnswer")
	row := rowOf(t, fields, map[string]any{
		"id": "007", "name": "=1+1", "whatsappPhone": "+79991234567", "markedAsSpam": true, "clientMessageCount": 12,
		"rating": 4.5, "createdAt": "2018-05-27T21:30:54.250Z", "operatorGroupIds": []string{"a"}, "timerFirstAnswer": 1_000_000_000_000_000,
	})
	book := opened(t, written(t, Options{Format: XLSX, Fields: fields, Zone: time.FixedZone("", 3*3600), Temp: tempOf(t)}, row))
	type cell struct {
		Kind  excelize.CellType
		Value string
	}
	got := map[string]cell{}
	for i, name := range fields.Names() {
		ref, _ := excelize.CoordinatesToCellName(i+1, 2)
		kind, err := book.GetCellType("Sessions", ref)
		if err != nil {
			t.Fatal(err)
		}
		value, err := book.GetCellValue("Sessions", ref, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		if formula, _ := book.GetCellFormula("Sessions", ref); formula != "" {
			t.Errorf("%s has a formula", name)
		}
		got[name] = cell{kind, value}
	}
	const text, number = excelize.CellTypeInlineString, excelize.CellTypeUnset
	if diff := cmp.Diff(map[string]cell{
		"id": {text, "007"}, "name": {text, "=1+1"}, "whatsappPhone": {text, "+79991234567"},
		"markedAsSpam": {excelize.CellTypeBool, "1"}, "clientMessageCount": {number, "12"}, "rating": {number, "4.5"},
		"createdAt": {number, "43248.0214612269"}, "operatorGroupIds": {text, `["a"]`}, "timerFirstAnswer": {text, "1000000000000000"},
	}, got); diff != "" {
		t.Error(diff)
	}
	// The value includes the zone: 00:30:54 of the next day, to the shown second.
	if shown, _ := book.GetCellValue("Sessions", "G2"); shown != "2018-05-28 00:30:54" {
		t.Errorf("the date shows as %q", shown)
	}
}

func TestAWorkbookHasAFrozenHeaderAndATable(t *testing.T) {
	fields := fieldsOf(t, "id", "name")
	for rows, want := range map[int]string{0: "A1:B2", 1: "A1:B2", 3: "A1:B4"} {
		var some []search.Row
		for range rows {
			some = append(some, rowOf(t, fields, nil))
		}
		book := opened(t, written(t, Options{Format: XLSX, Fields: fields, Temp: tempOf(t)}, some...))
		tables, err := book.GetTables("Sessions")
		if err != nil || len(tables) != 1 || tables[0].Range != want {
			t.Errorf("of %d rows: tables %+v, %v", rows, tables, err)
		}
		if panes, err := book.GetPanes("Sessions"); err != nil || !panes.Freeze || panes.YSplit != 1 {
			t.Errorf("panes %+v, %v", panes, err)
		}
		style, _ := book.GetCellStyle("Sessions", "A1")
		if header, err := book.GetStyle(style); err != nil || header.Font == nil || !header.Font.Bold {
			t.Errorf("header %+v, %v", header, err)
		}
	}
}

func TestRowsPastTheEndOfASheetGoOnAFurtherOne(t *testing.T) {
	fields := fieldsOf(t, "id")
	var file bytes.Buffer
	w, err := newWorkbook(&file, Options{Format: XLSX, Fields: fields, Zone: time.UTC, Temp: tempOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() //nolint:errcheck // closed below
	w.sheetMax = 3
	var want []string
	for i := range 7 {
		id := string(rune('a' + i))
		want = append(want, id)
		if err := w.Write([]search.Row{rowOf(t, fields, map[string]any{"id": id})}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	book := opened(t, file.Bytes())
	if diff := cmp.Diff([]string{"Sessions", "Sessions 2", "Sessions 3"}, book.GetSheetList()); diff != "" {
		t.Fatal(diff)
	}
	var got []string
	for _, sheet := range book.GetSheetList() {
		rows, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if i > 0 {
				got = append(got, row[0])
			} else if row[0] != "id" {
				t.Errorf("%s has the header %q", sheet, row)
			}
		}
		if tables, _ := book.GetTables(sheet); len(tables) != 1 {
			t.Errorf("%s has %d tables", sheet, len(tables))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if maxSheetRows+1 != excelize.TotalRows {
		t.Errorf("a sheet has %d rows and a header, Excel's has %d", maxSheetRows, excelize.TotalRows)
	}
}

func TestCellsThatAreTooLongAreCutMarkedAndCounted(t *testing.T) {
	fields := fieldsOf(t, "purpose")
	texts := []string{
		strings.Repeat("x", maxCell), strings.Repeat("x", maxCell+1), strings.Repeat("ж", maxCell), strings.Repeat("😀", maxCell/2+1),
	}
	var file bytes.Buffer
	w, err := New(&file, Options{Format: XLSX, Fields: fields, Temp: tempOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() //nolint:errcheck // the temporary folder belongs to the test
	for _, text := range texts {
		value, _ := json.Marshal(map[string]string{"purpose": text})
		if err := w.Write([]search.Row{{JSON: value}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := w.CutCells(); got != 2 {
		t.Errorf("%d cells are told to be cut", got)
	}
	rows, err := opened(t, file.Bytes()).GetRows("Sessions")
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		got, cut := rows[i+1][0], i%2 == 1
		if !cut && got != text {
			t.Errorf("text %d was changed", i)
		}
		rest, marked := strings.CutSuffix(got, cutMark)
		if length := len(utf16.Encode([]rune(got))); cut && (!marked || !strings.HasPrefix(text, rest) || length < maxCell-1 || length > maxCell) {
			t.Errorf("text %d has become one of %d units, marked: %t", i, length, marked)
		}
	}
}

func TestNoTemporaryFileStays(t *testing.T) {
	fields := hardFields(t)
	row := rowOf(t, fields, map[string]any{"name": strings.Repeat("n", 1000), "metrics": map[string]any{"a": strings.Repeat("m", 30_000)}})
	for name, finish := range map[string]bool{"finished": true, "broken off": false} {
		t.Run(name, func(t *testing.T) {
			temp := tempOf(t)
			dir, none := temp.dir, countFiles(t, temp.dir)
			w, err := New(&bytes.Buffer{}, Options{Format: XLSX, Fields: fields, Temp: temp})
			if err != nil {
				t.Fatal(err)
			}
			for range 800 { // more than what is kept in memory
				if err := w.Write([]search.Row{row}); err != nil {
					t.Fatal(err)
				}
			}
			if before := countFiles(t, dir); before == none {
				t.Fatal("nothing went into a file")
			}
			if finish {
				if err := w.Finish(); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if left := countFiles(t, dir); left != none || temp.used != 0 {
				t.Errorf("%d files are left", left)
			}
		})
	}
}

func countFiles(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			n++
			continue
		}
		n += countFiles(t, dir+"/"+entry.Name())
	}
	return n
}

func TestDatesThatSpreadsheetsDoNotAgreeOnAreText(t *testing.T) {
	fields := fieldsOf(t, "createdAt")
	for date, want := range map[string]string{
		"1900-02-28T23:59:59.000Z": "1900-02-28 23:59:59", "0001-01-01T00:00:00.000Z": "0001-01-01 00:00:00",
		"1900-03-01T00:00:00.000Z": "61", "9999-12-31T00:00:00.000Z": "2958465",
	} {
		book := opened(t, written(t, Options{Format: XLSX, Fields: fields, Temp: tempOf(t)}, rowOf(t, fields, map[string]any{"createdAt": date})))
		if got, _ := book.GetCellValue("Sessions", "A2", excelize.Options{RawCellValue: true}); got != want {
			t.Errorf("%s is in its cell as %q, want %q", date, got, want)
		}
	}
}

func TestDatesOutOfTheCalendarOfTheZoneAreTextInUTC(t *testing.T) {
	fields := fieldsOf(t, "createdAt")
	for date, hours := range map[string]int{"0001-01-01T00:00:00.000Z": -14, "9999-12-31T23:59:59.999Z": 14} {
		zone := time.FixedZone("", hours*3600)
		book := opened(t, written(t, Options{Format: XLSX, Fields: fields, Zone: zone, Temp: tempOf(t)}, rowOf(t, fields, map[string]any{"createdAt": date})))
		if got, _ := book.GetCellValue("Sessions", "A2"); got != date {
			t.Errorf("%s is in its cell as %q", date, got)
		}
	}
}

// Some programs truncate a time to the second and others round it: both must show
// the right second.
func TestADateOfAWorkbookIsNeverShortOfItsSecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// From March 1900 to the end of the year 9999.
		second := rapid.Int64Range(-2_203_891_200, 253_402_300_799).Draw(t, "second")
		ms := rapid.Int64Range(0, 499).Draw(t, "ms")
		text := strconv.FormatFloat(serial(time.UnixMilli(second*1000+ms).UTC()), 'g', 15, 64) // as the library writes it
		days, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		past := (days-25_569)*86_400 - float64(second)
		if over := past - float64(ms)/1000; past < -1e-4 || over > 0.002 || past >= 0.502 {
			t.Fatalf("second %d and %d ms is %s days, %g s past it", second, ms, text, past)
		}
	})
}

func TestNumbersOfAWorkbookKeepTheirValue(t *testing.T) {
	for number, want := range map[string]string{
		"4.5": "4.5", "-0.0": "0", "-0": "0", "1e5": "100000", "999999999999999": "999999999999999", "123456789012.345": "123456789012.345",
		"0.1": "0.1", "1e-300": "0." + strings.Repeat("0", 299) + "1", "1e300": "1" + strings.Repeat("0", 300), "1.5E+3": "1500",
	} {
		wantNumber(t, number, want, excelize.CellTypeUnset)
	}
	for _, number := range []string{
		"1000000000000000", "9007199254740993", "-9223372036854775808", "12345678901234567890", "0.1234567890123456", "66.66666666666667",
		"1e400", "-1e400", "1e-400", "5e-324", "1e99999999999999999999",
	} {
		wantNumber(t, number, number, excelize.CellTypeInlineString)
	}
}

func wantNumber(t *testing.T, number, want string, kind excelize.CellType) {
	t.Helper()
	book := opened(t, pricesAs(t, XLSX, number))
	got, _ := book.GetCellValue("Sessions", "A2", excelize.Options{RawCellValue: true})
	if is, err := book.GetCellType("Sessions", "A2"); err != nil || got != want || is != kind {
		t.Errorf("%s is in its cell as %s of type %d, want %s of type %d, %v", number, got, is, want, kind, err)
	}
}

func TestNoNumberOfAWorkbookIsRounded(t *testing.T) {
	b := &workbook{}
	rapid.Check(t, func(t *rapid.T) {
		number := jsonNumber().Draw(t, "number")
		var cell excelize.Cell
		b.setNumber(&cell, []byte(number))
		want, _ := new(big.Rat).SetString(number)
		var text string
		switch value := cell.Value.(type) {
		case int64:
			text = strconv.FormatInt(value, 10)
		case float64:
			text = strconv.FormatFloat(value, 'g', 15, 64) // as the library writes it
		case string:
			text = value
		}
		if is, ok := new(big.Rat).SetString(text); !ok || is.Cmp(want) != 0 {
			t.Fatalf("%s is %v (%T) in its cell", number, cell.Value, cell.Value)
		}
	})
}
