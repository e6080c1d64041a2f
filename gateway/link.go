package gateway

import (
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/gateway/params"
)

// maxSearchPath is the length of the longest path that a link is relative to.
const maxSearchPath = len("/api/v1/sessions/search")

// nextLink makes the target of Link rel="next" from the next page's cursor. It
// is a query alone, which leaves the path of the request as it is (RFC 3986,
// section 5.2.2): a proxy may have taken a prefix away from it.
type nextLink func(cursor string) string

// nextLinkOf is where a page of this request goes on: a POST sends its body again.
func nextLinkOf(in params.Input) nextLink {
	if in.Post {
		return nextByBody
	}
	return nextByURL(in.Query)
}

// nextByURL keeps the request's parameters but for those that say where a page
// starts, which the cursor does now. Names and phones in them go back to the
// caller that put them into its URL, and to nobody else.
func nextByURL(rawQuery string) nextLink {
	return func(cursor string) string {
		var kept strings.Builder
		for part := range strings.SplitSeq(rawQuery, "&") {
			if part != "" && !saysWhere(part) {
				kept.WriteString(escapeForLink(part))
				kept.WriteByte('&')
			}
		}
		return "?" + kept.String() + "cursor=" + cursor
	}
}

// nextByBody has the cursor only: the body is sent again.
func nextByBody(cursor string) string {
	return "?cursor=" + cursor
}

// saysWhere reports whether a parameter as it stands in a URL is one of those
// that say where a page starts.
func saysWhere(part string) bool {
	key, _, _ := strings.Cut(part, "=")
	name, err := url.QueryUnescape(key)
	if err != nil {
		return false // was refused already
	}
	switch name {
	case "offset", "page", "cursor", "offsetField", "offsetValue":
		return true
	}
	return false
}

// escapeForLink encodes what a lenient client sent plain but may not stand in
// the target of a Link (RFC 8288, section 3; RFC 3986, section 2): ">" would end
// it. What is encoded already stays as it is.
func escapeForLink(part string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(part) {
		c := part[i]
		if c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
