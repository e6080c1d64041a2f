package isolation_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/scopegate/scopegate/search/export"
)

// fileFields are the columns of the table's files.
func fileFields() []string { return []string{"id", "companyId", "companyName", "name"} }

// fileOf asks for a file, of a page or of all that matches, in an order that the
// model knows.
func fileOf(form export.Format, packed, all bool) func(selection, int) inquiry {
	return func(s selection, unlike int) inquiry {
		q := inquiry{selection: s, fields: fileFields(), unlike: unlike, form: form, zip: packed, export: all, byName: true}
		if !all {
			q.limit = 3
		}
		return q
	}
}

// fileOutcome is what is said of a file beside its content.
type fileOutcome struct {
	form        export.Format
	zip, export bool
	total, rows int
}

// streamed tells answers without a validator.
func (v outcome) streamed() bool { return v.file != nil && v.file.export }

// exported makes a file of the verdict.
func (q inquiry) exported(v outcome, rows []canarySession, count int) outcome {
	v.file = &fileOutcome{form: q.form, zip: q.zip, export: q.export, total: count, rows: len(rows)}
	items := make([]string, len(rows))
	for i := range rows {
		items[i] = rows[i].item(q.fields)
	}
	switch q.form {
	case export.JSON:
		v.body = fmt.Sprintf(`{"count":%d,"items":[%s]}`, count, strings.Join(items, ","))
	case export.NDJSON:
		v.body = strings.Join(append(items, ""), "\n")
	case export.CSV:
		v.body = tableOf(rows, ",", "", "\r\n")
	case export.CSVExcel:
		v.body = "\uFEFF" + tableOf(rows, ";", `"`, "\r\n")
	case export.XLSX:
		v.body = tableOf(rows, "\t", "", "\n")
	}
	return v
}

// tableOf has cells that need no quotes; texts have those of the format.
func tableOf(rows []canarySession, comma, quote, end string) string {
	var b strings.Builder
	b.WriteString(strings.Join(fileFields(), comma) + end)
	for _, row := range rows {
		cells := make([]string, len(fileFields()))
		for i, field := range fileFields() {
			cells[i] = strings.ReplaceAll(row.values[field], `"`, quote)
		}
		b.WriteString(strings.Join(cells, comma) + end)
	}
	return b.String()
}

// open is the file as text: out of its archive, and a workbook as its cells.
func (f *fileOutcome) open(file []byte) ([]byte, error) {
	if f.zip {
		archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return nil, err
		}
		member, err := archive.File[0].Open()
		if err != nil {
			return nil, err
		}
		if file, err = io.ReadAll(member); err != nil {
			return nil, err
		}
	}
	if f.form != export.XLSX {
		return file, nil
	}
	book, err := excelize.OpenReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer book.Close() //nolint:errcheck // it is only read
	rows, err := book.GetRows("Sessions")
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(strings.Join(row, "\t") + "\n")
	}
	return []byte(text.String()), nil
}

var likeAttachment = regexp.MustCompile(`^attachment; filename="chat-sessions-\d{8}-\d{6}\.(json|ndjson|csv|xlsx|zip)"; filename\*=UTF-8''chat-sessions-\d{8}-\d{6}\.(json|ndjson|csv|xlsx|zip)$`)

// addTo adds what the file's headers hold.
func (f *fileOutcome) addTo(want map[string]holding) {
	want["Content-Type"], want["Content-Disposition"] = is(f.form.MediaType()), like(likeAttachment)
	if f.zip {
		want["Content-Type"] = is(export.ZipType)
	}
	want["X-Total-Count"] = is(strconv.Itoa(f.total))
	if f.export {
		delete(want, "Etag")
		delete(want, "Content-Length")
		return
	}
	want["X-Row-Count"], want["Content-Length"] = is(strconv.Itoa(f.rows)), like(likeNumber)
	if f.form == export.XLSX {
		want["X-Truncated-Cells"] = is("0")
	}
}
