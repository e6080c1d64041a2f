package isolation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
)

// outcome is the answer that the model gives to a request.
type outcome struct {
	status int
	says   string              // of a problem; "" with status 400: whatever it says
	body   string              // of a 200, to the byte
	place  string              // where the page ends that has a next one, "" if there is none
	next   string              // what the Link's target begins with, up to the cursor
	last   *canarySession      // the page's last one, if there is a next page
	parts  []string            // those that Cache-Status names, none but for searches
	scope  []tenancy.CompanyID // those whose data may show
	file   *fileOutcome        // nil: it is none
}

func problemOutcome(status int, says string) outcome { return outcome{status: status, says: says} }

// empty reports whether no session is found.
func (v outcome) empty() bool {
	return strings.HasPrefix(v.body, `{"count":0`) || strings.HasPrefix(v.body, `{"items":[]`)
}

// represents is what an ETag stands for: the body, and where the page ends.
func (v outcome) represents() string {
	if v.file != nil {
		return v.body + "\x00" + v.place + "\x00" + strconv.Itoa(v.file.total)
	}
	return v.body + "\x00" + v.place
}

// temper is what is known about the cache before a request.
type temper int

const (
	unknown temper = iota
	cold           // nothing asked so far can have been what this is answered from
	warm           // the same was answered a moment ago
)

// fault tells how the reply is not the verdict; "" if it is. A reply without a
// body is that of HEAD.
func (v outcome) fault(r harness.Reply, t temper, method string) string {
	if t == warm && v.empty() {
		t = unknown // it is kept for a moment only
	}
	if v.file != nil && r.Status == http.StatusOK {
		var err error
		if r.Body, err = v.file.open(r.Body); err != nil {
			return err.Error()
		}
	}
	if found := foreignCanary(everythingIn(r), v.scope); found != "" {
		return fmt.Sprintf("shows %s, outside %v: %d %v %s", found, v.scope, r.Status, r.Header, r.Body)
	}
	if r.Status != v.status {
		return fmt.Sprintf("status %d, want %d: %s", r.Status, v.status, r.Body)
	}
	if fault := v.headerFault(r, t); fault != "" {
		return fault
	}
	if v.file != nil && v.file.export && r.Trailer.Get("X-Row-Count") != strconv.Itoa(v.file.rows) {
		return fmt.Sprintf("trailer %v, want %d rows", r.Trailer, v.file.rows)
	}
	switch {
	case method == http.MethodHead || r.Status == http.StatusNotModified:
		if len(r.Body) > 0 {
			return fmt.Sprintf("a body: %s", r.Body)
		}
	case r.Status == http.StatusOK:
		if string(r.Body) != v.body {
			return fmt.Sprintf("body\n%s, want\n%s", r.Body, v.body)
		}
	default:
		return v.problemFault(r)
	}
	return ""
}

// problemFault holds a problem to the text that is there for all.
func (v outcome) problemFault(r harness.Reply) string {
	var got struct {
		Type, Title, Detail, Instance, TraceID, Error string
		Status                                        int
		Details                                       []map[string]string
	}
	if err := json.Unmarshal(r.Body, &got); err != nil {
		return err.Error()
	}
	if v.says == "" {
		v.says = got.Detail
	} else if len(got.Details) > 0 {
		return fmt.Sprintf("details: %s", r.Body)
	}
	if got.Detail != v.says || got.Error != v.says || got.Status != v.status || got.Title != http.StatusText(v.status) ||
		got.Type != "about:blank" || got.Instance != "/requests/"+r.Header.Get("X-Request-Id") || got.TraceID != traceOf(r) {
		return fmt.Sprintf("problem %s, want one that says %q", r.Body, v.says)
	}
	return ""
}

// traceOf is the id of the answer's trace.
func traceOf(r harness.Reply) string {
	if header := r.Header.Get("Traceresponse"); len(header) > 35 {
		return header[3:35]
	}
	return ""
}

// headerFault looks at all headers: each must be one that the answer has, with a
// value that it can have, and none may lack.
func (v outcome) headerFault(r harness.Reply, t temper) string {
	want := v.header(r)
	for name, values := range r.Header {
		if holds, known := want[name]; !known || len(values) != 1 || !holds(values[0]) {
			return fmt.Sprintf("header %s: %q", name, values)
		}
	}
	for name := range want {
		if len(r.Header.Values(name)) == 0 {
			return "no header " + name
		}
	}
	for _, status := range cacheStatuses.FindAllStringSubmatch(r.Header.Get("Cache-Status"), -1) {
		if hit := status[2] == "hit"; t == cold && hit || t == warm && !hit {
			return fmt.Sprintf("Cache-Status %q of %s", r.Header.Get("Cache-Status"), map[temper]string{cold: "a cold cache", warm: "a warm one"}[t])
		}
	}
	return ""
}

