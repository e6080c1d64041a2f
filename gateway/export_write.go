package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
)

// writeExport streams the file. Its headers leave with its first byte: until
// then any failure has an answer of its own.
func (a *api) writeExport(ctx context.Context, c *gin.Context, e *exporting, w *watch, snapshot search.Snapshot) error {
	out := a.newFlow(ctx, c, e, w)
	if c.Request.Method == http.MethodHead {
		out.start()
		return nil
	}
	o := fileForm(e.req.File).options(e.req.Query.Fields, e.began)
	o.Count, o.Temp = &e.total, a.exports.Temp
	file, err := export.New(out, o)
	if err != nil {
		return err
	}
	err = a.copyRows(ctx, e, snapshot, file, out)
	e.bytes, e.cut = out.written, file.CutCells()
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	out.end(e)
	return nil
}

// copyRows writes what is read. The rows of each batch are looked at once more,
// as those of an answer are.
func (a *api) copyRows(ctx context.Context, e *exporting, snapshot search.Snapshot, file export.Writer, out *flow) error {
	for {
		rows, err := snapshot.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err = ended(ctx, err); err == nil {
			err = errors.Join(out.watch.check(time.Now()), checkRows(e.scope, rows))
		}
		if err == nil {
			err = file.Write(rows)
		}
		if err == nil {
			err = out.flush()
		}
		if err != nil {
			return err
		}
		e.rows += int64(len(rows))
	}
	if !e.whole() {
		return errExportShort
	}
	if err := file.Finish(); err != nil {
		return err
	}
	return out.finish()
}

// whole reports whether as many rows were read as were counted, which is known of
// an export from the start.
func (e *exporting) whole() bool {
	q := e.req.Query
	want := max(e.total-int64(q.Offset), 0)
	if q.Limit > 0 {
		want = min(want, int64(q.Limit))
	}
	return e.rows == want || q.After != nil && e.rows < want
}

// end sets the trailers that tell that the file is complete.
func (f *flow) end(e *exporting) {
	h := f.to.Header()
	h.Set(headerRows, strconv.FormatInt(e.rows, 10))
	if e.req.File.Format == export.XLSX {
		h.Set(headerCut, strconv.FormatInt(e.cut, 10))
	}
}

// describeExport sets the headers of the file.
func describeExport(h http.Header, e *exporting) {
	fileForm(e.req.File).describe(h, e.began)
	h.Set(headerTotal, strconv.FormatInt(e.total, 10))
	h.Add("Trailer", headerRows)
	if e.req.File.Format == export.XLSX {
		h.Add("Trailer", headerCut)
	}
}
