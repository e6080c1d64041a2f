package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// apostrophes are written for ' by keyboards and programs that correct text.
var apostrophes = []rune{
	'\u0060', '\u00b4', // grave and acute accent
	'\u02b9', '\u02bb', '\u02bc', // modifier letters prime, turned comma, apostrophe
	'\u2018', '\u2019', '\u201b', // single quotation marks
	'\u2032', // prime
}

// hyphens are written for -.
var hyphens = []rune{
	'\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', // hyphens and dashes
	'\u2212',           // minus sign
	'\ufe58', '\ufe63', // small em dash, small hyphen-minus
}

// second is the second folding. It differs from the first one in apostrophes and
// hyphens, half-width kana, Arabic marks and presentation forms, variation
// selectors, and text that is canonically equal to other text.
func second(r rune) string {
	switch {
	case strings.ContainsRune(string(apostrophes), r):
		return "'"
	case strings.ContainsRune(string(hyphens), r):
		return "-"
	case unicode.Is(unicode.Variation_Selector, r) || isTashkeel(r) || r == '\u0640': // tatweel
		return ""
	case r >= '\uff61' && r <= '\uff9f': // half-width kana and their punctuation
		return norm.NFKC.String(string(r))
	case isArabicForm(r):
		// An isolated mark decomposes to a space and the mark.
		return seconds(strings.TrimPrefix(norm.NFKC.String(string(r)), " "))
	}
	to := first(r)
	if to != string(r) || isMark(r) {
		return seconds(to)
	}
	if composed := norm.NFC.String(to); composed != to {
		return seconds(composed)
	}
	return to
}

// seconds folds each code point. No code point is part of its own folded form,
// except where the two are equal.
func seconds(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteString(second(r))
	}
	return b.String()
}

// isTashkeel reports whether the character is a combining mark of Arabic that is not
// part of a letter: the vowel signs, and the marks of the Koran. Maddah and hamza
// (U+0653 to U+0655) make other letters of alef, waw and yeh.
func isTashkeel(r rune) bool {
	isMark := unicode.Is(unicode.Mn, r) && (r >= 0x0610 && r <= 0x06ed || r >= 0x0890 && r <= 0x08ff)
	return isMark && (r < 0x0653 || r > 0x0655)
}

// isArabicForm reports whether the character is of the blocks Arabic Presentation
// Forms and stands for other letters. U+FDFA stands for 18 of them: a thousand of it,
// as a name may have, would be longer than a term of Elasticsearch, so it stays.
func isArabicForm(r rune) bool {
	if r == '\ufdfa' {
		return false
	}
	inBlock := r >= 0xfb50 && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefe
	return inBlock && norm.NFKC.String(string(r)) != string(r)
}

// pair is a code point that two others compose to.
type pair struct{ first, second, to rune }

// pairs returns the canonical compositions, sorted, except Hangul syllables, which
// are computed, and compositions with marks that folding removes. The parts and the
// result are folded.
func pairs() (all []pair) {
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		parts := []rune(norm.NFD.String(string(r)))
		if len(parts) < 2 || norm.NFC.String(string(r)) != string(r) || unicode.Is(unicode.Hangul, r) || isMark(parts[len(parts)-1]) {
			continue
		}
		last := len(parts) - 1
		head := []rune(norm.NFC.String(string(parts[:last])))
		if len(head) == 1 && second(r) == string(r) {
			all = append(all, pair{head[0], parts[last], r})
		}
	}
	return all
}
