package gateway

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/search"
)

const (
	// writeChunk is the largest number of bytes in one write. A write that returns
	// shows that the reader makes progress.
	writeChunk = 32 << 10
	// socketBufferBytes of an answer over HTTP/1.1 are buffered by the system: such a
	// write does not wait for the reader.
	socketBufferBytes = 16 << 10
	// DefaultStallTimeout is how long one write may wait for the reader.
	DefaultStallTimeout = 10 * time.Second
	// minRate, in bytes a second, and sendTime bound the time of a whole answer, which
	// is sendTime and size/minRate. Otherwise a reader that takes a byte now and then
	// would hold the answer for hours.
	minRate  = 16 << 10
	sendTime = 30 * time.Second
)

// content is the body of an answer: head, rows and tail. The rows' bytes are shared
// with the cache and with other callers of the same page. A large page is copied
// piece by piece while it is written, never as a whole.
type content struct {
	head []byte
	rows []search.Row // with commas between
	tail []byte
}

// newContent makes a content of one piece.
func newContent(b []byte) content { return content{head: b} }

// size returns the length in bytes.
func (b content) size() int {
	n := len(b.head) + len(b.tail) + max(0, len(b.rows)-1)
	for _, row := range b.rows {
		n += len(row.JSON)
	}
	return n
}

// comma separates rows. It is a variable so that it is allocated once.
var comma = []byte{','}

// pieces yields the bytes in order, without copying them.
func (b content) pieces(yield func([]byte) bool) {
	if !yield(b.head) {
		return
	}
	for i, row := range b.rows {
		if i > 0 && !yield(comma) || !yield(row.JSON) {
			return
		}
	}
	yield(b.tail)
}

// writeTo writes all pieces.
func (b content) writeTo(w io.Writer) error {
	for piece := range b.pieces {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// joined returns the content in one piece. It copies unless there is just a head.
func (b content) joined() []byte {
	if b.rows == nil && b.tail == nil {
		return b.head
	}
	all := make([]byte, 0, b.size())
	for piece := range b.pieces {
		all = append(all, piece...)
	}
	return all
}

// largeContent is the size in bytes from which encoding an answer takes long enough
// to be bounded by encoders.
const largeContent = 128 << 10

// encoders bounds how many large answers are encoded at a time, so that many of them
// leave processors to all other requests.
type encoders chan struct{}

func newEncoders() encoders { return make(encoders, max(1, runtime.GOMAXPROCS(0)/2)) }

// run calls f; for a large answer it waits for its turn first. size is in bytes. The
// error is that of f, or the context's if it ends while waiting.
func (e encoders) run(ctx context.Context, size int, f func() error) error {
	if size < largeContent {
		return f()
	}
	select {
	case e <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e }()
	return f()
}

// writerPool keeps buffered writers for large contents.
type writerPool struct{ pool sync.Pool }

func (p *writerPool) get(to io.Writer) *bufio.Writer {
	if w, ok := p.pool.Get().(*bufio.Writer); ok {
		w.Reset(to)
		return w
	}
	return bufio.NewWriterSize(to, writeChunk)
}

func (p *writerPool) put(w *bufio.Writer) {
	w.Reset(nil) // so that the pool keeps no connection alive
	p.pool.Put(w)
}

// write sends a body whose headers are set. A reader that takes nothing for the
// stall timeout, or takes too long in all, is cut off. Other errors mean that the
// reader has gone, and are not recorded.
func (a *api) write(c *gin.Context, body content) {
	size := body.size()
	to := &deadlineWriter{to: c.Writer, stall: a.stall}
	if c.Request.ProtoMajor > 1 || size > socketBufferBytes {
		to.control = newResponseController(c.Writer)
		to.end = time.Now().Add(sendTime + time.Duration(size)*time.Second/minRate)
	}
	httpserver.CorkAnswer(c.Request, size)
	var err error
	if size <= writeChunk {
		_, err = to.Write(body.joined())
	} else {
		httpserver.BoundUnsent(httpserver.Connection(c.Request))
		err = a.writeChunks(to, body)
	}
	if err != nil && to.timedOut() {
		stateFrom(c).failure = codeReaderTooSlow
		a.meters.stalled.Add(c.Request.Context(), 1)
	}
}

func (a *api) writeChunks(to io.Writer, body content) error {
	buffer := a.writers.get(to)
	defer a.writers.put(buffer)
	if err := body.writeTo(buffer); err != nil {
		return err
	}
	return buffer.Flush()
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

// deadlineWriter gives each write of a chunk its own deadline.
type deadlineWriter struct {
	to       io.Writer
	control  *http.ResponseController // nil: no deadlines, since no write waits
	stall    time.Duration            // longest time of a write
	end      time.Time                // latest deadline of all writes
	deadline time.Time                // of the last write
}

// Write implements io.Writer.
func (w *deadlineWriter) Write(p []byte) (written int, err error) {
	if w.control == nil {
		return w.to.Write(p)
	}
	for {
		w.deadline = time.Now().Add(w.stall)
		if w.deadline.After(w.end) {
			w.deadline = w.end
		}
		_ = w.control.SetWriteDeadline(w.deadline) // without support for deadlines the write just waits
		n, err := w.to.Write(p[:min(len(p), writeChunk)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// timedOut reports whether the deadline of the last write has passed.
func (w *deadlineWriter) timedOut() bool {
	return w.control != nil && !time.Now().Before(w.deadline)
}

// minGzipBytes is the size from which a body is compressed. A shorter one fits a
// packet without compression too.
const minGzipBytes = 1 << 10

// compressors keeps gzip writers and buffers: a new gzip writer takes much memory.
type compressors struct {
	pool    sync.Pool // of *gzip.Writer
	buffers sync.Pool // of *bytes.Buffer
}

// compress returns the body compressed. It favours speed over size: the best
// compression would take longer than the search.
func (p *compressors) compress(body content) []byte {
	w, ok := p.pool.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level exists
	}
	defer p.pool.Put(w)
	b, ok := p.buffers.Get().(*bytes.Buffer)
	if !ok {
		b = &bytes.Buffer{}
	}
	defer p.buffers.Put(b)
	b.Reset()
	w.Reset(b)
	_ = body.writeTo(w) // a bytes.Buffer does not fail
	_ = w.Close()
	w.Reset(io.Discard)           // so that the pool keeps no answer alive
	return bytes.Clone(b.Bytes()) // without spare capacity, since it may be held for long
}

// acceptsGzip reports whether Accept-Encoding (RFC 9110, section 12.5.3) prefers
// gzip to no coding at all.
func acceptsGzip(header []string) bool {
	gzipQ, anyQ, plainQ := -1.0, -1.0, 0.0
	for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
		coding, q := codingQuality(item)
		switch coding {
		case "gzip", "x-gzip":
			gzipQ = max(gzipQ, q)
		case "*":
			anyQ = q
		case "identity":
			plainQ = q
		}
	}
	if gzipQ < 0 {
		gzipQ = anyQ
	}
	return gzipQ > 0 && gzipQ >= plainQ
}

// codingQuality reads one item of Accept-Encoding. An invalid weight counts as 0.
func codingQuality(item string) (coding string, q float64) {
	coding, params, _ := strings.Cut(item, ";")
	coding = strings.ToLower(strings.TrimSpace(coding))
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return coding, 0
		}
		return coding, q
	}
	return coding, 1
}
