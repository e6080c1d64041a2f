package keyword

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:generate go run ./internal/foldgen first fold_table_first.go
//go:generate go run ./internal/foldgen second fold_table_second.go

// foldRule replaces one spelling, of one or more code points, with its folded form.
// No folded form contains anything that folds further. No folded form contains a
// combining mark of U+0300–036F, with which every key of several code points
// continues. So folding a folded text changes nothing.
type foldRule struct{ from, to string }

// pair is a composition: first and second together are to. It is not applied before
// all rules are.
type pair struct{ first, second, to rune }

// Folding is a version of the folding rules. Text that was folded with one must not
// be searched with another, so engines store with their data which one they used;
// see package schema.
type Folding int

// The versions of the rules. A version that data was folded with never changes.
const (
	// FirstFolding is that of schemas 1 and 2.
	FirstFolding Folding = iota + 1
	// SecondFolding adds apostrophes, hyphens, half-width kana, Arabic marks and
	// presentation forms, variation selectors and canonical compositions.
	SecondFolding
)

// newest is the folding of Fold.
const newest = SecondFolding

// Passes yields the rules, in passes: the string to replace and its replacement,
// sorted by key. Each pass works on the result of the one before. At each position
// of a text the longest matching key is replaced, and the pass continues after it;
// the replacement is not replaced again. The mapping character filter of
// Elasticsearch works in the same way, so it can use the same rules.
func (f Folding) Passes() []iter.Seq2[string, string] {
	passes := []iter.Seq2[string, string]{f.table().each}
	if f == SecondFolding {
		passes = append(passes, eachComposition, eachHangulFinal)
	}
	return passes
}

// Fingerprint identifies the rules: 64 hexadecimal digits.
func (f Folding) Fingerprint() string { return fingerprints[f]() }

// fingerprints are computed when they are first used.
var fingerprints = [...]func() string{
	FirstFolding:  sync.OnceValue(FirstFolding.hash),
	SecondFolding: sync.OnceValue(SecondFolding.hash),
}

