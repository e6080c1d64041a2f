package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
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
	err = a.step(c.Request.Context(), "encode", &stateFrom(c).timings.encode, func(ctx context.Context) error {
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
	h, err := a.inFlight.take(stateFrom(c).principal.Account(), bytes)
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
		h.Set("Server-Timing", stateFrom(c).timings.String())
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
		e.file.describe(h, stateFrom(c).started)
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

// etagOf is the validator of an answer: weak, since it stands for the plain and
// the compressed bytes alike. It covers the position behind the page too, which
// Link carries; Link itself is sealed anew for each answer.
func etagOf(body content, position search.Position) string {
	hash := sha256.New()
	_ = body.writeTo(hash) // a hash does not fail
	for _, value := range position.Values {
		hash.Write([]byte{0})
		hash.Write(value)
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
}

// sameTag reports whether what a caller has between the quotes is the tag, or the
// tag with the names of codings behind it. Proxies that compress put them there
// (Apache "-gzip", Jetty "--gzip", others ";gzip"), more than one where they are
// in a row, and do not all take them off again.
func sameTag(sent, want string) bool {
	rest, ok := strings.CutPrefix(sent, want)
	for ok && rest != "" {
		name := strings.TrimLeft(rest, "-;:")
		if name == rest {
			return false
		}
		end := strings.IndexAny(name, "-;:")
		if end < 0 {
			end = len(name)
		}
		switch strings.ToLower(name[:end]) {
		case "gzip", "br", "zstd", "deflate", "compress":
			rest = name[end:]
		default:
			return false
		}
	}
	return ok
}

// matchesETag reports whether If-None-Match (RFC 9110, section 13.1.2) names the
// tag, by weak comparison. What is no entity tag ends the list.
func matchesETag(header []string, etag string) bool {
	rest := strings.Join(header, ",")
	want := strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "*" {
			return true
		}
		tag := strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(tag, `"`) {
			return false
		}
		end := strings.IndexByte(tag[1:], '"')
		if end < 0 {
			return false
		}
		if sameTag(tag[1:end+1], want) {
			return true
		}
		rest = tag[end+2:]
	}
}
