package elastic

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
)

// Names that the index settings define and the mapping uses.
const (
	foldedNormalizer = "folded"
	keywordAnalyzer  = "keywords"
	phoneAnalyzer    = "phones"
	trigramAnalyzer  = "trigrams"
	tagAnalyzer      = "tags"
)

// trigram is the length, in characters, of the terms that words are searched by.
const trigram = 3

// maxTerm is the longest text, in characters, that can be a term. A character has
// at most four bytes, also after folding, so such a text stays within Lucene's
// limit of 32,766 bytes. Elasticsearch would refuse a document with a longer term.
const maxTerm = 8191

// analysis defines how Elasticsearch derives the searched terms from a plain
// document.
//
// With the padding every character of a field begins a trigram, so that words of
// one and two characters are prefixes of terms. The padding is white space, which
// no word contains.
func analysis(f keyword.Folding) clause {
	filters := clause{
		"pad":     clause{"type": "pattern_replace", "pattern": `\z`, "replacement": "\n\n"},
		"digits":  clause{"type": "mapping", "mappings": digitMappings()},
		"no_rest": clause{"type": "pattern_replace", "pattern": "[^0-9]+", "replacement": ""},
	}
	var fold []string
	for i, pass := range f.Passes() {
		name := "fold"
		if i > 0 {
			name = fmt.Sprintf("fold_%d", i+1)
		}
		filters[name] = clause{"type": "mapping", "mappings": mappings(pass)}
		fold = append(fold, name)
	}
	return clause{
		"char_filter": filters,
		"tokenizer": clause{
			"trigram": clause{"type": "ngram", "min_gram": trigram, "max_gram": trigram},
			"tag":     clause{"type": "pattern", "pattern": tagPattern(), "group": 1},
		},
		"analyzer": clause{
			keywordAnalyzer: custom("trigram", append(slices.Clone(fold), "pad")...),
			phoneAnalyzer:   custom("trigram", "digits", "no_rest"),
			trigramAnalyzer: custom("trigram"),
			tagAnalyzer:     custom("tag"),
		},
		"normalizer": clause{
			foldedNormalizer: clause{"type": "custom", "char_filter": fold},
		},
	}
}

func custom(tokenizer string, charFilters ...string) clause {
	return clause{"type": "custom", "tokenizer": tokenizer, "char_filter": append([]string{}, charFilters...)}
}

// mappings returns a pass of the folding as rules of the mapping character filter.
func mappings(pass iter.Seq2[string, string]) []string {
	var rules []string
	for from, to := range pass {
		rules = append(rules, escape(from)+" => "+escape(to))
	}
	return rules
}

// digitMappings returns rules that convert the decimal digits of all scripts to
// ASCII.
func digitMappings() []string {
	var rules []string
	for r := range runes(unicode.Nd) {
		if digit := keyword.PhoneDigits(string(r)); digit != string(r) {
			rules = append(rules, escape(string(r))+" => "+escape(digit))
		}
	}
	return rules
}

func runes(table *unicode.RangeTable) iter.Seq[rune] {
	return func(yield func(rune) bool) {
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if unicode.Is(table, r) && !yield(r) {
				return
			}
		}
	}
}

// escape writes most characters as \u: Elasticsearch trims the rules, which would
// lose a bare space, and some characters have a special meaning in them. Hangul is
// written as it is: it is most of the rules, and a third as long.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.Is(unicode.Hangul, r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// tagPattern matches the single tags of a list, except those that are too long for
// a filter and for a summary. It trims as Go does; Java trims other characters.
func tagPattern() string {
	var space strings.Builder
	for r := range runes(unicode.White_Space) {
		fmt.Fprintf(&space, `\x{%x}`, r)
	}
	edge := "[^," + space.String() + "]"
	return fmt.Sprintf("(?:^|,)[%s]*(%s(?:[^,]{0,%d}%s)?)[%s]*(?=,|$)", space.String(), edge, search.MaxSummaryText-2, edge, space.String())
}
