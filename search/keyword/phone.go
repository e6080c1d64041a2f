package keyword

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minPhoneDigits is the smallest number of digits that are searched for as part
	// of a phone number.
	minPhoneDigits = 4
	// minWritten is the number of digits from which the national and the
	// international writing of a number find each other.
	minWritten = 7
)

// phonesOf returns the digits to search for in phone numbers, sorted, if the whole
// keyword can be a phone number; none is part of another.
func phonesOf(folded string) []string {
	p, ok := readPhone(folded)
	if !ok || len(p.digits) < minPhoneDigits {
		return nil
	}
	var found []string
	for _, digits := range p.writings() {
		// A text that contains the longer number contains the shorter one too.
		isPart := func(other string) bool { return strings.Contains(digits, other) }
		if !slices.ContainsFunc(found, isPart) {
			found = slices.DeleteFunc(found, func(other string) bool { return strings.Contains(other, digits) })
			found = append(found, digits)
		}
	}
	slices.Sort(found)
	return found
}

// phone is a keyword that can be a phone number.
type phone struct {
	digits string
	plus   bool // a plus sign is before the digits
	zero   int  // index of a digit 0 that is alone in parentheses, or -1
}

// readPhone reads a folded phone number, as people write it: digits of any script,
// white space, + ( ) - . / and characters that look like them, and the long vowel
// mark of Japanese, which is beside the digits of Japanese keyboards, between
// digits. tel: may be in front (RFC 3966).
func readPhone(folded string) (phone, bool) {
	text := strings.TrimSpace(folded)
	text = strings.TrimPrefix(text, "tel:")
	p := phone{zero: -1}
	digits := make([]byte, 0, len(text))
	long := false   // a long vowel mark waits for the next digit
	opened := false // the last character, white space aside, was an opening parenthesis
	alone := -1     // index of a digit 0 directly after it
	for _, r := range text {
		if value, ok := digitValue(r); ok {
			alone = -1
			if opened && value == 0 {
				alone = len(digits)
			}
			digits = append(digits, '0'+value)
			opened, long = false, false
			continue
		}
		switch kindOf(r) {
		case space:
			continue
		case longVowel:
			if len(digits) == 0 {
				return phone{}, false
			}
			long = true
		case plus:
			p.plus = p.plus || len(digits) == 0
		case closing:
			if alone >= 0 && p.zero < 0 {
				p.zero = alone
			}
		case other:
			return phone{}, false
		}
		opened, alone = kindOf(r) == opening, -1
	}
	p.digits = string(digits)
	return p, !long
}

// writings returns the digits that the number can be stored with. From minWritten
// digits on, a leading 00 stands for the plus sign, a 0 in parentheses is for
// callers from the same country, and a leading 0 is a trunk prefix.
func (p phone) writings() []string {
	all := []string{p.digits}
	international := p.plus
	number := p.digits
	if len(p.digits) >= minWritten {
		if p.zero >= 0 {
			number = number[:p.zero] + number[p.zero+1:]
			all = append(all, number)
		}
		if rest, ok := strings.CutPrefix(number, "00"); ok {
			international, number = true, rest
			all = append(all, number)
		} else if rest, ok := strings.CutPrefix(number, "0"); ok {
			international = false
			all = append(all, rest)
		}
		if international {
			all = append(all, otherWritings(number)...)
		}
	}
	for _, digits := range []string{p.digits, number} {
		all = append(all, russian(digits)...)
	}
	return slices.DeleteFunc(all, func(digits string) bool { return len(digits) < minPhoneDigits })
}

// otherWritings returns the national writing of an international number, and the
// number without a trunk prefix that is between the country code and the rest.
func otherWritings(number string) (all []string) {
	n := countryCode(number)
	if n < 2 || len(number) <= n { // the plans of the codes 1 and 7 have no trunk prefix 0
		return nil
	}
	code, rest := number[:n], number[n:]
	if after, ok := strings.CutPrefix(rest, "0"); ok {
		all, rest = append(all, code+after), after
	}
	return append(all, "0"+rest)
}

// countryCode returns the length of the country code at the beginning of a number
// (ITU-T E.164, List of assigned country codes), 0 if there is none.
func countryCode(number string) int {
	const ofTwo = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58" +
		" 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98"
	switch {
	case number == "" || number[0] == '0':
		return 0
	case number[0] == '1' || number[0] == '7':
		return 1
	case len(number) >= 2 && strings.Contains(ofTwo, number[:2]):
		return 2
	}
	return 3
}

// russian returns the other writing of a number of eleven digits: in the numbering
// plan of Russia and Kazakhstan, a leading 8 is the trunk prefix, in place of the
// country code 7.
func russian(digits string) []string {
	switch {
	case len(digits) != 11:
		return nil
	case digits[0] == '8':
		return []string{"7" + digits[1:]}
	case digits[0] == '7':
		return []string{"8" + digits[1:]}
	}
	return nil
}

// signKind is the role of a character of a phone number that is no digit.
type signKind int

const (
	other signKind = iota // no phone number contains it
	space
	plus
	opening
	closing
	separator
	longVowel
)

// kindOf knows the signs that are left after folding, which has made the full-width
// ones ASCII and most dashes hyphens.
func kindOf(r rune) signKind {
	switch r {
	case '+',
		'\ufb29',           // Hebrew letter alternative plus sign
		'\ufe62',           // small plus sign
		'\u207a', '\u208a': // superscript and subscript plus sign
		return plus
	case '(', '\ufe59', '\u207d', '\u208d': // small, superscript, subscript
		return opening
	case ')', '\ufe5a', '\u207e', '\u208e':
		return closing
	case '-', '.', '/',
		'\u2024', '\ufe52', // one dot leader, small full stop
		'\u2044', '\u2215': // fraction slash, division slash
		return separator
	case '\u30fc':
		return longVowel
	}
	switch {
	case unicode.IsSpace(r):
		return space
	case unicode.Is(unicode.Pd, r):
		return separator
	}
	return other
}

// PhoneDigits returns the digits of a phone number in ASCII; decimal digits of
// every script count.
func PhoneDigits(phone string) string {
	digits := make([]byte, 0, len(phone))
	for _, r := range phone {
		if value, ok := digitValue(r); ok {
			digits = append(digits, '0'+value)
		}
	}
	return string(digits)
}

// digitValue relies on the order of decimal digits in Unicode: they are in runs of
// ten, zero first (Unicode Standard, section 4.6).
func digitValue(r rune) (byte, bool) {
	if r < utf8.RuneSelf {
		return byte(r - '0'), '0' <= r && r <= '9'
	}
	for _, run := range unicode.Nd.R16 {
		if uint32(run.Lo) <= uint32(r) && uint32(r) <= uint32(run.Hi) {
			return byte((r - rune(run.Lo)) % 10), true
		}
	}
	for _, run := range unicode.Nd.R32 {
		if run.Lo <= uint32(r) && uint32(r) <= run.Hi {
			return byte((uint32(r) - run.Lo) % 10), true
		}
	}
	return 0, false
}
