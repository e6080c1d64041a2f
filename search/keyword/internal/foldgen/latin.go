package main

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/runenames"
)

// latin are the letters that Unicode neither decomposes nor names after a basic
// letter. The choices are those of Lucene's ASCIIFolding.
var latin = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ð': "d", 'þ': "th", 'ŋ': "n", 'ŉ': "n",
	'ĸ': "q", 'ı': "i", 'ȷ': "j", 'ɵ': "o", 'ƕ': "hv", 'ȣ': "ou",
	'ꜳ': "aa", 'ꜵ': "ao", 'ꜷ': "au", 'ꜹ': "av", 'ꜻ': "av", 'ꜽ': "ay",
	'ꝏ': "oo", 'ꜩ': "tz", 'ꝡ': "vy",
}

// withMark matches the names of letters that are another letter with a stroke, a
// hook, a tail or the like, and that Unicode does not decompose: ø, ł, đ, ħ, ŧ, ƒ.
var withMark = regexp.MustCompile(`^LATIN SMALL LETTER ([A-Z]) WITH `)

func isLatin(r rune) bool { return unicode.Is(unicode.Latin, r) && unicode.IsLetter(r) }

// foldLatin returns a Latin letter in lower case, without its marks; ligatures and
// superscript letters are written out.
func foldLatin(r rune) string {
	var b strings.Builder
	for _, part := range latinParts(r) {
		if isMark(part) {
			continue
		}
		b.WriteString(latinBase(lower(part)))
	}
	return b.String()
}

// latinParts decomposes a letter by compatibility (ﬁ, ĳ, ª) if the result consists
// of letters, and canonically if it would contain an apostrophe or a dot.
func latinParts(r rune) []rune {
	parts := []rune(norm.NFKD.String(string(r)))
	for _, part := range parts {
		if !isMark(part) && !isLatin(part) {
			return []rune(norm.NFD.String(string(r)))
		}
	}
	return parts
}

func latinBase(r rune) string {
	if to, ok := latin[r]; ok {
		return to
	}
	if m := withMark.FindStringSubmatch(runenames.Name(r)); m != nil {
		return strings.ToLower(m[1])
	}
	return string(r)
}
