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
	// writeChunk is how many bytes are written at a time of what has more. Each
	// write is progress of the reader's.
	writeChunk = 32 << 10
	// socketBufferBytes is what the system takes of an answer over HTTP/1.1 without
	// waiting for its reader.
	socketBufferBytes = 16 << 10
	// DefaultStallTimeout is how long a reader may take for what was written last.
	DefaultStallTimeout = 10 * time.Second
	// minRate, in bytes a second, and sendTime are what the whole of an answer
	// may take at most: a reader that takes a little now and then would hold it for
	// hours.
	minRate  = 16 << 10
	sendTime = 30 * time.Second
)

// content is the body of an answer: bytes, or the rows of a page between two
// others. The rows' bytes are those that the cache, and with it every caller of
// the same page, holds: a large page is copied by pieces while it is written.
type content struct {
	head []byte
	rows []search.Row // with commas between
	tail []byte
}

// newContent is the content that is in one piece already.
func newContent(b []byte) content { return content{head: b} }

// size is in bytes.
func (b content) size() int {
	n := len(b.head) + len(b.tail) + max(0, len(b.rows)-1)
	for _, row := range b.rows {
		n += len(row.JSON)
	}
	return n
}

// comma stands between rows. It is made once, for every answer.
var comma = []byte{','}

// pieces are the bytes in order, as they are held.
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

// joined is the content in one piece.
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

// largeContent is from how many bytes on an answer takes a while to be encoded.
const largeContent = 128 << 10

// encoders bound how many large answers are encoded at a time, so that a flood of
// them leaves processors to all other requests.
type encoders chan struct{}

func newEncoders() encoders { return make(encoders, max(1, runtime.GOMAXPROCS(0)/2)) }

// run runs f, in its turn if the answer is large. The error is the context's, or
// f's.
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

// writerPool keeps the buffers in which large contents are gathered.
type writerPool struct{ pool sync.Pool }

func (p *writerPool) get(to io.Writer) *bufio.Writer {
	if w, ok := p.pool.Get().(*bufio.Writer); ok {
		w.Reset(to)
		return w
	}
	return bufio.NewWriterSize(to, writeChunk)
}

func (p *writerPool) put(w *bufio.Writer) {
	w.Reset(nil) // the pool is to keep no answer alive
	p.pool.Put(w)
}

// write sends a body whose headers are set. A reader that takes nothing for the
// stall timeout, or is too slow on the whole, is cut off; one that is gone is no
// concern of ours.
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

// deadlineWriter gives each piece that is written a deadline of its own.
type deadlineWriter struct {
	to       io.Writer
	control  *http.ResponseController // nil: there is nothing to wait for
	stall    time.Duration
	end      time.Time // of the whole
	deadline time.Time
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
		_ = w.control.SetWriteDeadline(w.deadline) // a server that has none waits
		n, err := w.to.Write(p[:min(len(p), writeChunk)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// timedOut reports whether the last piece was not taken in time.
func (w *deadlineWriter) timedOut() bool {
	return w.control != nil && !time.Now().Before(w.deadline)
}

// minGzipBytes is the shortest body worth compressing: a shorter one fits a
// packet either way.
const minGzipBytes = 1 << 10

// compressors keeps gzip writers, which are large to make.
type compressors struct {
	pool    sync.Pool // of *gzip.Writer
	buffers sync.Pool // of *bytes.Buffer
}

// compress favours speed: the listener is mostly near, and a page of the search
// answers in less than the best compression would take.
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
	w.Reset(io.Discard)           // the pool is to keep no answer alive
	return bytes.Clone(b.Bytes()) // no longer than it is: it may be held for long
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

// codingQuality reads one item of the list; a weight that is none makes it
// unwanted.
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
