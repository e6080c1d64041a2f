package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
)

// exportRun is one export while it runs.
type exportRun struct {
	principal tenancy.Principal
	req       params.ExportRequest
	scope     tenancy.Scope
	started   time.Time
	total     int64 // sessions that match
	rows      int64 // rows written
	bytes     int64 // bytes of the file written
	cut       int64 // cells that were cut, being too long for the format
}

// export answers GET and POST /api/v1/sessions/export with a file of all sessions
// that match. A failure before the first byte is answered with a problem. A later
// failure breaks the transfer off, so that no caller takes the part for the whole.
// The audit event is written before the transfer ends, so every complete file has
// one.
func (a *api) export(c *gin.Context) error {
	in, err := a.input(c)
	if err != nil {
		return err
	}
	req, err := params.Export(in)
	if err != nil {
		return err
	}
	state := stateFrom(c)
	e := &exportRun{principal: state.principal, req: req, started: time.Now()}
	err = a.step(c.Request.Context(), "export", &state.timings.search, func(ctx context.Context) error {
		defer e.describe(trace.SpanFromContext(ctx))
		return a.runExport(ctx, c, e)
	}, attribute.String("scopegate.export.format", string(req.File.Format)), attribute.Bool("scopegate.export.zip", req.File.Zip))
	if c.Request.Method != http.MethodHead {
		err = a.recordExport(c.Request.Context(), e, err)
	}
	// The recheck has removed the server's deadline. What is still to be written, a
	// problem or the trailers, needs one.
	_ = newResponseController(c.Writer).SetWriteDeadline(time.Now().Add(a.exports.StallTimeout))
	switch {
	case err == nil:
		return nil
	case !c.Writer.Written():
		return err
	}
	a.recordFailure(c.Request.Context(), state, err)
	panic(http.ErrAbortHandler)
}

// describe adds the result of the export to the span.
func (e *exportRun) describe(span trace.Span) {
	span.SetAttributes(attribute.Int64("scopegate.rows", e.rows), attribute.Int64("scopegate.export.bytes", e.bytes),
		attribute.Int64("scopegate.export.total", e.total))
}

func (a *api) runExport(ctx context.Context, c *gin.Context, e *exportRun) error {
	switch {
	case a.snapshots == nil:
		return errNoExports
	case !c.Request.ProtoAtLeast(1, 1):
		return errOldProtocol
	}
	var err error
	e.scope, err = a.resolve(ctx, stateFrom(c), func() (tenancy.Scope, error) {
		return a.directory.Resolve(e.principal, e.req.Selection)
	})
	if err != nil {
		return err
	}
	release, ok := a.slots.Acquire(e.principal.Account(), e.principal.Company())
	if !ok {
		a.meters.overLimit(ctx, limitExports)
		return errExportsBusy
	}
	defer release()
	a.meters.exportsActive.Add(ctx, 1)
	defer a.meters.exportsActive.Add(ctx, -1)
	ctx, recheck, stop := a.startRecheck(ctx, c, e)
	defer stop()
	snapshot, err := a.openSnapshot(ctx, e)
	if err != nil {
		return endCause(ctx, err)
	}
	// A snapshot that fails to close ends by itself; the rows are not affected.
	defer snapshot.Close() //nolint:errcheck // see above
	return a.writeExport(ctx, c, e, recheck, snapshot)
}

// endCause replaces the error by the cause of the context's end, if it has ended: the
// error that an engine makes of it says less.
func endCause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// openSnapshot opens the snapshot and counts, within the time of an ordinary request.
func (a *api) openSnapshot(ctx context.Context, e *exportRun) (search.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	snapshot, err := a.snapshots.Snapshot(ctx, e.scope, e.req.Query)
	switch {
	case errors.Is(err, search.ErrInvalidPosition):
		return nil, fmt.Errorf("%w: %w", err, startFault(e.req.SearchRequest))
	case errors.Is(err, search.ErrTooManyClients):
		return nil, tooManyClients()
	case err != nil:
		return nil, err
	}
	e.total = snapshot.Count()
	if err := a.checkRowCap(e); err != nil {
		return nil, errors.Join(err, snapshot.Close())
	}
	return snapshot, nil
}

// checkRowCap refuses an export of too many rows, before any row is read.
func (a *api) checkRowCap(e *exportRun) error {
	limit := a.exports.MaxRows
	requested := int64(e.req.Query.Limit)
	if requested > limit {
		return params.Faults{{Parameter: "limit", Message: fmt.Sprintf("must be from 1 to %d here", limit)}}
	}
	if requested > 0 || e.total-int64(e.req.Query.Offset) <= limit {
		return nil
	}
	return params.Faults{{Parameter: "limit", Message: fmt.Sprintf(
		"is needed: %d sessions match, and an export has at most %d rows; narrow it by from and to, by companyId or by another filter, or give a limit", e.total, limit)}}
}

// writeExport streams the file. The headers are sent with the first byte: until then
// a failure can be answered with a problem.
func (a *api) writeExport(ctx context.Context, c *gin.Context, e *exportRun, r *recheck, snapshot search.Snapshot) error {
	out := a.newExportStream(ctx, c, e, r)
	if c.Request.Method == http.MethodHead {
		out.start()
		return nil
	}
	o := fileForm(e.req.File).options(e.req.Query.Fields, e.started)
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

// copyRows writes all rows of the snapshot. The scope of each row is checked, as for
// other answers.
func (a *api) copyRows(ctx context.Context, e *exportRun, snapshot search.Snapshot, file export.Writer, out *exportStream) error {
	for {
		rows, err := snapshot.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err = endCause(ctx, err); err == nil {
			// SECURITY: the last check before rows leave; see api.ask.
			err = errors.Join(out.recheck.check(time.Now()), search.CheckRows(e.scope, rows))
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
	if !e.complete() {
		return errExportShort
	}
	if err := file.Finish(); err != nil {
		return err
	}
	return out.finish()
}

// complete reports whether as many rows were read as were counted. After a position
// there may be fewer, since the count is that of the whole search.
func (e *exportRun) complete() bool {
	q := e.req.Query
	want := max(e.total-int64(q.Offset), 0)
	if q.Limit > 0 {
		want = min(want, int64(q.Limit))
	}
	return e.rows == want || q.After != nil && e.rows < want
}

// end sets the trailers, which only a complete file has.
func (s *exportStream) end(e *exportRun) {
	h := s.to.Header()
	h.Set(headerRows, strconv.FormatInt(e.rows, 10))
	if e.req.File.Format == export.XLSX {
		h.Set(headerCut, strconv.FormatInt(e.cut, 10))
	}
}

// describeExport sets the headers of the file.
func describeExport(h http.Header, e *exportRun) {
	fileForm(e.req.File).describe(h, e.started)
	h.Set(headerTotal, strconv.FormatInt(e.total, 10))
	h.Add("Trailer", headerRows)
	if e.req.File.Format == export.XLSX {
		h.Add("Trailer", headerCut)
	}
}
