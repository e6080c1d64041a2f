package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math/big"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

func TestCSVIsWhatPythonReads(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	got := readByPython(t, written(t, Options{Format: CSV, Fields: fields}, rows...))
	if diff := cmp.Diff(wantCells(t, fields, rows, same, same), got); diff != "" {
		t.Error(diff)
	}
}

// readByPython parses a file strictly with Python's csv module.
func readByPython(t *testing.T, file []byte) [][]string {
	t.Helper()
	const script = `import csv, io, json, sys
text = sys.stdin.buffer.read().decode("utf-8")
print(json.dumps(list(csv.reader(io.StringIO(text, newline=""), strict=True))))`
	python := exec.CommandContext(t.Context(), "python3", "-c", script)
	python.Stdin = bytes.NewReader(file)
	out, err := python.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	var table [][]string
	if err := json.Unmarshal(out, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

// pricesAs writes a file with one row for each number.
func pricesAs(tb testing.TB, format Format, numbers ...string) []byte {
	tb.Helper()
	fields := fieldsOf(tb, "price")
	var rows []search.Row
	for _, number := range numbers {
		rows = append(rows, search.Row{JSON: json.RawMessage(`{"price":` + number + `}`)})
	}
	return written(tb, Options{Format: format, Fields: fields, Temp: tempOf(tb)}, rows...)
}

func TestNumbersOfCSVForExcelHaveADecimalCommaAndTheirValue(t *testing.T) {
	for number, want := range map[string]string{
		"4.5": "4,5", "1234.56": "1234,56", "-0.25": "-0,25", "7": "7", "-7": "-7", "0": "0", "0.00": "0,00", "1.50": "1,50",
		"-0": "0", "-0.0": "0,0", "0e5": "0", "-0.0e-5": "0", "999999999999999": "999999999999999", "100": "100",
		"1e5": "100000", "1.5E+3": "1500", "-2.5e-3": "-0,0025", "1.25e1": "12,5", "12e-1": "1,2", "100e-2": "1,00", "1e19": "10000000000000000000", "1e20": "1E+020",
		"1.5e100": "1,5E+100", "1e300": "1E+300", "1e-300": "1E-300", "-1.25e-30": "-1,25E-030",
		// A spreadsheet cannot represent these numbers.
		"9007199254740993": `"9007199254740993"`, "-12345678901234567890": `"-12345678901234567890"`,
		"0.1234567890123456": `"0,1234567890123456"`, "66.66666666666667": `"66,66666666666667"`,
		"1e400": `"1e400"`, "1.5e-400": `"1,5e-400"`, "1e99999999999999999999": `"1e99999999999999999999"`,
	} {
		if got := string(pricesAs(t, CSVExcel, number)); got != "\uFEFFprice\r\n"+want+"\r\n" {
			t.Errorf("%s is written as %q, want %s", number, got, want)
		}
		if got := string(pricesAs(t, CSV, number)); got != "price\r\n"+number+"\r\n" {
			t.Errorf("%s is written as %q in CSV", number, got)
		}
	}
}

// jsonNumber draws a number in any form of JSON.
func jsonNumber() *rapid.Generator[string] {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?`)
}

func TestNumbersOfCSVForExcelKeepTheirValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number := jsonNumber().Draw(rt, "number")
		c := cells{dialect: dialect{comma: ';', spreadsheet: true}}
		got := string(c.append(nil, session.TypeNumber, []byte(number)))
		text, quoted := strings.CutPrefix(got, `"`)
		text = strings.Replace(strings.TrimSuffix(text, `"`), ",", ".", 1)
		want, ok1 := new(big.Rat).SetString(number)
		is, ok2 := new(big.Rat).SetString(text)
		if !ok1 || !ok2 || is.Cmp(want) != 0 {
			rt.Fatalf("%s is written as %s", number, got)
		}
		if n, err := strconv.ParseFloat(text, 64); !quoted && (err != nil || n == 0 && is.Sign() != 0 || strings.ContainsAny(got, ".e")) {
			rt.Fatalf("%s is a number %s of %v, %v", number, got, n, err)
		}
	})
}

