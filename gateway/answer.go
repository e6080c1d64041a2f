package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"

	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
)

// answer is the result of a handler, before its validator and coding are known.
type answer struct {
	body content // JSON, unless it is a file
	// components says who answered count, page or summary; nil: not a search.
	components []component
	// next is the target of Link rel="next", "" on the last page; position is
	// where the next page starts.
	next     string
	position search.Position
	// file is the form of a download; nil: the answer is JSON. header has further
	// headers of the download.
	file   *fileForm
	header http.Header
	// etagSource are the bytes that the ETag is made from; nil: the body. The body
	// of an archive differs each time, since it holds the time it was made at.
	etagSource []byte
}

// encoded is an answer ready to be sent.
type encoded struct {
	answer
	etag    string
	known   bool // If-None-Match names the ETag: the answer is a 304
	gzipped bool // the body is compressed
}

// reply encodes an answer that is in memory, and sends it.
func (a *api) reply(c *gin.Context, to answer) error {
	return a.respond(c, to.body.size(), func() (encoded, error) { return a.encode(c.Request, to), nil })
}

// respond calls encode in a span with the attributes, and sends the result. size is
// that of the answer's body in bytes, about; it counts as in flight until the answer
// is sent.
func (a *api) respond(c *gin.Context, size int, encode func() (encoded, error), attributes ...attribute.KeyValue) error {
	bytes, err := a.hold(c, int64(size))
	if err != nil {
		return err
	}
	defer bytes.Release()
	var ready encoded
	err = a.step(c.Request.Context(), "encode", &stateFrom(c).timings.encode, func(ctx context.Context) error {
		return a.encoders.run(ctx, size, func() (err error) {
			ready, err = encode()
			return err
		})
	}, attributes...)
	if err != nil {
		return err
	}
	bytes.Resize(int64(ready.body.size()))
	a.send(c, ready)
	return nil
}

// hold counts bytes that the request's account has in flight. The caller releases
// them. Errors: limits.ErrAccountInFlight, ErrInFlight.
func (a *api) hold(c *gin.Context, bytes int64) (limits.Held, error) {
	h, err := a.inFlight.Acquire(stateFrom(c).principal.Account(), bytes)
	switch {
	case errors.Is(err, limits.ErrAccountInFlight):
		a.meters.overLimit(c.Request.Context(), limitAccountInFlight)
	case err != nil:
		a.meters.overLimit(c.Request.Context(), limitInFlight)
	}
	return h, err
}

// encode makes the answer's ETag and, unless the caller has that version already,
// compresses the body if the caller accepts that.
func (a *api) encode(r *http.Request, to answer) encoded {
	source := to.body
	if to.etagSource != nil {
		source = newContent(to.etagSource)
	}
	e := encoded{answer: to, etag: newETag(source, to.position)}
	e.etagSource = nil // so that it is not held while the answer is sent
	e.known = matchesETag(r.Header.Values("If-None-Match"), e.etag)
	switch {
	case e.known:
		e.body = content{} // a 304 has none
	case (to.file == nil || !to.file.packed()) && acceptsGzip(r.Header.Values("Accept-Encoding")) && to.body.size() >= minGzipBytes:
		e.body, e.gzipped = newContent(a.compressors.compress(to.body)), true
	}
	return e
}

