package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"github.com/scopegate/scopegate/gateway/httpserver"
)

// Sizes of the writes to a connection, in bytes. Writes are small, since a write that
// returns is the measure of a reader's progress. Over HTTP/1.1 each costs a system
// call; over HTTP/2 the server splits longer ones into pieces of this size anyway.
const (
	streamChunk      = 16 << 10
	streamChunkHTTP2 = 4 << 10
)

// exportStream writes an export's file to the connection: it sets the headers before
// the first byte, compresses if the caller accepts that, and waits for the reader.
type exportStream struct {
	ctx        context.Context //nolint:containedctx // of the export: io.Writer takes no context
	to         gin.ResponseWriter
	control    *http.ResponseController
	setHeaders func() // nil once it was called
	recheck    *recheck
	chunk      int
	pace       pace
	gzip       *gzip.Writer // nil: no content coding
	written    int64        // bytes of the file
}

func (a *api) newExportStream(ctx context.Context, c *gin.Context, e *exportRun, w *recheck) *exportStream {
	f := &exportStream{ctx: ctx, to: c.Writer, control: newResponseController(c.Writer), recheck: w, chunk: streamChunk, pace: newPace(a.exports.StallTimeout)}
	if c.Request.ProtoMajor > 1 {
		f.chunk = streamChunkHTTP2
	}
	h := c.Writer.Header()
	pack := !fileForm(e.req.File).packed() && acceptsGzip(c.Request.Header.Values("Accept-Encoding"))
	f.setHeaders = func() {
		httpserver.BoundUnsent(w.conn)
		describeExport(h, e)
		addVary(h, "Accept-Encoding")
		if pack {
			h.Set("Content-Encoding", "gzip")
		}
		c.Status(http.StatusOK)
	}
	if pack {
		f.gzip, _ = gzip.NewWriterLevel(chunkWriter{f}, gzip.BestSpeed) // the level exists
	}
	return f
}

// newResponseController controls the server's own writer: Gin's Flush returns no
// error.
func newResponseController(w http.ResponseWriter) *http.ResponseController {
	return http.NewResponseController(unwrapped(w))
}

// unwrapped returns the server's writer, which Gin's wraps.
func unwrapped(w http.ResponseWriter) http.ResponseWriter {
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return wrapper.Unwrap()
	}
	return w
}

// start sets the headers, once.
func (f *exportStream) start() {
	if f.setHeaders == nil {
		return
	}
	f.setHeaders()
	f.setHeaders = nil
}

// Write implements io.Writer for the bytes of the file.
func (f *exportStream) Write(b []byte) (int, error) {
	f.start()
	f.written += int64(len(b))
	if f.gzip != nil {
		return f.gzip.Write(b)
	}
	return chunkWriter{f}.Write(b)
}

// flush sends what is buffered. Before the first byte it does nothing.
func (f *exportStream) flush() error {
	if f.setHeaders != nil {
		return nil
	}
	if f.gzip != nil {
		if err := f.gzip.Flush(); err != nil {
			return err
		}
	}
	return f.send(f.control.Flush)
}

// finish sends all that is left; the headers too if the file is empty.
func (f *exportStream) finish() error {
	f.start()
	if f.gzip != nil {
		if err := f.gzip.Close(); err != nil {
			return err
		}
	}
	return f.send(func() error {
		f.to.WriteHeaderNow()
		return f.control.Flush()
	})
}

// send runs a write to the connection. Its error is the cause of the context's end,
// or wraps errReaderGone.
func (f *exportStream) send(write func() error) error {
	err := f.recheck.write(f.ctx, write)
	switch {
	case err == nil, errors.Is(err, http.ErrNotSupported):
		return nil
	case f.ctx.Err() != nil:
		return context.Cause(f.ctx)
	}
	return fmt.Errorf("%w: %w", errReaderGone, err)
}

// chunkWriter writes to the connection in chunks. It rechecks the export before each,
// and paces a reader that was waited for.
type chunkWriter struct{ f *exportStream }

// Write implements io.Writer.
func (w chunkWriter) Write(b []byte) (int, error) {
	total := 0
	for len(b) > 0 {
		if err := w.f.recheck.check(time.Now()); err != nil {
			return total, err
		}
		n, started := 0, time.Now()
		err := w.f.send(func() (err error) {
			n, err = w.f.to.Write(b[:min(len(b), w.f.chunk)])
			return err
		})
		total += n
		if err == nil {
			err = w.f.pace.pause(w.f.ctx, time.Since(started))
		}
		if err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
}

// pace adds pauses between the chunks for a slow reader. A pause becomes shorter with
// each chunk that the reader takes in time.
//
// Programs that limit their own rate read all that is there, which may be megabytes,
// and then nothing until they are within their rate again (curl --limit-rate: a
// hundred reads at once). With pauses they read evenly, and do not look as if they
// had stopped.
type pace struct {
	slow time.Duration // a longer write means that the reader is slow
	gap  time.Duration // the next pause; 0: none
}

const maxGap = 64 * time.Millisecond

func newPace(stall time.Duration) pace { return pace{slow: min(time.Second, stall/4)} }

// pause waits after a write of that duration, if a pause is due. Its error is the
// cause of the context's end.
func (p *pace) pause(ctx context.Context, took time.Duration) error {
	switch {
	case took > p.slow:
		p.gap = maxGap
	case p.gap < time.Millisecond:
		p.gap = 0
		return nil
	}
	timer := time.NewTimer(p.gap)
	defer timer.Stop()
	p.gap -= p.gap / 8
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
