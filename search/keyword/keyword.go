package keyword

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors of Parse; the finer ones wrap ErrInvalid. Their texts are safe to show to
// the caller.
var (
	ErrInvalid = errors.New("invalid keyword")
	ErrTooLong = fmt.Errorf("%w: must have at most %d characters", ErrInvalid, MaxLen)
	ErrEmpty   = fmt.Errorf("%w: has no character to search for", ErrInvalid)
)

// Limits that are part of the contract, in characters.
const (
	MaxLen      = 256  // of a keyword as the caller wrote it
	MaxFieldLen = 1000 // of each field that a keyword searches
)

// minPhoneDigits is the smallest number of digits that are searched for as part of
// a phone number.
const minPhoneDigits = 4

// fields are the fields that a keyword is searched in.
var fields = []string{"name", "clientId", "whatsappPhone", "telegramClientId"}

// Fields lists the names of the fields that a keyword is searched in. Each of them
// contains at most MaxFieldLen characters.
func Fields() []string { return slices.Clone(fields) }

// Keyword is a parsed keyword. A session matches when every one of Words is a
// substring of one of its folded Fields (different words may be in different
// fields), or when one of Phones is a substring of the PhoneDigits of its
// whatsappPhone.
//
// The zero Keyword means that there is no keyword. Keywords can be compared with
// ==: equal ones match the same sessions.
type Keyword struct {
	words  string // folded words in canonical order, joined by single spaces
	phones string // digit strings that also match, joined by single spaces
}

// Parse folds a keyword and splits it at white space. No character has a special
// meaning.
//
// Errors: ErrTooLong over MaxLen characters, counted before folding; ErrEmpty when
// no word is left. Both wrap ErrInvalid.
func Parse(text string) (Keyword, error) {
	if utf8.RuneCountInString(text) > MaxLen {
		return Keyword{}, ErrTooLong
	}
	folded := Fold(text)
	words := strings.Fields(folded)
	if len(words) == 0 {
		return Keyword{}, ErrEmpty
	}
	return Keyword{
		words:  strings.Join(canonicalWords(words), " "),
		phones: strings.Join(phonesOf(folded), " "),
	}, nil
}

// canonicalWords sorts the words and removes those that are part of another one: a
// text that contains the longer word contains the shorter one too.
func canonicalWords(words []string) []string {
	slices.Sort(words)
	words = slices.Compact(words)
	var copied []string
	for i, word := range words {
		isPart := func(other string) bool { return strings.Contains(other, word) }
		if slices.ContainsFunc(words[:i], isPart) || slices.ContainsFunc(words[i+1:], isPart) {
			continue
		}
		copied = append(copied, word)
	}
	return copied
}

// phonesOf returns the digits to search for in phone numbers, if the whole keyword
// can be a phone number. In the numbering plan of Russia and Kazakhstan, a leading
// 8 is the trunk prefix, in place of the country code 7.
func phonesOf(folded string) []string {
	if strings.ContainsFunc(folded, func(r rune) bool { return !isPhoneRune(r) }) {
		return nil
	}
	digits := PhoneDigits(folded)
	if len(digits) < minPhoneDigits {
		return nil
	}
	phones := []string{digits}
	if len(digits) == 11 && digits[0] == '8' {
		phones = append(phones, "7"+digits[1:])
	}
	return phones
}

// isPhoneRune reports whether a folded phone number, as people write it, may
// contain r: digits, white space, + ( ) - . and characters that look like them.
func isPhoneRune(r rune) bool {
	switch r {
	case '+', '(', ')', '-', '.',
		'\u2212', // minus sign
		'\u2024', // one dot leader
		'\ufe52', // small full stop
		'\ufe59', // small left parenthesis
		'\ufe5a', // small right parenthesis
		'\ufe62': // small plus sign
		return true
	}
	return unicode.IsDigit(r) || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r)
}

// IsZero reports whether there is no keyword.
func (k Keyword) IsZero() bool { return k == Keyword{} }

// Canonical returns the words and the phone numbers, each in one string. Two
// keywords have the same strings exactly if they are equal.
func (k Keyword) Canonical() (words, phones string) { return k.words, k.phones }

// Words returns the folded words. Each must be in one of the searched fields. They
// are sorted, and none is part of another.
func (k Keyword) Words() []string { return strings.Fields(k.words) }

// Phones returns strings of digits. If one of them is in the digits of
// whatsappPhone, the session matches, whatever the words. It is empty unless the
// whole keyword looks like a phone number. For eleven digits that begin with 8, it
// also contains them with a leading 7.
func (k Keyword) Phones() []string { return strings.Fields(k.phones) }

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
