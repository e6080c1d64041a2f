package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// trigram is the length, in characters, of the index's terms.
const trigram = 3

// padding ends each field: with it every character of a field begins a trigram,
// so that words of one and two characters are prefixes of terms. It is white
// space, which no word holds: no word reaches from one field into the next.
const padding = "\n\n"

// Bounds of what the index is asked for one keyword. FTS5 keeps a cursor for each
// term and, for every row, steps all terms of an OR and of a phrase: what a
// statement takes, in time and memory, grows with their number. A part of a
// keyword is enough, since every candidate is checked by keywordCondition.
const (
	// maxShortTerms is how many terms may begin with a short word.
	maxShortTerms = 256
	// maxPhrase is how many characters of a word are asked for.
	maxPhrase = 16
	// maxPhraseTerms is how many terms the phrases of all words may have.
	maxPhraseTerms = 3 * (maxPhrase - trigram + 1)
)

// uncarried are the characters that FTS5 drops (NUL) or takes for U+FFFD. They
// are indexed, and looked for, as what lies behind Unicode's last code point.
var uncarried = strings.NewReplacer(
	"\x00", "\xf4\x90\x80\x80",
	"\ufffe", "\xf4\x90\x80\x81",
	"\uffff", "\xf4\x90\x80\x82",
)

// keywordText is the folded text that words are looked for in.
func keywordText(d session.Document) string {
	var b strings.Builder
	for _, field := range keyword.Fields() {
		if text, ok := d.Text(field); ok {
			b.WriteString(uncarried.Replace(keyword.Fold(text)) + padding)
		}
	}
	return b.String()
}

// phoneDigits is the text that phones are looked for in.
func phoneDigits(d session.Document) string {
	phone, _ := d.Text("whatsappPhone")
	return keyword.PhoneDigits(phone)
}

// keywordCondition is the keyword's rule itself, over the stored text. Every
// candidate goes through it, whether the index found it or not.
func keywordCondition(k keyword.Keyword) condition {
	var all []string
	var args []any
	for _, word := range k.Words() {
		all = append(all, "instr(s.words, ?) > 0")
		args = append(args, uncarried.Replace(word))
	}
	matches := []string{"(" + strings.Join(all, " AND ") + ")"}
	for _, phone := range k.Phones() {
		matches = append(matches, "instr(s.digits, ?) > 0")
		args = append(args, phone)
	}
	return condition{"(" + strings.Join(matches, " OR ") + ")", args}
}

// expression is what to ask the trigram index: every session that the keyword can
// match meets it, and some that it doesn't match.
type expression struct {
	match string // "": no session can match
	width int    // terms of its widest OR, 0 without one
	rows  int64  // with an OR: it finds no more rows than that
}

// matchExpression is made of the keyword's longest words, or, if all are short, of
// its rarest one. ok is false when the index is of no use: more than useful rows
// have each of the short words.
func (r *reader) matchExpression(ctx context.Context, k keyword.Keyword, useful int64) (e expression, ok bool, err error) {
	var long, short []string
	for _, word := range k.Words() {
		if utf8.RuneCountInString(word) >= trigram {
			long = append(long, word)
		} else {
			short = append(short, uncarried.Replace(word))
		}
	}
	if len(long) > 0 {
		e.match = longExpression(long)
	} else if e, ok, err = r.shortExpression(ctx, short, useful); err != nil || !ok {
		return expression{}, false, err
	}
	var alternatives []string
	if e.match != "" {
		alternatives = append(alternatives, "words : ("+e.match+")")
	}
	for _, phone := range k.Phones() {
		alternatives = append(alternatives, "digits : "+quoteTerm(phrase(phone)))
	}
	e.match = strings.Join(alternatives, " OR ")
	return e, true, nil
}

// longExpression asks for the longest words, as far as the terms go.
func longExpression(words []string) string {
	byLength := func(a, b string) int { return cmp.Compare(utf8.RuneCountInString(b), utf8.RuneCountInString(a)) }
	slices.SortStableFunc(words, byLength)
	var phrases []string
	terms := 0
	for _, word := range words {
		part := phrase(word)
		if terms += utf8.RuneCountInString(part) - trigram + 1; terms > maxPhraseTerms {
			break
		}
		phrases = append(phrases, quoteTerm(uncarried.Replace(part)))
	}
	return strings.Join(phrases, " AND ")
}

// phrase is the part of a word to ask for: the first one that repeats itself
// least.
func phrase(word string) string {
	letters := []rune(word)
	best, most := 0, 0
	for from := 0; from+maxPhrase <= len(letters); from++ {
		seen := map[[trigram]rune]bool{}
		for i := from; i+trigram <= from+maxPhrase; i++ {
			seen[[trigram]rune(letters[i:i+trigram])] = true
		}
		if len(seen) > most {
			best, most = from, len(seen)
		}
	}
	return string(letters[best:min(len(letters), best+maxPhrase)])
}

// shortExpression finds the rarest of the words by how many rows have its terms,
// longer words first. Of each word terms are read until it is known not to be the
// rarest, and of all together until as many rows were counted as are useful, or
// twice as many terms as one word may have.
func (r *reader) shortExpression(ctx context.Context, words []string, useful int64) (rarest expression, ok bool, err error) {
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(utf8.RuneCountInString(b), utf8.RuneCountInString(a)) })
	limit := expression{width: 2 * maxShortTerms, rows: useful} // of what is read still
	most := useful
	for _, word := range words {
		found, whole, err := r.termsOf(ctx, word, min(maxShortTerms, limit.width), min(most, limit.rows))
		if err != nil {
			return expression{}, false, err
		}
		if whole {
			rarest, ok, most = found, true, found.rows
		}
		if whole && found.rows == 0 {
			break
		}
		limit.width -= found.width
		limit.rows -= found.rows
		if limit.width <= 0 || limit.rows <= 0 {
			break
		}
	}
	return rarest, ok, nil
}

// termsOf reads the terms that begin with the word and how many rows have them.
// whole is false when they are more than so many terms or rows: reading ends
// there. No byte of UTF-8, stretched as above or not, is 0xFF.
func (r *reader) termsOf(ctx context.Context, word string, terms int, rows int64) (e expression, whole bool, err error) {
	const query = "SELECT term, doc FROM session_vocabulary WHERE term >= ? AND term < ? LIMIT ?"
	var list []string
	err = r.each(ctx, query, []any{word, word + "\xff", terms + 1}, func(found *sql.Rows) error {
		var term string
		var n int64
		if err := found.Scan(&term, &n); err != nil {
			return err
		}
		list = append(list, quoteTerm(term))
		if e.rows += n; e.rows > rows {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	e.width, e.match = len(list), strings.Join(list, " OR ")
	return e, err == nil && e.width <= terms && e.rows <= rows, err
}

// errEnough ends the reading of rows.
var errEnough = errors.New("enough was read")

// quoteTerm writes text as a string of FTS5's query language, in which nothing
// but the quote itself has a meaning.
func quoteTerm(text string) string {
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}
