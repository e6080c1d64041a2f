package gateway

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

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