// holding tells a header's value that can be from one that cannot.
type holding func(value string) bool

func is(text string) holding { return func(value string) bool { return value == text } }

func like(pattern *regexp.Regexp) holding { return pattern.MatchString }

// What values look like that no model can know.
var (
	cacheStatuses   = regexp.MustCompile(`scopegate-(count|page|summary); (hit|fwd=miss)`)
	likeRequestID   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	likeTrace       = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`)
	likeDate        = regexp.MustCompile(`^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$`)
	likeNumber      = regexp.MustCompile(`^[0-9]+$`)
	likeAge         = regexp.MustCompile(`^[0-5]?[0-9]$`)
	likeTag         = regexp.MustCompile(`^W/"[A-Za-z0-9_-]{22}"$`)
	likeTimings     = regexp.MustCompile(`^auth;dur=[0-9.]+, limit;dur=[0-9.]+, scope;dur=[0-9.]+, cache;dur=[0-9.]+, queue;dur=[0-9.]+, search;dur=[0-9.]+, encode;dur=[0-9.]+$`)
	likeCursor      = regexp.MustCompile(`^[A-Za-z0-9_-]{40,}>; rel="next"$`)
	likeCacheStatus = map[string]*regexp.Regexp{
		"count": regexp.MustCompile("^" + cachePart("count") + "$"), "page": regexp.MustCompile("^" + cachePart("page") + "$"),
		"summary":    regexp.MustCompile("^" + cachePart("summary") + "$"),
		"count page": regexp.MustCompile("^" + cachePart("count") + ", " + cachePart("page") + "$"),
	}
)

func cachePart(name string) string {
	return "scopegate-" + name + `; (hit; ttl=[0-9]+; detail=memory|fwd=miss(; stored)?(; collapsed)?)`
}

// header is what each header holds.
func (v outcome) header(r harness.Reply) map[string]holding {
	want := map[string]holding{
		"X-Request-Id": like(likeRequestID), "Traceresponse": like(likeTrace), "Date": like(likeDate),
		"Cache-Control": is("private, no-cache"), "Vary": is("Authorization"), "X-Content-Type-Options": is("nosniff"),
		"Content-Security-Policy":      is("default-src 'none'; frame-ancestors 'none'"),
		"Cross-Origin-Resource-Policy": is("same-origin"), "Referrer-Policy": is("no-referrer"),
	}
	if v.status == http.StatusOK || v.status == http.StatusNotModified {
		v.addValidated(r, want)
		return want
	}
	want["Content-Type"], want["Content-Length"] = is("application/problem+json"), like(likeNumber)
	if v.status == http.StatusUnauthorized {
		challenge := `Bearer realm="scopegate"`
		if v.says != saysMissing {
			challenge += `, error="invalid_token", error_description="` + v.says + `"`
		}
		want["Www-Authenticate"] = is(challenge)
	}
	return want
}

// addValidated adds what a 200 has, and what is left of it with a 304.
func (v outcome) addValidated(r harness.Reply, want map[string]holding) {
	want["Vary"], want["Etag"] = is("Authorization, Accept-Encoding"), like(likeTag)
	if v.status == http.StatusOK {
		want["Content-Type"], want["Content-Length"] = is("application/json; charset=utf-8"), is(strconv.Itoa(len(v.body)))
		if v.file != nil {
			v.file.addTo(want)
		}
		if r.Header.Get("Content-Encoding") != "" {
			want["Content-Encoding"], want["Content-Length"] = is("gzip"), like(likeNumber)
		}
	}
	if len(v.parts) == 0 {
		return
	}
	want["Server-Timing"], want["Cache-Status"] = like(likeTimings), like(likeCacheStatus[strings.Join(v.parts, " ")])
	if strings.Contains(r.Header.Get("Cache-Status"), "; hit") {
		want["Age"] = like(likeAge)
	}
	if v.place != "" {
		want["Link"] = func(value string) bool {
			_, query, _ := strings.Cut(v.next, "?") // the path is the request's
			cursor, found := strings.CutPrefix(value, "<?"+query+"cursor=")
			return found && likeCursor.MatchString(cursor)
		}
	}
}
