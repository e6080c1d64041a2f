package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/search"
)

// trigram is the length, in characters, of the index's terms.
const trigram = 3

// padding ends each field: with it every character of a field begins a trigram,
// so that words of one and two characters are prefixes of terms. It is white
// space, which no word holds: no word reaches from one field into the next.
const padding = "\n\n"

// maxShortTerms is how many terms may begin with the short words of a keyword
// before reading the sessions themselves is cheaper.
const maxShortTerms = 2000

// uncarried are the characters that FTS5 drops (NUL) or takes for U+FFFD. They
// are indexed, and looked for, as what lies behind Unicode's last code point.
var uncarried = strings.NewReplacer(
	"\x00", "\xf4\x90\x80\x80",
	"\ufffe", "\xf4\x90\x80\x81",
	"\uffff", "\xf4\x90\x80\x82",
)

// keywordText is the folded text that words are looked for in.
func keywordText(d search.Document) string {
	var b strings.Builder
	for _, field := range search.KeywordFields() {
		if text, ok := d.Text(field); ok {
			b.WriteString(uncarried.Replace(search.Fold(text)) + padding)
		}
	}
	return b.String()
}

// phoneDigits is the text that phones are looked for in.
func phoneDigits(d search.Document) string {
	phone, _ := d.Text("whatsappPhone")
	return search.PhoneDigits(phone)
}

// keywordCondition is the keyword's rule itself, over the stored text. Every
// candidate goes through it, whether the index found it or not.
func keywordCondition(k search.Keyword) condition {
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

// matchExpression asks the trigram index for every session that the keyword can
// match, and for some that it doesn't: short words are left out beside long
// ones. It is "" when no session can match; ok is false when the index is of no
// use.
func (r *reader) matchExpression(ctx context.Context, k search.Keyword) (match string, ok bool, err error) {
	var long, short, alternatives []string
	for _, word := range k.Words() {
		if utf8.RuneCountInString(word) >= trigram {
			long = append(long, quoteTerm(uncarried.Replace(word)))
		} else {
			short = append(short, uncarried.Replace(word))
		}
	}
	words := strings.Join(long, " AND ")
	if len(long) == 0 {
		if words, ok, err = r.shortExpression(ctx, short); err != nil || !ok {
			return "", false, err
		}
	}
	if words != "" {
		alternatives = append(alternatives, "words : ("+words+")")
	}
	for _, phone := range k.Phones() {
		alternatives = append(alternatives, "digits : "+quoteTerm(phone))
	}
	return strings.Join(alternatives, " OR "), true, nil
}

// shortExpression is "" when a word begins no term at all.
func (r *reader) shortExpression(ctx context.Context, words []string) (expression string, ok bool, err error) {
	groups := make([]string, 0, len(words))
	for _, word := range words {
		terms, err := r.termsOf(ctx, word)
		switch {
		case err != nil:
			return "", false, err
		case len(terms) == 0:
			return "", true, nil
		case len(terms) > maxShortTerms:
			return "", false, nil
		}
		groups = append(groups, "("+strings.Join(terms, " OR ")+")")
	}
	return strings.Join(groups, " AND "), true, nil
}

// termsOf reads the terms that begin with the word, quoted. No byte of UTF-8,
// stretched as above or not, is 0xFF.
func (r *reader) termsOf(ctx context.Context, word string) (terms []string, err error) {
	const query = "SELECT term FROM session_vocabulary WHERE term >= ? AND term < ? LIMIT ?"
	err = r.each(ctx, query, []any{word, word + "\xff", maxShortTerms + 1}, func(rows *sql.Rows) error {
		var term string
		err := rows.Scan(&term)
		terms = append(terms, quoteTerm(term))
		return err
	})
	return terms, err
}

// quoteTerm writes text as a string of FTS5's query language, in which nothing
// but the quote itself has a meaning.
func quoteTerm(text string) string {
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}
