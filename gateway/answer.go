package gateway

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/search"
)

// answer is what a handler has to say.
type answer struct {
	body []byte // JSON
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
func (a answer) validated() []byte {
	if a.stands != nil {
		return a.stands
	}
	return a.body
}

// encoded is an answer ready to be sent.
type encoded struct {
	answer
	etag    string
	known   bool   // the caller has it already
	gzipped []byte // nil: send it plain
}

// reply encodes an answer, in a span, and sends it.
func (a *api) reply(c *gin.Context, to answer) error {
	x := exchangeOf(c)
	var ready encoded
	err := a.step(c.Request.Context(), "encode", &x.timings.encode, func(context.Context) error {
		ready = a.encode(c.Request, to)
		return nil
	})
	if err != nil {
		return err
	}
	return send(c, ready)
}

// encode finds the answer's validator and, unless the caller has it already,
// its coding.
func (a *api) encode(r *http.Request, to answer) encoded {
	e := encoded{answer: to, etag: etagOf(to.validated(), to.position)}
	e.known = matchesETag(r.Header.Values("If-None-Match"), e.etag)
	if !e.known && len(to.body) >= minGzipBytes && (to.file == nil || !to.file.packed()) && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		e.gzipped = a.compressors.compress(to.body)
	}
	return e
}

// send writes the answer. A 304 has the headers that its 200 would have (RFC
// 9110, section 15.4.5), so that a stored answer gets its new Link and Age.
//
// A search by POST is answered with 304 as well: it only reads, and its callers
// page and poll like those of GET; the 412 that RFC 9110 has for other methods
// is there to stop a write.
func send(c *gin.Context, e encoded) error {
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
		return nil
	}
	maps.Copy(h, e.header)
	body := e.body
	if e.gzipped != nil {
		h.Set("Content-Encoding", "gzip")
		body = e.gzipped
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	if e.file != nil {
		e.file.describe(h, exchangeOf(c).started)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Status(http.StatusOK)
	corkAnswer(c.Request, len(body))
	_, _ = c.Writer.Write(body) // a caller that is gone is no concern of ours
	return nil
}

// searchBody puts the answer together from the rows' bytes as they are: they
// are in wire form, so nothing is decoded or encoded. What was not asked for is
// absent.
func searchBody(q search.Query, r search.Result) []byte {
	size := len(`{"count":,"items":[]}`) + 20
	for _, row := range r.Page.Rows {
		size += len(row.JSON) + 1
	}
	b := append(make([]byte, 0, size), '{')
	if !q.WithoutCount {
		b = strconv.AppendInt(append(b, `"count":`...), r.Count.Total, 10)
	}
	if q.WithoutItems {
		return append(b, '}')
	}
	if !q.WithoutCount {
		b = append(b, ',')
	}
	b = append(b, `"items":[`...)
	for i, row := range r.Page.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, row.JSON...)
	}
	return append(b, "]}"...)
}