// send writes the answer. A 304 has the headers that its 200 would have (RFC
// 9110, section 15.4.5), so that the caller's stored answer gets a new Link and Age.
//
// A search by POST is answered with 304 too. RFC 9110 has 412 for other methods, to
// stop a write; a search writes nothing, and its callers page and poll as those of
// GET do.
func (a *api) send(c *gin.Context, e encoded) {
	h := c.Writer.Header()
	h.Set("ETag", e.etag)
	addVary(h, "Accept-Encoding")
	if e.next != "" {
		h.Set("Link", "<"+e.next+`>; rel="next"`)
	}
	if e.components != nil {
		h.Set("Cache-Status", cacheStatus(e.components))
		h.Set("Server-Timing", stateFrom(c).timings.String())
		if age, ok := oldestAge(e.components, time.Now()); ok {
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

// searchBody is the JSON body of a search. Rows are in wire form, so their bytes
// are used as they are. What was not asked for is absent.
func searchBody(q search.Query, r search.Result) content {
	b := append(make([]byte, 0, len(`{"count":,"items":[`)+20), '{')
	if !q.WithoutCount {
		b = strconv.AppendInt(append(b, `"count":`...), r.Count.Total, 10)
	}
	if q.WithoutItems {
		return newContent(append(b, '}'))
	}
	if !q.WithoutCount {
		b = append(b, ',')
	}
	return content{head: append(b, `"items":[`...), rows: r.Page.Rows, tail: []byte("]}")}
}

// newETag makes the validator of an answer. It is weak: the plain and the compressed
// answer share it. It covers the position after the page too, which is in Link; Link
// itself cannot be used, since a cursor is sealed anew for each answer.
func newETag(body content, position search.Position) string {
	hash := sha256.New()
	_ = body.writeTo(hash) // a hash does not fail
	for _, value := range position.Values {
		hash.Write([]byte{0})
		hash.Write(value)
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
}

// sameTag reports whether the tag that a caller sent, without quotes, is the wanted
// one, or the wanted one followed by names of codings. Proxies that compress append
// such names (Apache "-gzip", Jetty "--gzip", others ";gzip"), several proxies
// several names, and not all of them remove the name again.
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
// tag, by weak comparison. The list is read up to its first syntax error.
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

// component is a part of an answer, and where it came from.
type component struct {
	name       string // "count", "page", "summary" or "companies" (a summary's, if counted apart)
	provenance search.Provenance
	fresh      bool // the caller asked for an answer that is not from a cache
}

// newComponents lists the components that were asked for.
func newComponents(q search.Query, r search.Result, fresh bool) []component {
	var components []component
	if !q.WithoutCount {
		components = append(components, component{"count", r.Count.Provenance, fresh})
	}
	if !q.WithoutItems {
		components = append(components, component{"page", r.Page.Provenance, fresh})
	}
	return components
}

// cacheStatus is the Cache-Status header (RFC 9211), with a member for each
// component.
func cacheStatus(components []component) string {
	members := make([]string, len(components))
	for i, p := range components {
		members[i] = "scopegate-" + p.name + cacheParameters(p)
	}
	return strings.Join(members, ", ")
}

func cacheParameters(p component) string {
	s := p.provenance
	if s.Hit() {
		// A negative ttl is the time since it became stale (section 2.6).
		detail := s.Tier
		if s.Outage {
			detail += "-stale-if-error"
		}
		return "; hit; ttl=" + strconv.Itoa(int(math.Floor(s.TTL.Seconds()))) + "; detail=" + detail
	}
	status := "; fwd=miss"
	if p.fresh {
		status = "; fwd=request"
	}
	if s.Stored {
		status += "; stored"
	}
	if s.Shared {
		status += "; collapsed"
	}
	return status
}

// maxAge returns the highest age at which the caller accepts a stored answer
// (Cache-Control: max-age; RFC 9111, section 5.2.1). It is 0, which excludes stored
// answers, for no-cache too, and for Pragma: no-cache without a Cache-Control, as
// old browsers send it (section 5.4). bounded is false if the caller sets no age.
func maxAge(h http.Header) (age time.Duration, bounded bool) {
	name := "Cache-Control"
	if len(h.Values(name)) == 0 {
		name = "Pragma"
	}
	for _, line := range h.Values(name) {
		for directive := range strings.SplitSeq(line, ",") {
			directive, argument, _ := strings.Cut(directive, "=")
			var said time.Duration
			switch directive = strings.TrimSpace(directive); {
			case strings.EqualFold(directive, "no-cache"):
			case strings.EqualFold(directive, "max-age") && name == "Cache-Control":
				said = deltaSeconds(argument)
			default:
				continue
			}
			if !bounded || said < age {
				age, bounded = said, true
			}
		}
	}
	return age, bounded
}

// deltaSeconds reads a number of seconds (RFC 9111, section 1.2.2), with or without
// quotes (section 5.2). Any other text counts as 0, the safe value: the answer is
// then not from a cache.
func deltaSeconds(text string) time.Duration {
	seconds, err := strconv.ParseUint(strings.Trim(text, " \t\""), 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(seconds) * time.Second // with ErrRange seconds is the largest number
}

// oldestAge is the Age header's value in seconds (RFC 9111, section 5.1): that of
// the oldest component from a cache. ok is false if no component is from a cache.
func oldestAge(components []component, now time.Time) (seconds int, ok bool) {
	for _, p := range components {
		if p.provenance.Hit() && !p.provenance.LoadedAt.IsZero() {
			ok = true
			seconds = max(seconds, int(now.Sub(p.provenance.LoadedAt).Seconds()))
		}
	}
	return seconds, ok
}

// timings are the durations of a request's steps.
type timings struct {
	limit, auth, scope, cache, queue, search, encode time.Duration
}

// searched splits the time of a search into that of the engine, that of the queue
// before it, and that of the cache, which is the rest. Count and page are searched in parallel.
func (t *timings) searched(took time.Duration, components []component) {
	for _, p := range components {
		t.search = max(t.search, p.provenance.Took)
		t.queue = max(t.queue, p.provenance.Queued)
	}
	t.search = min(t.search, took) // a load may have begun before this request
	t.queue = min(t.queue, took-t.search)
	t.cache = took - t.search - t.queue
}

// String is the Server-Timing header (W3C Server Timing), in milliseconds.
func (t timings) String() string {
	var b strings.Builder
	for i, m := range []struct {
		name string
		took time.Duration
	}{{"auth", t.auth}, {"limit", t.limit}, {"scope", t.scope}, {"cache", t.cache}, {"queue", t.queue}, {"search", t.search}, {"encode", t.encode}} {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.name + ";dur=" + strconv.FormatFloat(milliseconds(m.took), 'f', -1, 64))
	}
	return b.String()
}

// milliseconds converts a duration, cut to whole microseconds.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
