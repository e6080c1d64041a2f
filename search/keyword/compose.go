package keyword

import (
	"maps"
	"slices"
	"sync"
	"unicode/utf8"
)

// Hangul syllables consist of a leading consonant, a vowel and perhaps a final
// consonant; all combinations are in that order (Unicode Standard, section 3.12).
const (
	firstSyllable = 0xac00
	firstLead     = 0x1100
	firstVowel    = 0x1161
	firstFinal    = 0x11a8
	leads         = 19
	vowels        = 21
	finals        = 27
	perVowel      = finals + 1
	perLead       = vowels * perVowel
)

type parts struct{ first, second rune }

var compositions = sync.OnceValue(func() map[parts]rune {
	all := make(map[parts]rune, len(secondPairs))
	for _, p := range secondPairs {
		all[parts{p.first, p.second}] = p.to
	}
	return all
})

// compose replaces each character and the one after it by what they compose to,
// from left to right: a composed character may compose further.
func compose(text string) string {
	var out []byte // nil: nothing is composed yet
	known := compositions()
	last := rune(-1)
	lastLen := 0 // of last in out, or in the text
	for i, r := range text {
		size := utf8.RuneLen(r)
		to, ok := composed(known, last, r)
		switch {
		case ok:
			if out == nil {
				out = append(make([]byte, 0, len(text)), text[:i]...)
			}
			out = utf8.AppendRune(out[:len(out)-lastLen], to)
			last, lastLen = to, utf8.RuneLen(to)
			continue
		case out != nil:
			out = utf8.AppendRune(out, r)
		}
		last, lastLen = r, size
	}
	if out == nil {
		return text
	}
	return string(out)
}

func composed(known map[parts]rune, first, second rune) (rune, bool) {
	switch {
	case first < 0:
		return 0, false
	case second >= firstVowel && second < firstVowel+vowels:
		lead := first - firstLead
		return firstSyllable + lead*perLead + (second-firstVowel)*perVowel, lead >= 0 && lead < leads
	case second >= firstFinal && second < firstFinal+finals:
		syllable := first - firstSyllable
		return first + second - firstFinal + 1, syllable >= 0 && syllable < leads*perLead && syllable%perVowel == 0
	}
	to, ok := known[parts{first, second}]
	return to, ok
}

// eachComposition yields every spelling of the composed characters, sorted: two
// parts, or all parts where the first one is composed itself. Of Hangul it yields
// the syllables without a final consonant.
func eachComposition(yield func(from, to string) bool) {
	known := compositions()
	rules := map[string]string{}
	for of, to := range known {
		rest := string(of.second)
		rules[string(of.first)+rest] = string(to)
		for first := of.first; ; {
			i := slices.IndexFunc(secondPairs[:], func(p pair) bool { return p.to == first })
			if i < 0 {
				break
			}
			rest = string(secondPairs[i].second) + rest
			first = secondPairs[i].first
			rules[string(first)+rest] = string(to)
		}
	}
	for lead := range rune(leads) {
		for vowel := range rune(vowels) {
			rules[string(firstLead+lead)+string(firstVowel+vowel)] = string(firstSyllable + lead*perLead + vowel*perVowel)
		}
	}
	inOrder(rules, yield)
}

// eachHangulFinal yields the syllables with a final consonant, as a syllable without
// one and the consonant.
func eachHangulFinal(yield func(from, to string) bool) {
	for syllable := rune(firstSyllable); syllable < firstSyllable+leads*perLead; syllable += perVowel {
		for final := range rune(finals) {
			if !yield(string(syllable)+string(firstFinal+final), string(syllable+final+1)) {
				return
			}
		}
	}
}

func inOrder(rules map[string]string, yield func(from, to string) bool) {
	for _, from := range slices.Sorted(maps.Keys(rules)) {
		if !yield(from, rules[from]) {
			return
		}
	}
}