func TestDatesOfTablesAreInTheAskedZone(t *testing.T) {
	fields := fieldsOf(t, "createdAt")
	row := rowOf(t, fields, map[string]any{"createdAt": "2018-05-27T21:30:54.789Z"})
	tests := map[string]struct {
		format  Format
		minutes int
		want    string
	}{
		"CSV in UTC":                {CSV, 0, "createdAt\r\n2018-05-27T21:30:54.789Z\r\n"},
		"CSV in the east":           {CSV, 180, "createdAt\r\n2018-05-28T00:30:54.789+03:00\r\n"},
		"CSV in the west":           {CSV, -570, "createdAt\r\n2018-05-27T12:00:54.789-09:30\r\n"},
		"CSV_EXCEL in UTC":          {CSVExcel, 0, "\uFEFFcreatedAt\r\n2018-05-27 21:30:54\r\n"},
		"CSV_EXCEL in the far west": {CSVExcel, -840, "\uFEFFcreatedAt\r\n2018-05-27 07:30:54\r\n"},
		"CSV_EXCEL in the east":     {CSVExcel, 330, "\uFEFFcreatedAt\r\n2018-05-28 03:00:54\r\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			zone := time.UTC
			if test.minutes != 0 {
				zone = time.FixedZone("", test.minutes*60)
			}
			if got := string(written(t, Options{Format: test.format, Fields: fields, Zone: zone}, row)); got != test.want {
				t.Errorf("wrote %q, want %q", got, test.want)
			}
		})
	}
}

func TestDatesAtTheEdgesOfTheCalendarAreTheDatesThatAreStored(t *testing.T) {
	const first, last = "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"
	berlin, err := time.LoadLocation("Europe/Berlin") // 53:28 ahead until 1893
	if err != nil {
		t.Fatal(err)
	}
	east, west := time.FixedZone("", 14*3600), time.FixedZone("", -14*3600)
	fields := fieldsOf(t, "createdAt")
	for _, test := range []struct {
		date       string
		zone       *time.Location
		csv, excel string
	}{
		{first, time.UTC, first, "0001-01-01 00:00:00"},
		{last, time.UTC, last, "9999-12-31 23:59:59"},
		{first, east, "0001-01-01T14:00:00.000+14:00", "0001-01-01 14:00:00"},
		{last, west, "9999-12-31T09:59:59.999-14:00", "9999-12-31 09:59:59"},
		// The year does not exist in the zone: the date stays in UTC, with its
		// offset.
		{first, west, first, `"` + first + `"`},
		{last, east, last, `"` + last + `"`},
		{"0001-01-01T14:00:00.000Z", west, "0001-01-01T00:00:00.000-14:00", "0001-01-01 00:00:00"},
		// Offsets in RFC 3339 have no seconds.
		{"1890-06-01T12:00:00.000Z", berlin, "1890-06-01T12:53:00.000+00:53", "1890-06-01 12:53:28"},
		{first, berlin, "0001-01-01T00:53:00.000+00:53", "0001-01-01 00:53:28"},
	} {
		row := rowOf(t, fields, map[string]any{"createdAt": test.date})
		for format, want := range map[Format]string{CSV: test.csv, CSVExcel: test.excel} {
			got := string(written(t, Options{Format: format, Fields: fields, Zone: test.zone}, row))
			if got = strings.TrimPrefix(got, "\uFEFF"); got != "createdAt\r\n"+want+"\r\n" {
				t.Errorf("%s in %s is written in %s as %q, want %s", test.date, test.zone, format, got, want)
			}
		}
	}
}

func TestADateOfCSVIsTheInstantThatIsStored(t *testing.T) {
	var zones []*time.Location
	for _, name := range []string{"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kathmandu", "Africa/Monrovia", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.OneOf(rapid.SampledFrom(zones), rapid.Custom(func(t *rapid.T) *time.Location {
			return time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "minutes"))
		})).Draw(t, "zone")
		at := time.UnixMilli(rapid.Int64Range(-62_135_596_800_000, 253_402_300_799_999).Draw(t, "ms")).UTC()
		got, ok := rfc3339Dates(nil, []byte(at.Format(session.DateLayout)), zone)
		if !ok {
			if inCalendar(at.In(zone)) && inCalendar(at.In(zone).Add(-time.Minute)) {
				t.Fatalf("%s has no form in %s", at, zone)
			}
			return
		}
		if read, err := time.Parse(time.RFC3339, string(got)); err != nil || !read.Equal(at) {
			t.Fatalf("%s is written in %s as %s, %v", at, zone, got, err)
		}
	})
}

