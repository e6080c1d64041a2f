package elastic

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/scopegate/scopegate/search/keyword"
)

// Names of what the index settings define and the mapping uses.
const (
	foldedNormalizer = "folded"
	keywordAnalyzer  = "keywords"
	phoneAnalyzer    = "phones"
	trigramAnalyzer  = "trigrams"
	tagAnalyzer      = "tags"
)

// trigram is the length, in characters, of the terms that words are looked for
// in.
const trigram = 3

// maxTerm is the longest text, in characters, that is a term: of four bytes
// each, and folding makes none longer, they are within Lucene's 32,766 bytes. A
// document with a longer term would be refused.
const maxTerm = 8191

// analysis derives from a plain document what searches look into.
//
// The padding gives every character of a field a trigram that begins with it,
// so that words of one and two characters are prefixes of terms. It is white
// space, which no word holds.
func analysis() clause {
	return clause{
		"char_filter": clause{
			"fold":    clause{"type": "mapping", "mappings": foldMappings()},
			"pad":     clause{"type": "pattern_replace", "pattern": `\z`, "replacement": "\n\n"},
			"digits":  clause{"type": "mapping", "mappings": digitMappings()},
			"no_rest": clause{"type": "pattern_replace", "pattern": "[^0-9]+", "replacement": ""},
		},
		"tokenizer": clause{
			"trigram": clause{"type": "ngram", "min_gram": trigram, "max_gram": trigram},
			"tag":     clause{"type": "pattern", "pattern": tagPattern(), "group": 0},
		},
		"filter": clause{
			"short_enough": clause{"type": "length", "max": maxTerm},
		},
		"analyzer": clause{
			keywordAnalyzer: custom("trigram", "fold", "pad"),
			phoneAnalyzer:   custom("trigram", "digits", "no_rest"),
			trigramAnalyzer: custom("trigram"),
			tagAnalyzer:     clause{"type": "custom", "tokenizer": "tag", "filter": []string{"short_enough"}},
		},
		"normalizer": clause{
			foldedNormalizer: clause{"type": "custom", "char_filter": []string{"fold"}},
		},
	}
}

func custom(tokenizer string, charFilters ...string) clause {
	return clause{"type": "custom", "tokenizer": tokenizer, "char_filter": append([]string{}, charFilters...)}
}

// foldMappings is the folding table as rules of the mapping character filter.
func foldMappings() []string {
	var rules []string
	for from, to := range keyword.FoldRules() {
		rules = append(rules, escape(from)+" => "+escape(to))
	}
	return rules
}

// digitMappings makes ASCII of the decimal digits of all scripts.
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

// escape writes every character as \u: the rules are trimmed, so that a bare
// space would be lost, and some characters mean something in them.
func escape(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&b, `\u%04x`, unit)
	}
	return b.String()
}

// tagPattern finds the single tags of a list, trimmed as Go trims, which is not
// how Java does.
func tagPattern() string {
	var space strings.Builder
	for r := range runes(unicode.White_Space) {
		fmt.Fprintf(&space, `\x{%x}`, r)
	}
	edge := "[^," + space.String() + "]"
	return edge + "(?:[^,]*" + edge + ")?"
}
