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

// padding ends each field. With it every character of a field begins a trigram, so
// that words of one and two characters are prefixes of terms. It is white space,
// which no word contains, so that no word matches across two fields.
const padding = "\n\n"

// Limits of the index query for one keyword. FTS5 keeps a cursor for each term and,
// for every row, steps all terms of an OR and of a phrase: the time and memory of a
// statement grow with the number of terms. A query for a part of the keyword is
// enough, since keywordCondition checks every candidate.
const (
	// maxShortTerms is the largest number of terms that may begin with a short
	// word.
	maxShortTerms = 256
	// maxPhrase is the largest number of characters of a word in the query.
	maxPhrase = 16
	// maxPhraseTerms is the largest number of terms that the phrases of all words
	// may have.
	maxPhraseTerms = 3 * (maxPhrase - trigram + 1)
)

// uncarried replaces the characters that FTS5 drops (NUL) or reads as U+FFFD. They
// are indexed and searched as byte sequences after Unicode's last code point.
var uncarried = strings.NewReplacer(
	"\x00", "\xf4\x90\x80\x80",
	"\ufffe", "\xf4\x90\x80\x81",
	"\uffff", "\xf4\x90\x80\x82",
)

// keywordText returns the folded text that words are searched in.
func keywordText(d session.Document) string {
	var b strings.Builder
	for _, field := range keyword.Fields() {
		if text, ok := d.Text(field); ok {
			b.WriteString(uncarried.Replace(keyword.Fold(text)) + padding)
		}
	}
	return b.String()
}

// phoneDigits returns the text that phone numbers are searched in.
func phoneDigits(d session.Document) string {
	phone, _ := d.Text("whatsappPhone")
	return keyword.PhoneDigits(phone)
}

// keywordCondition is the rule of the keyword itself, over the stored text. Every
// candidate is checked with it, whether it came from the index or not.
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

// expression is a query for the trigram index. Every session that the keyword
// matches is in its result, and perhaps some that it does not match.
type expression struct {
	match string // "": no session can match
	width int    // number of terms in its widest OR, 0 without an OR
	rows  int64  // with an OR: upper bound of the rows that it finds
}

// matchExpression builds the query from the keyword's longest words or, if all are
// short, from its rarest one. ok is false when the index does not help: each of the
// short words is in more than useful rows.
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

// longExpression queries the longest words, as many as the limit of terms allows.
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

// phrase returns the part of a word to query: the first part with the fewest
// repeated trigrams.
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

// shortExpression finds the rarest of the words by the number of rows that have its
// terms, longer words first. It reads terms of a word until that word can't be the
// rarest any more. Over all words it stops after useful rows, or after twice as
// many terms as one word may have.
func (r *reader) shortExpression(ctx context.Context, words []string, useful int64) (rarest expression, ok bool, err error) {
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(utf8.RuneCountInString(b), utf8.RuneCountInString(a)) })
	limit := expression{width: 2 * maxShortTerms, rows: useful} // what may still be read
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

// termsOf reads the terms that begin with the word, and the number of rows that
// have them. whole is false when there are more than the given terms or rows;
// reading stops there. 0xFF is an upper bound: UTF-8, also as replaced by
// uncarried, never contains that byte.
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

// errEnough stops the reading of rows.
var errEnough = errors.New("enough was read")

// quoteTerm writes text as a string of FTS5's query language. In such a string only
// the quote itself has a meaning.
func quoteTerm(text string) string {
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}
