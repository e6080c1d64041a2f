package elastic

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// analyzed lets Elasticsearch analyze the texts as the index does and returns all
// terms.
func analyzed(t *testing.T, s *Store, by, name string, texts []string) []string {
	t.Helper()
	body, err := json.Marshal(map[string]any{by: name, "text": texts})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Tokens []struct {
			Token string `json:"token"`
		} `json:"tokens"`
	}
	err = s.client.call(t.Context(), esapi.IndicesAnalyzeRequest{
		Index: s.names(session.KindSession).first(), Body: bytes.NewReader(body), FilterPath: paths("tokens.token"),
		Instrument: s.client.instrument,
	}, &answer)
	if err != nil {
		t.Fatal(err)
	}
	terms := make([]string, len(answer.Tokens))
	for i, token := range answer.Tokens {
		terms[i] = token.Token
	}
	return terms
}

// assigned returns all assigned code points, each after a letter that a combining
// mark can belong to, and all keys of the folding table.
func assigned() []string {
	var texts []string
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) {
			texts = append(texts, "a"+string(r))
		}
	}
	for _, pass := range keyword.SecondFolding.Passes() {
		for from := range pass {
			texts = append(texts, "a"+from, from+"b")
		}
	}
	return texts
}

func trigramsOf(text string) []string {
	var terms []string
	for runes := []rune(text); len(runes) >= trigram; runes = runes[1:] {
		terms = append(terms, string(runes[:trigram]))
	}
	return terms
}

func TestEveryAssignedCodePointIsFoldedAlikeOnWriteAndQuery(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	texts := assigned()
	if len(texts) < 140_000 {
		t.Fatalf("%d texts are not all", len(texts))
	}
	for some := range slices.Chunk(texts, 2000) {
		var folded, terms []string
		for _, text := range some {
			folded = append(folded, keyword.Fold(text))
			terms = append(terms, trigramsOf(keyword.Fold(text)+"\n\n")...)
		}
		sameTerms(t, some, folded, analyzed(t, s, "normalizer", foldedNormalizer, some))
		sameTerms(t, nil, terms, analyzed(t, s, "analyzer", keywordAnalyzer, some))
	}
}

func sameTerms(t *testing.T, texts, want, got []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	if len(got) != len(want) {
		t.Errorf("%d terms, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] == want[i] {
			continue
		}
		text := ""
		if texts != nil {
			text = texts[i]
		}
		t.Fatalf("%+q: got %+q, want %+q", text, got[i], want[i])
	}
}

func TestPhonesAreTheirDigitsOfEveryScript(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	var texts, want []string
	for r := range runes(unicode.N) {
		text := "+1 (2" + string(r) + ")-3x" + string(r) + "4."
		texts = append(texts, text)
		want = append(want, trigramsOf(keyword.PhoneDigits(text))...)
	}
	got := analyzed(t, s, "analyzer", phoneAnalyzer, texts)
	sameTerms(t, nil, want, got)
}

func TestTagsArePartedAndTrimmedAsByTheDocument(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	lists := []string{"", ",", " , ,", "a", " a ,b, c d ", "a,,b", "\u200ba", "100%,a_b", "\x1ca", "vip ,\U0001f600 , é"}
	for r := range runes(unicode.White_Space) {
		lists = append(lists, string(r)+"x"+string(r)+"y"+string(r)+","+string(r))
	}
	// Tags that neither a filter nor a summary has are left out.
	for _, long := range []string{"z", "\U00010400"} {
		lists = append(lists, strings.Repeat(long, search.MaxSummaryText)+", short", "short,"+strings.Repeat(long, search.MaxSummaryText+1)+" , also short")
	}
	for _, list := range lists {
		want := slices.DeleteFunc(newSession(t, "a", 1, values{"tags": list}).Tags(), func(tag string) bool { return !search.IsSummaryText(tag) })
		if got := analyzed(t, s, "analyzer", tagAnalyzer, []string{list}); !slices.Equal(got, want) {
			t.Errorf("%+q: got %+q, want %+q", list, got, want)
		}
	}
}

func TestTheLongestTermsThatAreIndexedCanBe(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	long := strings.Repeat("\U00010400", maxTerm) // four bytes, also when folded
	for _, text := range []string{long, long + "x", strings.Repeat("long", 20_000)} {
		write(t, s, newSession(t, "a", 7, values{
			"status": text, "chatId": text, "botStatus": text, "operatorId": text, "operatorName": text, "tags": text,
			"lastOperatorMessage": text,
		}))
	}
}
