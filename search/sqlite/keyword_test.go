package sqlite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// indexOnly returns the candidates that the trigram index finds for a keyword,
// unchecked.
func indexOnly(tb testing.TB, s *Store, k keyword.Keyword) (keys []int64, ok bool) {
	tb.Helper()
	err := s.readers.use(tb.Context(), func(r *reader) error {
		l := defaultLimits()
		m, err := newPlanner(l, r, scopeSet{}, search.Filter{Keyword: k}).keywordMatch(tb.Context())
		if err == nil && m != nil && m.complete {
			keys, ok = m.keys, true
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return keys, ok
}

func TestTheIndexFindsEveryMatch(t *testing.T) {
	s := openStore(t)
	long := strings.Repeat("абвгд", 60)
	for i, name := range []string{
		"Anna", "Алёна", `say "hi" OR NOT*`, "abcd", "x\ufffey", "x\ufffdy", "x\uffffy",
		"𝒳𝒴𝒵𝒜", "👍👍👍 ok", "李小龍", long, "ab", "b", "AND", "col:umn {x} ^y NEAR(z)", "back\\slash 50%",
	} {
		write(t, s, newSession(t, strconv.Itoa(i), 1, values{"name": name, "whatsappPhone": fmt.Sprint("+7 999 123-45-", 10+i)}))
	}
	for text, want := range map[string][]int64{
		"anna": {1}, "алена": {2}, `"hi"`: {3}, `not*`: {3}, "or": {3}, "a\x00b": nil, "\x00": nil, "bcd": {4},
		"x\ufffey": {5}, "x\ufffdy": {6}, "x\uffffy": {7}, "\uffff": {7}, "\ufffd": {6},
		"𝒳𝒴𝒵": {8}, "𝒴": {8}, "𝒵𝒜": {8}, "👍👍👍": {9}, "👍": {9}, "小": {10}, "小龍": {10}, "李小龍": {10},
		strings.Repeat("абвгд", 51): {11}, "ab": {4, 12}, "b": {4, 12, 13, 16}, "and": {14}, "umn": {15}, "near(z)": {15},
		"{x}": {15}, "^y": {15}, `back\slash`: {16}, "50%": {16}, "%": {16}, "123-45-25": {16}, "7999123 45 1": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"nobody": nil, "zq": nil, "abd": nil,
	} {
		got, ok := indexOnly(t, s, mustKeyword(t, text))
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("%q: the index offers %v, not %d", text, got, key)
			}
		}
		if !ok || len(got) > len(want)+4 {
			t.Errorf("%q: the index offers %d sessions, %d match", text, len(got), len(want))
		}
	}
}

// For a keyword of one word the index and the text agree: every candidate is a
// match.
func TestTheIndexIsExactForOneWord(t *testing.T) {
	s := openStore(t)
	scope := tenancytest.Scope(t, 1)
	letters := []rune("ab\"'*й李𝒳\ufffd\ufffe\uffff")
	for i := range 200 {
		var name []rune
		for n := i; n > 0; n /= len(letters) {
			name = append(name, letters[n%len(letters)], letters[(n*7+i)%len(letters)])
		}
		write(t, s, newSession(t, strconv.Itoa(i), 1, values{"name": string(name)}))
	}
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.StringOfN(rapid.SampledFrom(letters), 1, 5, -1).Draw(rt, "word")
		k := mustKeyword(t, word)
		candidates, ok := indexOnly(t, s, k)
		if !ok {
			rt.Fatal("the index is of no use")
		}
		got, err := s.Search(t.Context(), scope, search.Query{Filter: search.Filter{Keyword: k}, WithoutItems: true})
		if err != nil {
			rt.Fatal(err)
		}
		if got.Count.Total != int64(len(candidates)) {
			rt.Errorf("%q: %d match, the index offers %d", word, got.Count.Total, len(candidates))
		}
	})
}

func TestManyTermsForAShortWordAreNotAsked(t *testing.T) {
	s := openStore(t)
	var docs []session.Document
	for i := range 4 {
		var name strings.Builder
		for j := range 300 {
			fmt.Fprintf(&name, "a%c ", rune(0x4e00+i*300+j))
		}
		docs = append(docs, newSession(t, strconv.Itoa(i), 1, values{"name": name.String()}))
	}
	write(t, s, docs...)
	if _, ok := indexOnly(t, s, mustKeyword(t, "a")); ok {
		t.Error("the index was asked for more terms than it should be")
	}
	got, err := s.Search(t.Context(), tenancytest.Scope(t, 1),
		search.Query{Filter: search.Filter{Keyword: mustKeyword(t, "a")}, WithoutItems: true})
	if err != nil || got.Count.Total != int64(len(docs)) {
		t.Errorf("count %d, error %v", got.Count.Total, err)
	}
}

