package gateway

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
)

// part is one asked part of an answer and how it came to be.
type part struct {
	name   string // "count", "page" or "summary"
	served search.Served
	fresh  bool // the caller wanted no cache to answer
}

// partsOf lists the parts that were asked for.
func partsOf(q search.Query, r search.Result, fresh bool) []part {
	var parts []part
	if !q.WithoutCount {
		parts = append(parts, part{"count", r.Count.Served, fresh})
	}
	if !q.WithoutItems {
		parts = append(parts, part{"page", r.Page.Served, fresh})
	}
	return parts
}

// cacheStatus is the Cache-Status header (RFC 9211): one member a part.
func cacheStatus(parts []part) string {
	members := make([]string, len(parts))
	for i, p := range parts {
		members[i] = "scopegate-" + p.name + cacheParameters(p)
	}
	return strings.Join(members, ", ")
}

func cacheParameters(p part) string {
	s := p.served
	if s.Hit() {
		// A negative ttl says for how long it has been stale (section 2.6).
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

// maxAge is how old a stored answer may be that the caller takes (Cache-Control:
// max-age; RFC 9111, section 5.2.1): 0, which is none, also for no-cache and, as
// browsers of old wrote it, for Pragma: no-cache alone (section 5.4). False: it
// says nothing of that.
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

// deltaSeconds reads a number of seconds (RFC 9111, section 1.2.2), in quotes too
// (section 5.2). What is no number is taken for 0: the caller wants something
// fresh.
func deltaSeconds(text string) time.Duration {
	seconds, err := strconv.ParseUint(strings.Trim(text, " \t\""), 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(seconds) * time.Second // ErrRange comes with the largest number
}

// ageOf is the Age header's value in seconds (RFC 9111, section 5.1): that of
// the older part of those that a cache answered. False if none was.
func ageOf(parts []part, now time.Time) (seconds int, ok bool) {
	for _, p := range parts {
		if p.served.Hit() && !p.served.LoadedAt.IsZero() {
			ok = true
			seconds = max(seconds, int(now.Sub(p.served.LoadedAt).Seconds()))
		}
	}
	return seconds, ok
}

// timings are how long the steps of a request took.
type timings struct {
	auth, scope, cache, search, encode time.Duration
}

// searched splits the time that the Searcher took into what its engine took,
// count and page being parallel, and the rest: the cache's.
func (t *timings) searched(took time.Duration, parts []part) {
	for _, p := range parts {
		t.search = max(t.search, p.served.Took)
	}
	t.search = min(t.search, took) // a load may have begun before this request
	t.cache = took - t.search
}

// String is the Server-Timing header (W3C Server Timing), in milliseconds.
func (t timings) String() string {
	var b strings.Builder
	for i, m := range []struct {
		name string
		took time.Duration
	}{{"auth", t.auth}, {"scope", t.scope}, {"cache", t.cache}, {"search", t.search}, {"encode", t.encode}} {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.name + ";dur=" + strconv.FormatFloat(milliseconds(m.took), 'f', -1, 64))
	}
	return b.String()
}

// milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
