package keyword

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:generate go run ./internal/foldgen fold_table.go

// foldRule replaces one spelling, of one or more code points, with its folded form.
// No folded form contains anything that folds further. No folded form contains a
// combining mark of U+0300–036F, with which every key of several code points
// continues. So folding a folded text changes nothing.
type foldRule struct{ from, to string }

// Folding is a version of the folding rules. Text that was folded with one must not
// be searched with another, so engines store with their data which one they used;
// see package schema.
type Folding int

// FirstFolding is the first version of the rules. A version never changes.
const FirstFolding Folding = 1

// Rules yields the folding table, sorted by key: the string to replace and its
// replacement. At each position of a text the longest matching key is replaced, and
// folding continues after it; the replacement is not folded again. The mapping
// character filter of Elasticsearch works in the same way, so it can use the same
// rules.
func (f Folding) Rules() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, rule := range foldRules {
			if !yield(rule.from, rule.to) {
				return
			}
		}
	}
}

// Fingerprint identifies the folding table: 64 hexadecimal digits.
func (f Folding) Fingerprint() string {
	hash := sha256.New()
	for from, to := range f.Rules() {
		// UTF-8 text never contains 0xFF, so different tables never give the same
		// bytes.
		hash.Write([]byte(from + "\xff" + to + "\xff"))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Fold returns the text in the form in which it is compared and searched (contract,
// "Keyword"). Letters are in lower case by code point, and letters that share a
// capital are equal (ς = σ). Latin letters have no marks, strokes and hooks;
// ligatures are written out. ё becomes е. Full-width forms become ASCII. Combining
// marks U+0300–036F, bidi controls, zero-width marks and soft hyphens are removed.
// Letters of other scripts keep their marks (й, ή), and equal their decomposed
// spelling if the mark is one of U+0300–036F. Nothing else is normalised.
//
// Folding twice gives the same as folding once. Bytes that are not UTF-8 become
// U+FFFD.
func Fold(text string) string {
	start := foldedPrefix(text)
	if start == len(text) {
		return text
	}
	var out strings.Builder
	index := foldIndexOnce()
	copied := 0 // text[kept:i] is unchanged and not in out yet
	for i := start; i < len(text); {
		to, size, changed := index.match(text[i:])
		if changed {
			if out.Cap() == 0 {
				out.Grow(len(text) + utf8.UTFMax)
			}
			out.WriteString(text[copied:i])
			out.WriteString(to)
			copied = i + size
		}
		i += size
	}
	if copied == 0 {
		return text
	}
	out.WriteString(text[copied:])
	return out.String()
}

// foldedPrefix returns the length of the ASCII text at the beginning that folding
// does not change: most identifiers and phone numbers consist of such text only.
// The last character before a non-ASCII one does not count, since that one may be a
// mark that belongs to it.
func foldedPrefix(text string) int {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			return max(i-1, 0)
		case 'A' <= c && c <= 'Z':
			return i
		}
	}
	return len(text)
}

// foldIndex finds the rules whose key begins with a code point. foldRules is
// sorted, so they are next to each other. Pages without rules are nil.
type foldIndex [(utf8.MaxRune + 1) >> foldPageBits]*[1 << foldPageBits]foldRange

const foldPageBits = 8

// foldRange is foldRules[first:end]. It is empty when the code point is in no rule.
type foldRange struct{ first, end uint16 }

var foldIndexOnce = sync.OnceValue(newFoldIndex)

func newFoldIndex() *foldIndex {
	index := new(foldIndex)
	for i, rule := range foldRules {
		r, _ := utf8.DecodeRuneInString(rule.from)
		page := &index[r>>foldPageBits]
		if *page == nil {
			*page = new([1 << foldPageBits]foldRange)
		}
		entry := &(*page)[r&(1<<foldPageBits-1)]
		if entry.end == 0 {
			entry.first = uint16(i)
		}
		entry.end = uint16(i) + 1
	}
	return index
}

// match folds the beginning of the text: the first size bytes become to, or stay as
// they are.
func (x *foldIndex) match(text string) (to string, size int, changed bool) {
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return string(utf8.RuneError), size, true
	}
	page := x[r>>foldPageBits]
	if page == nil {
		return "", size, false
	}
	entry := page[r&(1<<foldPageBits-1)]
	first, end := int(entry.first), int(entry.end)
	if !startsWithMark(text[size:]) {
		end = min(end, first+1) // no longer key can fit
	}
	// Keys that are prefixes of one another are sorted by length.
	for i := end - 1; i >= first; i-- {
		if rule := &foldRules[i]; strings.HasPrefix(text, rule.from) {
			return rule.to, len(rule.from), true
		}
	}
	return "", size, false
}

// startsWithMark reports whether the text may begin with one of U+0300–036F: in
// UTF-8 these are CC 80 to CD AF.
func startsWithMark(text string) bool {
	return text != "" && (text[0] == 0xCC || text[0] == 0xCD)
}
