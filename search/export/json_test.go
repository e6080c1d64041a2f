package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
)

func TestRowsArePassedOnUnchanged(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	var lines, items []string
	for _, row := range rows {
		lines = append(lines, string(row.JSON)+"\n")
		items = append(items, string(row.JSON))
	}
	count := int64(1234)
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"NDJSON":             {Options{Format: NDJSON}, strings.Join(lines, "")},
		"JSON":               {Options{Format: JSON, Count: &count}, `{"count":1234,"items":[` + strings.Join(items, ",") + `]}`},
		"JSON without count": {Options{Format: JSON}, `{"items":[` + strings.Join(items, ",") + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.Fields = fields
			if got := string(written(t, test.o, rows...)); got != test.want {
				t.Errorf("wrote %.300q, want %.300q", got, test.want)
			}
		})
	}
}

func TestAFileWithoutRowsIsAFile(t *testing.T) {
	fields := fieldsOf(t, "id", "name")
	for format, want := range map[Format]string{
		JSON: `{"items":[]}`, NDJSON: "", CSV: "id,name\r\n", CSVExcel: "\uFEFFid;name\r\n",
	} {
		if got := string(written(t, Options{Format: format, Fields: fields})); got != want {
			t.Errorf("%s is %q, want %q", format, got, want)
		}
	}
}

func TestARowOverSeveralLinesIsOneLineOfNDJSON(t *testing.T) {
	row := search.Row{JSON: json.RawMessage("{\"id\": \"a\",\r\n \"metrics\": {\n\"b\": \"c\\n\"}}")}
	before := bytes.Clone(row.JSON)
	if got := string(written(t, Options{Format: NDJSON, Fields: fieldsOf(t, "id", "metrics")}, row)); got != `{"id":"a","metrics":{"b":"c\n"}}`+"\n" {
		t.Errorf("wrote %q", got)
	}
	if !bytes.Equal(before, row.JSON) {
		t.Error("the row was changed")
	}
}

// brokenWriter accepts a number of bytes and then fails.
type brokenWriter struct{ left int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errBroken
	}
	return len(b), nil
}

func TestEveryFormatReportsThatItCouldNotBeWritten(t *testing.T) {
	fields := hardFields(t)
	rows := hardRows(t, fields)
	for _, format := range Formats() {
		for _, member := range []string{"", "a"} {
			w, err := New(&brokenWriter{100}, Options{Format: format, Fields: fields, Member: member, Temp: tempOf(t)})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.Write(rows), w.Finish()); !errors.Is(err, errBroken) {
				t.Errorf("%s (%q): %v", format, member, err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if _, err := New(&bytes.Buffer{}, Options{Format: "PDF"}); err == nil {
		t.Error("a PDF was begun")
	}
}