func (f Folding) hash() string {
	hash := sha256.New()
	for i, pass := range f.Passes() {
		if i > 0 {
			hash.Write([]byte{0xfe})
		}
		for from, to := range pass {
			// UTF-8 text contains neither 0xFE nor 0xFF, so different rules never
			// give the same bytes.
			hash.Write([]byte(from + "\xff" + to + "\xff"))
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Fold returns the text in the form in which it is compared and searched (contract,
// "Keyword"), by the newest rules. Letters are in lower case by code point, and
// letters that share a capital are equal (ς = σ). Latin letters have no marks,
// strokes and hooks; ligatures are written out. ё becomes е. Full-width forms become
// ASCII, half-width kana full-width, Arabic presentation forms letters. Apostrophes
// become ', hyphens and dashes -. Combining marks U+0300–036F, the vowel signs and
// the tatweel of Arabic, bidi controls, zero-width marks, soft hyphens and variation
// selectors are removed. Letters of other scripts keep their marks (й, ή, が), and
// equal their decomposed spelling. Nothing else is normalised.
//
// Folding twice gives the same as folding once. Bytes that are not UTF-8 become
// U+FFFD.
func Fold(text string) string { return newest.Fold(text) }

// Fold folds a text by this version of the rules; see the function Fold.
func (f Folding) Fold(text string) string {
	folded, _ := f.table().fold(text)
	return folded
}

// table is the table of a folding, made ready for use.
type table struct {
	rules []foldRule
	index foldIndex
}

// tables are made when they are first used.
var tables = [...]func() *table{
	FirstFolding: sync.OnceValue(func() *table { return newTable(firstRules[:]) }),
	SecondFolding: sync.OnceValue(func() *table {
		t := newTable(secondRules[:])
		t.markJoining()
		t.markNew(firstRules[:])
		return t
	}),
}

func (f Folding) table() *table { return tables[f]() }

func newTable(rules []foldRule) *table { return &table{rules: rules, index: newFoldIndex(rules)} }

func (t *table) each(yield func(from, to string) bool) {
	for _, rule := range t.rules {
		if !yield(rule.from, rule.to) {
			return
		}
	}
}

// fold returns the folded text, and whether some character folds otherwise by the
// first folding.
func (t *table) fold(text string) (folded string, isNew bool) {
	start := foldedPrefix(text)
	if start == len(text) {
		return text, false
	}
	var out strings.Builder
	copied := 0 // text[copied:i] is unchanged and not in out yet
	flags := foldFlags(0)
	for i := start; i < len(text); {
		to, size, changed, f := t.match(text[i:])
		flags |= f
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
	if copied != 0 {
		out.WriteString(text[copied:])
		text = out.String()
	}
	if flags&joins != 0 {
		text = compose(text)
	}
	return text, flags&isNewRule != 0
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
		case 'A' <= c && c <= 'Z', c == '`':
			return i
		}
	}
	return len(text)
}

// foldIndex finds the rules whose key begins with a code point. Rules are sorted, so
// they are next to each other. Pages without rules are nil.
type foldIndex [(utf8.MaxRune + 1) >> foldPageBits]*[1 << foldPageBits]foldRange

const foldPageBits = 8

// foldRange is rules[first:first+count]. count is 0 when the code point begins no
// rule.
type foldRange struct {
	first uint16
	count uint8
	flags foldFlags
}

type foldFlags uint8

const (
	joins     foldFlags = 1 << iota // the folded form may join what precedes it
	isNewRule                       // the first folding has other rules for the code point
)

func newFoldIndex(rules []foldRule) (index foldIndex) {
	for i, rule := range rules {
		r, _ := utf8.DecodeRuneInString(rule.from)
		entry := index.entry(r)
		if entry.count == 0 {
			entry.first = uint16(i)
		}
		entry.count++
	}
	return index
}

// entry returns the entry of a code point, to change it.
func (x *foldIndex) entry(r rune) *foldRange {
	page := &x[r>>foldPageBits]
	if *page == nil {
		*page = new([1 << foldPageBits]foldRange)
	}
	return &(*page)[r&(1<<foldPageBits-1)]
}

// markJoining finds the code points whose folded form compose has to look at.
func (t *table) markJoining() {
	mark := func(r rune) { t.index.entry(r).flags |= joins }
	for _, p := range secondPairs {
		mark(p.second)
	}
	for r := rune(firstVowel); r < firstVowel+vowels; r++ {
		mark(r)
	}
	for r := rune(firstFinal); r < firstFinal+finals; r++ {
		mark(r)
	}
	for _, rule := range t.rules {
		for _, r := range rule.to {
			if page := t.index[r>>foldPageBits]; page != nil && page[r&(1<<foldPageBits-1)].flags&joins != 0 {
				from, _ := utf8.DecodeRuneInString(rule.from)
				mark(from)
			}
		}
	}
}

// markNew finds the code points that the older rules fold otherwise. Those that join
// are among them.
func (t *table) markNew(older []foldRule) {
	differ := func(rules []foldRule, known map[foldRule]bool) {
		for _, rule := range rules {
			if !known[rule] {
				r, _ := utf8.DecodeRuneInString(rule.from)
				t.index.entry(r).flags |= isNewRule
			}
		}
	}
	differ(t.rules, setOf(older))
	differ(older, setOf(t.rules))
	for _, page := range t.index {
		if page == nil {
			continue
		}
		for i := range page {
			if page[i].flags&joins != 0 {
				page[i].flags |= isNewRule
			}
		}
	}
}

func setOf(rules []foldRule) map[foldRule]bool {
	set := make(map[foldRule]bool, len(rules))
	for _, rule := range rules {
		set[rule] = true
	}
	return set
}

// match folds the beginning of the text: the first size bytes become to, or stay as
// they are.
func (t *table) match(text string) (to string, size int, changed bool, flags foldFlags) {
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return string(utf8.RuneError), size, true, 0
	}
	page := t.index[r>>foldPageBits]
	if page == nil {
		return "", size, false, 0
	}
	entry := page[r&(1<<foldPageBits-1)]
	first := int(entry.first)
	end := first + int(entry.count)
	if !startsWithMark(text[size:]) {
		end = min(end, first+1) // no longer key can fit
	}
	// Keys that are prefixes of one another are sorted by length.
	for i := end - 1; i >= first; i-- {
		if rule := &t.rules[i]; strings.HasPrefix(text, rule.from) {
			return rule.to, len(rule.from), true, entry.flags
		}
	}
	return "", size, false, entry.flags
}

// startsWithMark reports whether the text may begin with one of U+0300–036F: in
// UTF-8 these are CC 80 to CD AF.
func startsWithMark(text string) bool {
	return text != "" && (text[0] == 0xCC || text[0] == 0xCD)
}
