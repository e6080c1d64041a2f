package export

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/scopegate/scopegate/session"
)

func TestHeadingsAreLabelsInFilesForSpreadsheets(t *testing.T) {
	fields := fieldsOf(t, "id", "name", "timerFirstAnswer")
	row := rowOf(t, fields, map[string]any{"name": "Ada", "timerFirstAnswer": 5})
	for language, want := range map[session.Language][]string{
		"":              {"id", "name", "timerFirstAnswer"},
		session.English: {"Session ID", "Name", "Time to first answer (s)"},
		session.Russian: {"ID сессии", "Имя", "Время до первого ответа (с)"},
	} {
		text := string(written(t, Options{Format: CSVExcel, Fields: fields, Labels: language}, row))
		first, _, _ := strings.Cut(strings.TrimPrefix(text, byteOrderMark), lineEnd)
		if diff := cmp.Diff(want, strings.Split(first, ";")); diff != "" {
			t.Errorf("CSV_EXCEL, language %q (-want +got):\n%s", language, diff)
		}
		book, err := excelize.OpenReader(bytes.NewReader(written(t, Options{Format: XLSX, Fields: fields, Labels: language}, row)))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := book.GetRows("Sessions")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rows[0]); diff != "" {
			t.Errorf("XLSX, language %q (-want +got):\n%s", language, diff)
		}
		tables, err := book.GetTables("Sessions")
		if err != nil || len(tables) != 1 {
			t.Errorf("language %q: %d tables, error %v", language, len(tables), err)
		}
	}
}

func TestHeadingsOfPlainCSVAreNamesInEveryLanguage(t *testing.T) {
	fields := fieldsOf(t, "id", "name")
	text := string(written(t, Options{Format: CSV, Fields: fields, Labels: session.Russian}, rowOf(t, fields, nil)))
	if !strings.HasPrefix(text, "id,name\r\n") {
		t.Errorf("%.40q", text)
	}
}
