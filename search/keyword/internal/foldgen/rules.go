package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The combining marks that are removed, and that decompose splits off: the block
// Combining Diacritical Marks.
const (
	firstMark = '\u0300'
	lastMark  = '\u036f'
)

// invisible marks are removed: nobody can see them, so nobody would type them.
var invisible = []rune{
	0x00AD,                 // soft hyphen
	0x061C, 0x200E, 0x200F, // bidi marks
	0x202A, 0x202B, 0x202C, 0x202D, // bidi embeddings and overrides
	0x202E, 0x2066, 0x2067, 0x2068, // and isolates
	0x2069,                         //
	0x200B, 0x200C, 0x200D, 0x2060, // zero-width space, joiners
	0xFEFF, // byte order mark
}

// merged are letters that are not Latin and still lose a mark: people often write е
// for ё. й is a letter of its own and keeps its mark, as ї and ў do.
var merged = map[rune]string{'ё': "е"}

// folder returns the folded form of one code point.
type folder func(rune) string

// rules returns the whole table. It fails if folding a result again would change
// it.
func (fold folder) rules() (table, error) {
	t := make(table)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if to := fold(r); to != string(r) && !unicode.Is(unicode.Cs, r) {
			t[string(r)] = to
		}
	}
	if err := t.addDecomposed(fold); err != nil {
		return nil, err
	}
	return t, t.check()
}

// table maps one or more code points to their folded form.
type table map[string]string

// first is the first folding.
func first(r rune) string {
	switch {
	case isMark(r) || strings.ContainsRune(string(invisible), r):
		return ""
	case r >= '！' && r <= '～': // full-width forms of U+0021 to U+007E
		return string(unicode.ToLower(r - '！' + '!'))
	case r == '\u3000':
		return " "
	case isLatin(r):
		return foldLatin(r)
	}
	r = lower(recompose(r))
	if to, ok := merged[r]; ok {
		return to
	}
	return string(r)
}

// lower converts to upper case first, so that letters that share a capital become
// equal: ς and σ, µ and μ, ſ and s.
func lower(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// recompose replaces duplicates of Unicode (ά with oxia by ά with tonos) that have
// a composing mark; other duplicates stay.
func recompose(r rune) rune {
	composed := []rune(norm.NFC.String(string(r)))
	if _, marks := decompose(r); len(marks) == 0 || len(composed) != 1 {
		return r
	}
	return composed[0]
}

// decompose splits a code point into its base and its marks. It returns the code
// point itself, without marks, if anything but combining marks follows the base.
func decompose(r rune) (base rune, marks []rune) {
	parts := []rune(norm.NFD.String(string(r)))
	for _, part := range parts[1:] {
		if !isMark(part) {
			return r, nil
		}
	}
	return parts[0], parts[1:]
}

func isMark(r rune) bool { return r >= firstMark && r <= lastMark }

// addDecomposed adds the decomposed spellings of letters that keep their marks, so
// that и followed by a breve folds like й. Latin letters do not need it: the base
// folds and the marks are removed.
func (t table) addDecomposed(fold folder) error {
	alike := t.alike()
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		base, marks := decompose(r)
		if len(marks) == 0 || isMark(r) || isLatin(base) {
			continue
		}
		if err := t.addSpellings(fold, fold(r), base, marks, alike); err != nil {
			return err
		}
	}
	return nil
}

// alike groups code points by their folded form. A code point that folds to itself
// is in its own group.
func (t table) alike() map[string][]rune {
	groups := make(map[string][]rune)
	for from, to := range t {
		groups[to] = append(groups[to], []rune(from)[0])
	}
	return groups
}

// addSpellings adds every spelling of one letter: its marks in every order that
// means the same, some of them composed with the base and the rest after it, the
// composed part in either case.
func (t table) addSpellings(fold folder, to string, base rune, marks []rune, alike map[string][]rune) error {
	for order := range permutations(marks) {
		if norm.NFD.String(string(base)+order) != string(base)+string(marks) {
			continue
		}
		for i := range order {
			head := []rune(norm.NFC.String(string(base) + order[:i]))
			if len(head) != 1 {
				continue
			}
			folded := fold(head[0])
			for _, r := range append([]rune(folded), alike[folded]...) {
				if err := t.add(string(r)+order[i:], to); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// permutations yields the marks in every order.
func permutations(marks []rune) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(marks) == 0 {
			yield("")
			return
		}
		for i, first := range marks {
			for rest := range permutations(slices.Concat(marks[:i], marks[i+1:])) {
				if !yield(string(first) + rest) {
					return
				}
			}
		}
	}
}

func (t table) add(from, to string) error {
	if old, ok := t[from]; ok && old != to {
		return fmt.Errorf("%+q folds to both %+q and %+q", from, old, to)
	}
	t[from] = to
	return nil
}

// check reports a folded form that would fold further. No folded form contains a
// mark, so two of them next to each other never form a decomposed spelling.
func (t table) check() error {
	for from, to := range t {
		for _, r := range to {
			if next, ok := t[string(r)]; ok {
				return fmt.Errorf("%+q folds to %+q, which folds to %+q", from, to, next)
			}
		}
	}
	return nil
}
