package searchtest

import (
	"slices"
	"strings"
	"unicode"

	"github.com/scopegate/scopegate/search/keyword"
)

// searched are the fields that a keyword is searched in.
var searched = [...]string{"name", "clientId", "whatsappPhone", "telegramClientId"}

// terms are the parts of a keyword as the naive scan parses it.
type terms struct {
	words  []string // each is in one of the searched fields …
	phones []string // … or one of these is in the digits of whatsappPhone
}

func readKeyword(text string) terms {
	read := terms{words: strings.Fields(keyword.Fold(text))}
	digits := digitsOf(text)
	if len(digits) < 4 || strings.ContainsFunc(text, notOfPhone) {
		return read
	}
	read.phones = append(read.phones, digits)
	if len(digits) == 11 && digits[0] == '8' {
		read.phones = append(read.phones, "7"+digits[1:])
	}
	return read
}

// notOfPhone reports whether no phone number contains the character.
func notOfPhone(r rune) bool {
	switch {
	case unicode.Is(unicode.Nd, r), unicode.IsSpace(r), unicode.Is(unicode.Pd, r):
		return false
	case strings.ContainsRune("+().＋（）．﹢﹙﹚﹒․−", r):
		return false
	}
	return keyword.Fold(string(r)) != "" // invisible marks may be anywhere
}

// digitsOf returns the digits of any script as ASCII.
func digitsOf(text string) string {
	var digits strings.Builder
	for _, r := range text {
		if value, ok := digitValue(r); ok {
			digits.WriteByte('0' + value)
		}
	}
	return digits.String()
}

// digitValue relies on two facts: in Unicode, decimal digits come in runs from 0 to
// 9 (UAX 44, Numeric_Type), and the ranges of its tables start with a 0.
func digitValue(r rune) (byte, bool) {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	return 0, false
}

func (r record) matchesKeyword(t terms) bool {
	for _, phone := range t.phones {
		if strings.Contains(digitsOf(r.text("whatsappPhone")), phone) {
			return true
		}
	}
	for _, word := range t.words {
		holds := func(field string) bool { return strings.Contains(r.folded[field], word) }
		if !slices.ContainsFunc(searched[:], holds) {
			return false
		}
	}
	return true
}
