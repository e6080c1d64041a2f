package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
)

// flowChunk is what a reader has StallTimeout for: as little as keeps a fast one
// from waiting.
const flowChunk = 32 << 10

// flow takes an export's file to its reader.
type flow struct {
	to      gin.ResponseWriter
	control *http.ResponseController
	begin   func() // sets the headers; nil once they have been
	watch   *watch
	stall   time.Duration
	gzip    *gzip.Writer // nil: the file leaves as it is
	written int64        // bytes of the file
	ctx     func() error // why the work has ended, nil as long as it has not
}

func (a *api) newFlow(ctx context.Context, c *gin.Context, e *exporting) *flow {
	f := &flow{
		to: c.Writer, control: controlOf(c.Writer), stall: a.exports.StallTimeout,
		watch: a.newWatch(e), ctx: func() error { return context.Cause(ctx) },
	}
	h := c.Writer.Header()
	pack := !e.req.File.packed() && acceptsGzip(c.Request.Header.Values("Accept-Encoding"))
	f.begin = func() {
		describeExport(h, e)
		addVary(h, "Accept-Encoding")
		if pack {
			h.Set("Content-Encoding", "gzip")
		}
		c.Status(http.StatusOK)
	}
	// The server has a time for reading a request, at whose end it would take the
	// reader for gone. One that has none cannot be told so.
	_ = f.control.SetReadDeadline(time.Time{})
	if pack {
		f.gzip, _ = gzip.NewWriterLevel(wire{f}, gzip.BestSpeed) // the level exists
	}
	return f
}

// controlOf controls the connection below Gin, whose own Flush tells of no error.
func controlOf(w http.ResponseWriter) *http.ResponseController {
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = wrapper.Unwrap()
	}
	return http.NewResponseController(w)
}

// start sets the headers.
func (f *flow) start() {
	if f.begin == nil {
		return
	}
	f.begin()
	f.begin = nil
}

// Write implements io.Writer: it takes bytes of the file.
func (f *flow) Write(b []byte) (int, error) {
	f.start()
	f.written += int64(len(b))
	if f.gzip != nil {
		return f.gzip.Write(b)
	}
	return wire{f}.Write(b)
}

// flush sends what is on its way; without a byte so far it does nothing.
func (f *flow) flush() error {
	if f.begin != nil {
		return nil
	}
	if f.gzip != nil {
		if err := f.gzip.Flush(); err != nil {
			return err
		}
	}
	return f.sent(f.control.Flush())
}

// finish sends all there is, the headers of an empty file too.
func (f *flow) finish() error {
	f.start()
	if f.gzip != nil {
		if err := f.gzip.Close(); err != nil {
			return err
		}
	}
	_ = f.control.SetWriteDeadline(time.Now().Add(f.stall))
	f.to.WriteHeaderNow()
	return f.sent(f.control.Flush())
}

// sent is what an error of the connection means.
func (f *flow) sent(err error) error {
	switch {
	case err == nil, errors.Is(err, http.ErrNotSupported):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errReaderTooSlow
	case f.ctx() != nil:
		return f.ctx()
	}
	return fmt.Errorf("%w: %w", errReaderGone, err)
}

// wire writes to the connection, in pieces of which each has its time.
type wire struct{ f *flow }

// Write implements io.Writer.
func (w wire) Write(b []byte) (int, error) {
	total := 0
	for len(b) > 0 {
		now := time.Now()
		if err := errors.Join(w.f.ctx(), w.f.watch.check(now)); err != nil {
			return total, err
		}
		_ = w.f.control.SetWriteDeadline(now.Add(w.f.stall)) // what has none waits for nobody
		n, err := w.f.to.Write(b[:min(len(b), flowChunk)])
		total += n
		if err := w.f.sent(err); err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
}
