package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"

	"github.com/scopegate/scopegate/search"
)

// answer is what a handler has to say.
type answer struct {
	body content // JSON, unless it is a file
	// parts says who answered a search; nil: it was none.
	parts []part
	// next is the target of Link rel="next", "" at the end; position is the
	// place that it stands for.
	next     string
	position search.Position
	// file, when it is a download, describes itself in headers; header are
	// others that are its own.
	file   *fileForm
	header http.Header
	// stands is what a file's validator stands for: what is in it, in the form
	// asked for. Archives hold the time that they were made at.
	stands []byte
}

// validated is what the answer's validator stands for.
func (a answer) validated() content {
	if a.stands != nil {
		return whole(a.stands)
	}
	return a.body
}

// encoded is an answer ready to be sent.
type encoded struct {
	answer
	etag    string
	known   bool // the caller has it already
	gzipped bool // so is the body
}

// reply encodes an answer and sends it.
func (a *api) reply(c *gin.Context, to answer) error {
	return a.respond(c, to.body.size(), func() (encoded, error) { return a.encode(c.Request, to), nil })
}

// respond has an answer of about so many bytes encoded, in a span with the
// attributes, and sends it.
func (a *api) respond(c *gin.Context, size int, encode func() (encoded, error), attributes ...attribute.KeyValue) error {
	bytes, err := a.hold(c, int64(size))
	if err != nil {
		return err
	}
	defer bytes.giveBack()
	var ready encoded
	err = a.step(c.Request.Context(), "encode", &exchangeOf(c).timings.encode, func(ctx context.Context) error {
		return a.encoders.use(ctx, size, func() (err error) {
			ready, err = encode()
			return err
		})
	}, attributes...)
	if err != nil {
		return err
	}
	bytes.resize(int64(ready.body.size()))
	a.send(c, ready)
	return nil
}

// hold counts bytes that the request's account has in flight.
func (a *api) hold(c *gin.Context, bytes int64) (held, error) {
	h, err := a.inFlight.take(exchangeOf(c).principal.Account(), bytes)
	switch {
	case errors.Is(err, errAccountInFlight):
		a.meters.overLimit(c.Request.Context(), limitAccountInFlight)
	case err != nil:
		a.meters.overLimit(c.Request.Context(), limitInFlight)
	}
	return h, err
}

// encode finds the answer's validator and, unless the caller has it already,
// its coding.
func (a *api) encode(r *http.Request, to answer) encoded {
	e := encoded{answer: to, etag: etagOf(to.validated(), to.position)}
	e.stands = nil // nothing else needs it
	e.known = matchesETag(r.Header.Values("If-None-Match"), e.etag)
	switch {
	case e.known:
		e.body = content{} // a 304 has none
	case (to.file == nil || !to.file.packed()) && acceptsGzip(r.Header.Values("Accept-Encoding")) && to.body.size() >= minGzipBytes:
		e.body, e.gzipped = whole(a.compressors.compress(to.body)), true
	}
	return e
}

// send writes the answer. A 304 has the headers that its 200 would have (RFC
// 9110, section 15.4.5), so that a stored answer gets its new Link and Age.
//
// A search by POST is answered with 304 as well: it only reads, and its callers
// page and poll like those of GET; the 412 that RFC 9110 has for other methods
// is there to stop a write.
func (a *api) send(c *gin.Context, e encoded) {
	h := c.Writer.Header()
	h.Set("ETag", e.etag)
	addVary(h, "Accept-Encoding")
	if e.next != "" {
		h.Set("Link", "<"+e.next+`>; rel="next"`)
	}
	if e.parts != nil {
		h.Set("Cache-Status", cacheStatus(e.parts))
		h.Set("Server-Timing", exchangeOf(c).timings.String())
		if age, ok := ageOf(e.parts, time.Now()); ok {
			h.Set("Age", strconv.Itoa(age))
		}
	}
	if e.known {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	maps.Copy(h, e.header)
	if e.gzipped {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	if e.file != nil {
		e.file.describe(h, exchangeOf(c).started)
	}
	h.Set("Content-Length", strconv.Itoa(e.body.size()))
	c.Status(http.StatusOK)
	a.write(c, e.body)
}

// searchBody puts the answer together from the rows' bytes as they are: they
// are in wire form, so nothing is decoded or encoded. What was not asked for is
// absent.
func searchBody(q search.Query, r search.Result) content {
	b := append(make([]byte, 0, len(`{"count":,"items":[`)+20), '{')
	if !q.WithoutCount {
		b = strconv.AppendInt(append(b, `"count":`...), r.Count.Total, 10)
	}
	if q.WithoutItems {
		return whole(append(b, '}'))
	}
	if !q.WithoutCount {
		b = append(b, ',')
	}
	return content{head: append(b, `"items":[`...), rows: r.Page.Rows, tail: []byte("]}")}
}
