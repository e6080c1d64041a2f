package keyword

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	first  string // the same by the first folding; "" if they are equal
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
	folded, isNew := newest.table().fold(text)
	k := Keyword{words: wordsOf(folded), phones: strings.Join(phonesOf(folded), " ")}
	if k.words == "" {
		return Keyword{}, ErrEmpty
	}
	if isNew {
		if first := wordsOf(FirstFolding.Fold(text)); first != k.words {
			k.first = first
		}
	}
	return k, nil
}

func wordsOf(folded string) string {
	return strings.Join(canonicalWords(strings.Fields(folded)), " ")
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

// IsZero reports whether there is no keyword.
func (k Keyword) IsZero() bool { return k == Keyword{} }

// Canonical returns the words and the phone numbers, each in one string. Two
// keywords have the same strings exactly if they are equal.
func (k Keyword) Canonical() (words, phones string) {
	if k.first != "" {
		return k.words + "\n" + k.first, k.phones
	}
	return k.words, k.phones
}

// Words returns the words by the newest folding. Each must be in one of the searched
// fields. They are sorted, and none is part of another.
func (k Keyword) Words() []string { return k.WordsBy(newest) }

// WordsBy returns the words by a version of the folding, for text that was stored
// with it.
func (k Keyword) WordsBy(f Folding) []string {
	if f == FirstFolding && k.first != "" {
		return strings.Fields(k.first)
	}
	return strings.Fields(k.words)
}

// Phones returns strings of digits. If one of them is in the digits of
// whatsappPhone, the session matches, whatever the words. It is empty unless the
// whole keyword looks like a phone number. None is part of another.
func (k Keyword) Phones() []string { return strings.Fields(k.phones) }