func TestTheOnlyCellOfARowIsNeverABlankLine(t *testing.T) {
	fields := fieldsOf(t, "name")
	rows := []search.Row{
		rowOf(t, fields, map[string]any{"name": "Anna"}), rowOf(t, fields, nil),
		rowOf(t, fields, map[string]any{"name": ""}), rowOf(t, fields, map[string]any{"name": "Dora"}),
	}
	for format, want := range map[Format]string{
		CSV:      "name\r\nAnna\r\n\"\"\r\n\"\"\r\nDora\r\n",
		CSVExcel: "\uFEFFname\r\n\"Anna\"\r\n\"\"\r\n\"\"\r\n\"Dora\"\r\n",
	} {
		got := written(t, Options{Format: format, Fields: fields}, rows...)
		if string(got) != want {
			t.Errorf("%s is %q, want %q", format, got, want)
		}
		// encoding/csv skips blank lines, as many readers do.
		if lines, err := csv.NewReader(bytes.NewReader(got)).ReadAll(); err != nil || len(lines) != 1+len(rows) {
			t.Errorf("%s: %d lines are read, %v", format, len(lines), err)
		}
		if lines := readByPython(t, got); len(lines) != 1+len(rows) || slices.ContainsFunc(lines, func(l []string) bool { return len(l) != 1 }) {
			t.Errorf("%s: Python reads %q", format, lines)
		}
	}
	date := fieldsOf(t, "closedAt")
	if got := string(written(t, Options{Format: CSV, Fields: date}, rowOf(t, date, nil))); got != "closedAt\r\n\"\"\r\n" {
		t.Errorf("a date that is not there is %q", got)
	}
}

