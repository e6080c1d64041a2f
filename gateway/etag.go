package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/scopegate/scopegate/search"
)

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