// askedTerms returns the number of terms in the index query for a keyword.
func askedTerms(tb testing.TB, s *Store, text string, useful int64) (terms int, ok bool) {
	tb.Helper()
	err := s.readers.use(tb.Context(), func(r *reader) error {
		e, found, err := r.matchExpression(tb.Context(), mustKeyword(tb, text), useful)
		for i, part := range strings.Split(e.match, `"`) {
			if i%2 == 1 {
				terms += max(1, len([]rune(part))-trigram+1)
			}
		}
		ok = found
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return terms, ok
}

func TestWhateverTheKeywordTheIndexIsAskedForABoundedNumberOfTerms(t *testing.T) {
	s := openStore(t)
	letters := "0123456789abcdefghijklmnopqrstuvwxyz"
	var every strings.Builder
	for _, a := range letters {
		for _, b := range letters[:24] {
			fmt.Fprintf(&every, "%c%c", a, b)
		}
	}
	text := every.String()
	for i := range 20 {
		write(t, s, newSession(t, strconv.Itoa(i), 1, values{
			"name": text[:864], "clientId": text[864:], "whatsappPhone": strings.Repeat("0", 300),
		}))
	}
	const most = maxShortTerms + 3*(maxPhrase-trigram+1) + maxPhrase // short or long words, and phones
	short := strings.Join(strings.Split(letters, ""), " ")
	var pairs, triples []string
	for i := 0; i+2 < len(text) && len(pairs) < 80; i += 3 {
		pairs, triples = append(pairs, text[i:i+2]), append(triples, text[i:i+3])
	}
	for name, text := range map[string]string{
		"words of one letter":   short,
		"words of two":          strings.Join(pairs, " "),
		"words of three":        strings.Join(triples[:60], " "),
		"zeros":                 strings.Repeat("0", keyword.MaxLen),
		"zeros in words":        strings.TrimSpace(strings.Repeat("000000 ", 30)),
		"one long word":         text[:keyword.MaxLen],
		"a letter that all has": "a",
	} {
		if n, ok := askedTerms(t, s, text, 1<<40); !ok || n == 0 || n > most {
			t.Errorf("%s: %d terms are asked for, want 1 to %d", name, n, most)
		}
		if n, ok := askedTerms(t, s, text, 3); ok && n > 3*(maxPhrase-trigram+1)+maxPhrase {
			t.Errorf("%s: %d terms are asked for that more rows have than are useful", name, n)
		}
		got, err := s.Search(t.Context(), tenancytest.Scope(t, 1),
			search.Query{Filter: search.Filter{Keyword: mustKeyword(t, text)}, WithoutItems: true})
		if err != nil || got.Count.Total != 20 {
			t.Errorf("%s: count %d, error %v", name, got.Count.Total, err)
		}
	}
}

func TestOfShortWordsTheRarestOneIsAskedFor(t *testing.T) {
	s := openStore(t)
	for i := range 50 {
		write(t, s, newSession(t, strconv.Itoa(i), 1, values{"name": "a b c"}))
	}
	write(t, s, newSession(t, "rare", 1, values{"name": "a b c z"}))
	got, ok := indexOnly(t, s, mustKeyword(t, "a b c z"))
	if !ok || !slices.Equal(got, []int64{51}) {
		t.Errorf("the index offers %v, want the one with the rarest word", got)
	}
}

// The queried part of a long word may be anywhere in the word; the rest is checked
// in the text.
func TestAWordThatIsAskedForInPartMatchesAsAWhole(t *testing.T) {
	s := openStore(t)
	zeros := strings.Repeat("0", 200)
	for id, name := range map[string]string{"fits": "x" + zeros + "1y", "shorter": zeros[1:] + "1", "otherwise": zeros + "2"} {
		write(t, s, newSession(t, id, 1, values{"name": name}))
	}
	got, err := s.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{
		Filter: search.Filter{Keyword: mustKeyword(t, zeros+"1")}, Limit: 10, Fields: session.AllFields(),
	})
	if found := ids(t, got.Page); err != nil || !slices.Equal(found, []string{"fits"}) {
		t.Errorf("found %v, error %v", found, err)
	}
}
