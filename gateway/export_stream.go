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

// A write to the connection that has ended is what a reader's progress is
// measured by, so writes are small. Over HTTP/1.1 each costs a system call; over
// HTTP/2 the server cuts what it is given to these pieces anyway.
const (
	streamChunk      = 16 << 10
	streamChunkHTTP2 = 4 << 10
)

// exportStream takes an export's file to its reader.
type exportStream struct {
	ctx     context.Context //nolint:containedctx // of the export: io.Writer has no place for it
	to      gin.ResponseWriter
	control *http.ResponseController
	begin   func() // sets the headers; nil once they have been
	recheck *recheck
	chunk   int
	pace    pace
	gzip    *gzip.Writer // nil: the file leaves as it is
	written int64        // bytes of the file
}

func (a *api) newExportStream(ctx context.Context, c *gin.Context, e *exportRun, w *recheck) *exportStream {
	f := &exportStream{ctx: ctx, to: c.Writer, control: newResponseController(c.Writer), recheck: w, chunk: streamChunk, pace: newPace(a.exports.StallTimeout)}
	if c.Request.ProtoMajor > 1 {
		f.chunk = streamChunkHTTP2
	}
	h := c.Writer.Header()
	pack := !fileForm(e.req.File).packed() && acceptsGzip(c.Request.Header.Values("Accept-Encoding"))
	f.begin = func() {
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

// newResponseController controls the connection below Gin, whose own Flush tells of no error.
func newResponseController(w http.ResponseWriter) *http.ResponseController {
	return http.NewResponseController(unwrapped(w))
}

// unwrapped is the server's own writer below Gin's.
func unwrapped(w http.ResponseWriter) http.ResponseWriter {
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return wrapper.Unwrap()
	}
	return w
}

// start sets the headers.
func (f *exportStream) start() {
	if f.begin == nil {
		return
	}
	f.begin()
	f.begin = nil
}

// Write implements io.Writer: it takes bytes of the file.
func (f *exportStream) Write(b []byte) (int, error) {
	f.start()
	f.written += int64(len(b))
	if f.gzip != nil {
		return f.gzip.Write(b)
	}
	return chunkWriter{f}.Write(b)
}

// flush sends what is on its way; without a byte so far it does nothing.
func (f *exportStream) flush() error {
	if f.begin != nil {
		return nil
	}
	if f.gzip != nil {
		if err := f.gzip.Flush(); err != nil {
			return err
		}
	}
	return f.send(f.control.Flush)
}

// finish sends all there is, the headers of an empty file too.
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

// send runs a write to the connection, and tells what its error means.
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

// chunkWriter writes to the connection, in pieces of which each is progress.
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

// pace gives a reader that had to be waited for what follows in pieces, with
// pauses between them that become shorter as long as it keeps up. Programs that
// limit their own rate take all there is, which may be megabytes, and then nothing
// until they have made up for it (curl --limit-rate: a hundred reads at once). In
// pieces they take it evenly, and are not mistaken for ones that have stopped.
type pace struct {
	slow time.Duration // a write that took so long was waited for
	gap  time.Duration
}

const maxGap = 64 * time.Millisecond

func newPace(stall time.Duration) pace { return pace{slow: min(time.Second, stall/4)} }

// pause waits as long as is due behind a write that took so long.
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
