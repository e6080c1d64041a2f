package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// fieldsOf returns the set of the named fields.
func fieldsOf(tb testing.TB, names ...string) session.FieldSet {
	tb.Helper()
	var fields session.FieldSet
	for _, name := range names {
		i, _, ok := session.FieldByName(name)
		if !ok {
			tb.Fatalf("there is no field %s", name)
		}
		fields = fields.With(i)
	}
	return fields
}

// rowOf returns a session with these values, as a search for the fields returns it.
func rowOf(tb testing.TB, fields session.FieldSet, values map[string]any) search.Row {
	tb.Helper()
	given := map[string]any{"id": "s-1", "companyId": 7}
	for name, value := range values {
		given[name] = value
	}
	text, err := json.Marshal(given)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := session.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	row, err := session.Project(doc.JSON(), fields)
	if err != nil {
		tb.Fatal(err)
	}
	return search.Row{CompanyID: doc.CompanyID(), JSON: row}
}

// written returns the complete file of the rows, written in batches of two.
func written(tb testing.TB, o Options, rows ...search.Row) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := New(&file, o)
	if err != nil {
		tb.Fatal(err)
	}
	for len(rows) > 0 {
		n := min(2, len(rows))
		if err := w.Write(rows[:n]); err != nil {
			tb.Fatal(err)
		}
		rows = rows[n:]
	}
	if err := w.Finish(); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// hardTexts are texts that files, or the programs that read them, often handle
// wrongly.
func hardTexts() []string {
	return []string{
		"", "plain", "a;b", "a,b", `say "hi"`, `"`, `""`, "two\nlines", "two\r\nlines", "one\rtwo", "tab\there", " ahead", "behind ",
		"007", "00", "1e5", "1/2", "2018-05-27", "TRUE", "+79991234567", "+7 (999) 123-45-67", "-5", "=1+1", "@SUM(A1)", "\tx", "\rx",
		"😀 family 👩‍👧", "שלום עולם", "\u200fדוד", "Ёж", "王小明", `\.`, `\`, `C:\new`, "'quoted'", "\u00a0space", "a\u2028b", "_x0041_", "#REF!", "<b>&amp;</b>",
		"NULL", "null", "🏳️‍🌈", strings.Repeat("long ", 200),
	}
}

// hardRows has each of the texts as a name, with a value of each type beside it.
func hardRows(tb testing.TB, fields session.FieldSet) []search.Row {
	tb.Helper()
	var rows []search.Row
	for i, text := range hardTexts() {
		values := map[string]any{"id": fmt.Sprintf("s-%03d", i), "name": text}
		if i%2 == 0 {
			values["rating"] = 0.25 - float64(i)/4
			values["clientMessageCount"] = i
			values["markedAsSpam"] = i%4 == 0
			values["createdAt"] = time.Date(2018, 5, 27, 21, 30, i, 0, time.UTC)
			values["operatorGroupIds"] = []string{text, "g"}
			values["metrics"] = map[string]any{"said": text}
		}
		rows = append(rows, rowOf(tb, fields, values))
	}
	return rows
}

// hardFields are the fields of hardRows.
func hardFields(tb testing.TB) session.FieldSet {
	tb.Helper()
	return fieldsOf(tb, "id", "name", "rating", "clientMessageCount", "markedAsSpam", "createdAt", "operatorGroupIds", "metrics")
}

// wantCells returns the expected cells, read with encoding/json; text and date
// return how a string and a date are shown.
func wantCells(tb testing.TB, fields session.FieldSet, rows []search.Row, text, date func(string) string) [][]string {
	tb.Helper()
	table := [][]string{fields.Names()}
	for _, row := range rows {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(row.JSON, &members); err != nil {
			tb.Fatal(err)
		}
		var line []string
		for _, name := range fields.Names() {
			line = append(line, wantCell(name, members[name], text, date))
		}
		table = append(table, line)
	}
	return table
}

func wantCell(name string, value json.RawMessage, text, date func(string) string) string {
	var s string
	switch _, field, _ := session.FieldByName(name); {
	case string(value) == "null":
		return ""
	case json.Unmarshal(value, &s) != nil:
		return string(value)
	case field.Type == session.TypeDate:
		return date(s)
	}
	return text(s)
}

func same(s string) string { return s }
