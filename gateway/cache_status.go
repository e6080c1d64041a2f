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

// component is a count, page or summary of an answer, and where it came from.
type component struct {
	name       string // "count", "page" or "summary"
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
	auth, scope, cache, search, encode time.Duration
}

// searched splits the time of a search into that of the engine and that of the
// cache, which is the rest. Count and page are searched in parallel.
func (t *timings) searched(took time.Duration, components []component) {
	for _, p := range components {
		t.search = max(t.search, p.provenance.Took)
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

// milliseconds converts a duration, cut to whole microseconds.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
