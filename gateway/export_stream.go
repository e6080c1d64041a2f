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

func (a *api) newExportStream(ctx context.Context, c *gin.Context, e *exportRun, r *recheck) *exportStream {
	s := &exportStream{ctx: ctx, to: c.Writer, control: newResponseController(c.Writer), recheck: r, chunk: streamChunk, pace: newPace(a.exports.StallTimeout)}
	if c.Request.ProtoMajor > 1 {
		s.chunk = streamChunkHTTP2
	}
	h := c.Writer.Header()
	pack := !fileForm(e.req.File).packed() && acceptsGzip(c.Request.Header.Values("Accept-Encoding"))
	s.setHeaders = func() {
		httpserver.BoundUnsent(r.conn)
		describeExport(h, e)
		addVary(h, "Accept-Encoding")
		if pack {
			h.Set("Content-Encoding", "gzip")
		}
		c.Status(http.StatusOK)
	}
	if pack {
		s.gzip, _ = gzip.NewWriterLevel(chunkWriter{s}, gzip.BestSpeed) // the level exists
	}
	return s
}

// start sets the headers, once.
func (s *exportStream) start() {
	if s.setHeaders == nil {
		return
	}
	s.setHeaders()
	s.setHeaders = nil
}

// Write implements io.Writer for the bytes of the file.
func (s *exportStream) Write(b []byte) (int, error) {
	s.start()
	s.written += int64(len(b))
	if s.gzip != nil {
		return s.gzip.Write(b)
	}
	return chunkWriter{s}.Write(b)
}

// flush sends what is buffered. Before the first byte it does nothing.
func (s *exportStream) flush() error {
	if s.setHeaders != nil {
		return nil
	}
	if s.gzip != nil {
		if err := s.gzip.Flush(); err != nil {
			return err
		}
	}
	return s.send(s.control.Flush)
}

// finish sends all that is left; the headers too if the file is empty.
func (s *exportStream) finish() error {
	s.start()
	if s.gzip != nil {
		if err := s.gzip.Close(); err != nil {
			return err
		}
	}
	return s.send(func() error {
		s.to.WriteHeaderNow()
		return s.control.Flush()
	})
}

// send runs a write to the connection. Its error is the cause of the context's end,
// or wraps errReaderGone.
func (s *exportStream) send(write func() error) error {
	err := s.recheck.write(s.ctx, write)
	switch {
	case err == nil, errors.Is(err, http.ErrNotSupported):
		return nil
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	}
	return fmt.Errorf("%w: %w", errReaderGone, err)
}

// chunkWriter writes to the connection in chunks. It rechecks the export before each,
// and paces a reader that was waited for.
type chunkWriter struct{ stream *exportStream }

// Write implements io.Writer.
func (w chunkWriter) Write(b []byte) (int, error) {
	total := 0
	for len(b) > 0 {
		if err := w.stream.recheck.check(time.Now()); err != nil {
			return total, err
		}
		n, started := 0, time.Now()
		err := w.stream.send(func() (err error) {
			n, err = w.stream.to.Write(b[:min(len(b), w.stream.chunk)])
			return err
		})
		total += n
		if err == nil {
			err = w.stream.pace.pause(w.stream.ctx, time.Since(started))
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