func TestCSVForExcelRunsNothing(t *testing.T) {
	fields := fieldsOf(t, "name")
	for text, want := range map[string]string{
		"=1+1": `'=1+1`, "+79991234567": "'+79991234567", "-5": "'-5", "@SUM(A1)": "'@SUM(A1)", "=-1": "'=-1",
		"\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx", "\n=1": "'\n'=1", "\r\n=1": "'\r\n'=1",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠A1": "'＠A1", "﹦1": "'﹦1",
		"=1;2": "'=1;2", `="a"`: `'=""a""`, "a=1": "a=1", "'x": "'x", "'=1": "'=1", "": "",
		// Other programs split cells at these.
		"x,=1": "x,'=1", "x;@A1": "x;'@A1", "x\t-1": "x\t'-1", "x\n+1": "x\n'+1", "x\r\n＝1": "x\r\n'＝1", "x,\t=1": "x,'\t'=1",
		"a,b=1;c-2": "a,b=1;c-2", ",,=1": ",,'=1", "x\u2028=1": "x\u2028'=1", "x\u0085=1": "x\u0085'=1",
		// Characters that a program may drop before a sign.
		" =1": " '=1", "\u00a0=1": "\u00a0'=1", "\u3000=1": "\u3000'=1", "\uFEFF=1": "\uFEFF'=1", "\u200b=1": "\u200b'=1",
		`"=1"`: `""'=1""`, "x, \"\u200e=1": "x, \"\"\u200e'=1", "\x1f=1": "\x1f'=1", " \n=1": " '\n'=1",
		// Messages stay readable.
		"Dear Anna,\nthank you.\n\nBye": "Dear Anna,\nthank you.\n\nBye", "Dear Anna,\r\nthank you": "Dear Anna,\r\nthank you",
		"a - b": "a - b", "a\u00a0- b": "a\u00a0- b", "50 % + 3 = 5": "50 % + 3 = 5",
	} {
		got := string(written(t, Options{Format: CSVExcel, Fields: fields}, rowOf(t, fields, map[string]any{"name": text})))
		if got != "\uFEFFname\r\n\""+want+"\"\r\n" {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
	// No importer accepts a NUL, but another producer may have stored one, or a
	// date field with another value.
	for row, want := range map[string]string{
		`{"name":"\u0000=1"}`:        "'\x00=1",
		`{"name":"x,\u0000=1"}`:      "x,'\x00=1",
		`{"createdAt":"=1;\"2"}`:     `'=1;""2`,
		`{"createdAt":"2018-05-27"}`: "2018-05-27",
	} {
		name := strings.Split(row, `"`)[1]
		got := string(written(t, Options{Format: CSVExcel, Fields: fieldsOf(t, name)}, search.Row{JSON: json.RawMessage(row)}))
		if got != "\uFEFF"+name+"\r\n\""+want+"\"\r\n" {
			t.Errorf("%s is written as %q, want %q", row, got, want)
		}
	}
	// A number stays a number, whatever its sign.
	number := fieldsOf(t, "price")
	if got := string(written(t, Options{Format: CSVExcel, Fields: number}, rowOf(t, number, map[string]any{"price": -5.5}))); got != "\uFEFFprice\r\n-5,5\r\n" {
		t.Errorf("a number is written as %q", got)
	}
}

func TestListsAndObjectsOfCSVForExcelRunNothingAndStayJSON(t *testing.T) {
	fields := fieldsOf(t, "metrics")
	for value, want := range map[string]string{
		`{"a":"=1"}`:             `{"a":"=1"}`,
		`{"a":["x","=1"]}`:       `{"a":["x","\u003d1"]}`,
		`{"a":"x,=1;＝2"}`:        `{"a":"x,\u003d1;\uff1d2"}`,
		`{"a":1,"=b":-1}`:        `{"a":1,"\u003db":-1}`,
		`{"a":[1,-2, -3]}`:       `{"a":[1,-2,-3]}`,
		`{"a":"x,\"=1","b":"+"}`: `{"a":"x,\"=1","b":"+"}`,
		`{"a":"x\n=1,\\"}`:       `{"a":"x\n=1,\\"}`,
	} {
		row := rowOf(t, fields, map[string]any{"metrics": json.RawMessage(value)})
		got := written(t, Options{Format: CSVExcel, Fields: fields}, row)
		r := csv.NewReader(bytes.NewReader(got))
		r.Comma = ';'
		lines, err := r.ReadAll()
		if err != nil || len(lines) != 2 || lines[1][0] != want {
			t.Errorf("%s is written as %q, %v, want %s", value, got, err, want)
		}
	}
}

// However the file is split, no piece begins with a sign, also after quotes or
// invisible characters.
func TestNoPieceOfAFileForExcelBeginsWithASign(t *testing.T) {
	fields := fieldsOf(t, "name", "operatorGroupIds", "metrics")
	texts := rapid.StringOf(rapid.SampledFrom([]rune("ab=+-@＝＋－＠,;\"\t\r\n' \u00a0\u200b\ufeff\\\u2028é")))
	rapid.Check(t, func(t *rapid.T) {
		name, listed, said := texts.Draw(t, "name"), texts.Draw(t, "listed"), texts.Draw(t, "said")
		values, _ := json.Marshal(map[string]any{
			"id": "a", "companyId": 1, "name": name,
			"operatorGroupIds": []string{listed, said}, "metrics": map[string]any{"a": said, said: listed},
		})
		doc, err := session.Parse(values)
		if err != nil {
			t.Fatal(err)
		}
		row, _ := session.Project(doc.JSON(), fields)
		var file bytes.Buffer
		w, _ := New(&file, Options{Format: CSVExcel, Fields: fields})
		if err := w.Write([]search.Row{{JSON: row}}); err != nil {
			t.Fatal(err)
		}
		pieces := strings.FieldsFunc(file.String(), func(r rune) bool { return strings.ContainsRune(",;\t\r\n\u2028", r) })
		for _, piece := range pieces {
			piece = strings.TrimLeft(piece, "\" \u00a0\u200b\ufeff")
			if piece != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(piece)[0]) {
				t.Fatalf("%q begins a piece of %q", piece, file.String())
			}
		}
		r := csv.NewReader(&file)
		r.Comma = ';'
		lines, err := r.ReadAll()
		if err != nil || len(lines) != 2 || len(lines[1]) != 3 {
			t.Fatalf("read as %q, %v", lines, err)
		}
		bare := strings.NewReplacer("'", "", "\r\n", "\n")
		if got, want := bare.Replace(lines[1][0]), bare.Replace(name); got != want {
			t.Fatalf("%q reads as %q", want, got)
		}
		var groups []string
		if err := json.Unmarshal([]byte(lines[1][1]), &groups); err != nil || groups[0] != listed || groups[1] != said {
			t.Fatalf("%q reads as %q, %v", []string{listed, said}, lines[1][1], err)
		}
	})
}

// Cells equal those of encoding/csv byte by byte, except for line ends:
// encoding/csv would also change line breaks within cells.
func TestCellsAreThoseOfEncodingCSV(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom(hardTexts()),
		rapid.StringOf(rapid.SampledFrom([]rune("ab ,;\"\r\n\t\\.='+\u00a0\u3000é😀\x00\x1f"))))
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SliceOfN(texts, 2, 5).Draw(t, "line")
		var got, want bytes.Buffer
		c := cells{dialect: dialect{comma: ','}, zone: time.UTC}
		for i, text := range line {
			value, _ := json.Marshal(text)
			if i > 0 {
				got.WriteByte(c.comma)
			}
			got.Write(c.append(nil, session.TypeString, value))
		}
		w := csv.NewWriter(&want)
		_ = w.Write(line)
		w.Flush()
		if diff := cmp.Diff(strings.TrimSuffix(want.String(), "\n"), got.String()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestARowOfOtherFieldsIsNeverWrittenUnderTheWrongColumns(t *testing.T) {
	fields := fieldsOf(t, "id", "name")
	for _, format := range []Format{CSV, CSVExcel, XLSX} {
		w, err := New(&bytes.Buffer{}, Options{Format: format, Fields: fields, Temp: tempOf(t)})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Write([]search.Row{rowOf(t, fieldsOf(t, "id", "city"), nil)})
		if !errors.Is(err, session.ErrDocument) {
			t.Errorf("%s: %v", format, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whatever another producer has stored becomes one record with one cell per field,
// and its text equals what encoding/json reads.
func FuzzCSV(f *testing.F) {
	f.Add([]byte(`{"id":"a","name":"b;c"}`))
	f.Add([]byte(`{"name":"\u0000=\"1\r\n", "id":"\ud83d"}`))
	f.Add([]byte(`{"id":["a",{"b":"\""}],"name":null}`))
	fields := fieldsOf(f, "id", "name")
	f.Fuzz(func(t *testing.T, row []byte) {
		var file bytes.Buffer
		w, _ := New(&file, Options{Format: CSV, Fields: fields})
		if w.Write([]search.Row{{JSON: row}}) != nil || !jsontext.Value(row).IsValid() { // engines store valid JSON only
			return
		}
		r := csv.NewReader(&file)
		r.FieldsPerRecord = 2
		lines, err := r.ReadAll()
		if err != nil || len(lines) != 2 {
			t.Fatalf("%q is written so that it reads as %q, %v", row, lines, err)
		}
		var members map[string]any
		if json.Unmarshal(row, &members) != nil {
			return
		}
		if text, ok := members["name"].(string); ok {
			// encoding/csv reads every line break as \n.
			if want := strings.ReplaceAll(text, "\r\n", "\n"); lines[1][1] != want {
				t.Errorf("%q reads as %q", want, lines[1][1])
			}
		}
	})
}

// Whatever a producer has stored becomes one record of the file, and no cell is a
// formula.
func FuzzCSVForExcel(f *testing.F) {
	f.Add([]byte(`{"name":"x,=1","price":-1.5e5,"createdAt":"=1"}`))
	f.Add([]byte(`{"name":"\u0000=\"1\r\n","price":1e400,"createdAt":"9999-12-31T23:59:59.999Z"}`))
	f.Add([]byte(`{"name":"0","price":e,"createdAt":""}`)) // not JSON
	f.Add([]byte(`{"createdAt":"=\u003d","name":["a",{"b":"\",=1"}],"price":"\ud83d"}`))
	fields := fieldsOf(f, "name", "price", "createdAt")
	f.Fuzz(func(t *testing.T, row []byte) {
		var file bytes.Buffer
		w, _ := New(&file, Options{Format: CSVExcel, Fields: fields, Zone: time.FixedZone("", 3600)})
		if w.Write([]search.Row{{JSON: row}}) != nil || !jsontext.Value(row).IsValid() {
			return
		}
		r := csv.NewReader(&file)
		r.Comma, r.FieldsPerRecord = ';', 3
		lines, err := r.ReadAll()
		if err != nil || len(lines) != 2 {
			t.Fatalf("%q is written so that it reads as %q, %v", row, lines, err)
		}
		for _, cell := range lines[1] {
			_, err := strconv.ParseFloat(strings.Replace(cell, ",", ".", 1), 64)
			if is, _ := classOf([]byte(cell)); cell != "" && is == classSign && err != nil && !errors.Is(err, strconv.ErrRange) {
				t.Fatalf("%q has the cell %q", row, cell)
			}
		}
	})
}
