package gateway

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a file's name in bytes: file systems take 255, of which an
// extension and what a browser adds to tell two downloads apart need some.
const maxName = 200

// safeName makes a name, to which an extension is added, of what a caller asked
// for; "" when nothing is left of it. Whatever could lead out of a folder, end a
// header, or show as another name than it is becomes an underscore.
func safeName(asked string, extensions ...string) string {
	name := strings.Map(func(r rune) rune {
		if unsafeInName(r) {
			return '_'
		}
		return r
	}, asked)
	for _, extension := range extensions {
		if cut := len(name) - len(extension); cut > 0 && strings.EqualFold(name[cut:], extension) {
			name = name[:cut]
		}
	}
	if len(name) > maxName {
		end := maxName
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end]
	}
	// Dots in front hide a file or mean a folder; at the end Windows drops them.
	return strings.Trim(name, ". ")
}

// unsafeInName knows what is a separator or a wildcard somewhere, quotes, and
// what is not seen, direction marks included.
func unsafeInName(r rune) bool {
	return strings.ContainsRune("/\\:*?\"'`<>|\u2044\u2215\uFFFD", r) || unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || unicode.IsSpace(r) && r != ' '
}

// attachment is the value of Content-Disposition (RFC 6266, section 4) for a safe
// name: filename for those who know ASCII only, and filename* for all others.
func attachment(name string) string {
	return `attachment; filename="` + asciiName(name) + `"; filename*=UTF-8''` + extValue(name)
}

// asciiName has an underscore for what is not ASCII, and for a percent sign, which
// some take for the start of an escape (RFC 6266, appendix D).
func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '%' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
}

// extValue encodes as RFC 8187, section 3.2.1, wants it.
func extValue(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
