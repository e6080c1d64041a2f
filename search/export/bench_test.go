package export

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// fullRow returns a session with a value in every field, about 2 KB.
func fullRow(tb testing.TB, fields session.FieldSet, n int) search.Row {
	tb.Helper()
	values := map[string]any{}
	for i, field := range session.Fields() {
		switch field.Type {
		case session.TypeString:
			values[field.Name] = fmt.Sprintf("Text %d of session %d", i, n)
		case session.TypeInteger:
			values[field.Name] = 1000 + i
		case session.TypeNumber:
			values[field.Name] = float64(i) + 0.5
		case session.TypeBoolean:
			values[field.Name] = i%2 == 0
		case session.TypeDate:
			values[field.Name] = time.Date(2018, 5, 27, 21, 30, n%60, i*1e6, time.UTC)
		case session.TypeStrings:
			values[field.Name] = []string{"g-1", "g-12"}
		case session.TypeOperators:
			values[field.Name] = []map[string]any{{"id": 204, "name": "Maria Lindqvist", "type": "OPERATOR", "assigned_at": "2018-05-27T21:31:40.120Z"}}
		case session.TypeObject:
			values[field.Name] = map[string]any{"text": "Спасибо, \"до свидания\"", "seconds": 12}
		}
	}
	values["id"], values["companyId"] = fmt.Sprintf("s-%08d", n), 7
	values["messengerType"], values["operatorType"] = "WEB", "BOT"
	delete(values, "messageCount")
	return rowOf(tb, fields, values)
}

// BenchmarkWrite writes batches of a thousand rows; ns/row and B/row are per row.
func BenchmarkWrite(b *testing.B) {
	few := fieldsOf(b, "id", "companyId", "name", "messengerType", "status", "clientId", "whatsappPhone",
		"operatorName", "messageCount", "createdAt", "startedAt", "tags")
	for _, shape := range []struct {
		name   string
		fields session.FieldSet
	}{{"all", session.AllFields()}, {"twelve", few}} {
		rows := make([]search.Row, 1000)
		for i := range rows {
			rows[i] = fullRow(b, shape.fields, i)
		}
		for _, c := range []struct {
			name string
			o    Options
		}{
			{"NDJSON", Options{Format: NDJSON}}, {"CSV", Options{Format: CSV}},
			{"CSV in a zone", Options{Format: CSV, Zone: time.FixedZone("", 3600)}},
			{"CSV_EXCEL", Options{Format: CSVExcel}}, {"CSV in a zip", Options{Format: CSV, Member: "a.csv"}},
			{"XLSX", Options{Format: XLSX, Temp: tempOf(b)}},
		} {
			b.Run(shape.name+"/"+c.name, func(b *testing.B) {
				c.o.Fields = shape.fields
				w, err := New(io.Discard, c.o)
				if err != nil {
					b.Fatal(err)
				}
				defer w.Close() //nolint:errcheck // nothing is read from it
				b.ReportAllocs()
				for b.Loop() {
					if err := w.Write(rows); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
				b.ReportMetric(float64(len(rows[0].JSON)), "B/row")
			})
		}
	}
}

// Memory that grows with the number of rows would be seen here.
func TestATableTakesNothingForARow(t *testing.T) {
	fields := session.AllFields()
	rows := make([]search.Row, 10)
	for i := range rows {
		rows[i] = fullRow(t, fields, i)
	}
	for _, o := range []Options{{Format: NDJSON}, {Format: JSON}, {Format: CSV, Zone: time.FixedZone("", 3600)}, {Format: CSVExcel}} {
		o.Fields = fields
		w, err := New(io.Discard, o)
		if err != nil {
			t.Fatal(err)
		}
		if taken := testing.AllocsPerRun(50, func() { _ = w.Write(rows) }); taken > 1 {
			t.Errorf("%s: %v allocations for %d rows", o.Format, taken, len(rows))
		}
	}
}
