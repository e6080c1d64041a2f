package searchtest

import (
	"regexp"
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
	if spelled, ok := spellPhone(text); ok {
		read.phones = phonesOf(spelled)
	}
	return read
}

// spellPhone rewrites a phone number in ASCII: digits, plus signs, parentheses,
// spaces, ~ for the long vowel mark of Japanese, and - for every other sign.
func spellPhone(text string) (string, bool) {
	var b strings.Builder
	for _, r := range text {
		value, isDigit := digitValue(r)
		switch folded := keyword.Fold(string(r)); {
		case isDigit:
			b.WriteByte('0' + value)
		case folded == "": // invisible marks may be anywhere
		case isOneOf(folded, "+\ufb29\ufe62\u207a\u208a"):
			b.WriteByte('+')
		case isOneOf(folded, "(\ufe59\u207d\u208d"):
			b.WriteByte('(')
		case isOneOf(folded, ")\ufe5a\u207e\u208e"):
			b.WriteByte(')')
		case folded == "ー":
			b.WriteByte('~')
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.Is(unicode.Pd, r), isOneOf(folded, "-./\u2024\ufe52\u2044\u2215"):
			b.WriteByte('-')
		default:
			b.WriteString(folded)
		}
	}
	spelled := strings.TrimPrefix(strings.TrimSpace(b.String()), "tel:")
	return spelled, phoneShape.MatchString(spelled)
}

// isOneOf reports whether the text is one of the signs.
func isOneOf(text, signs string) bool { return strings.Contains(signs, text) }

var (
	phoneShape     = regexp.MustCompile(`^[ ()+-]*[0-9]([ ()+~-]*[0-9])*[ ()+-]*$`)
	lonelyZero     = regexp.MustCompile(`\( *0 *\)`)
	plusInFront    = regexp.MustCompile(`^[ ()-]*\+`)
	noDigit        = regexp.MustCompile(`[^0-9]`)
	withZeroBehind = regexp.MustCompile(`^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]..)(0?)(.+)$`) // country code, trunk prefix, rest
)

// phonesOf returns all writings of a phone number, as digits.
func phonesOf(spelled string) []string {
	digits := noDigit.ReplaceAllString(spelled, "")
	if len(digits) < 4 {
		return nil
	}
	number := digits
	phones := []string{digits}
	if len(digits) >= 7 {
		if at := lonelyZero.FindStringIndex(spelled); at != nil {
			number = noDigit.ReplaceAllString(spelled[:at[0]]+spelled[at[1]:], "")
		}
		isInternational := plusInFront.MatchString(spelled) && number[0] != '0'
		switch {
		case strings.HasPrefix(number, "00"):
			isInternational, number = true, number[2:]
		case number[0] == '0':
			phones = append(phones, number, number[1:])
			number = ""
		}
		phones = append(phones, number)
		if m := withZeroBehind.FindStringSubmatch(number); m != nil && isInternational {
			phones = append(phones, m[1]+m[3], "0"+m[3])
		}
	}
	for _, written := range []string{digits, number} {
		if len(written) == 11 && written[0] == '8' {
			phones = append(phones, "7"+written[1:])
		}
		if len(written) == 11 && written[0] == '7' {
			phones = append(phones, "8"+written[1:])
		}
	}
	return slices.DeleteFunc(phones, func(digits string) bool { return len(digits) < 4 })
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
