package keyword

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestParseKeyword(t *testing.T) {
	tests := []struct {
		name, text    string
		words, phones []string
	}{
		{"one word is folded", "Ковалёва", []string{"ковалева"}, nil},
		{"words are split at any white space and sorted", " b\ta\u00a0c\u3000d\n", []string{"a", "b", "c", "d"}, nil},
		{"a word asked twice is one", "anna Anna ANNA", []string{"anna"}, nil},
		{"a word that is part of another adds nothing", "ann anna an bob", []string{"anna", "bob"}, nil},
		{"nothing is syntax", `"a b" OR c* -d x:y \ / ?`, []string{`"a`, "-d", "/", "?", `\`, `b"`, "c*", "or", "x:y"}, nil},
		{"a single character is a word", "я", []string{"я"}, nil},
		{"invisible marks are no characters of a word", "an\u200bna\u202e", []string{"anna"}, nil},
		{"a phone of digits", "79991234567", []string{"79991234567"}, []string{"79991234567", "89991234567"}},
		{"a phone as people write it", "+7 (999) 123-45-67", []string{"(999)", "+7", "123-45-67"}, []string{"79991234567", "89991234567"}},
		{"part of a phone", "123-45", []string{"123-45"}, []string{"12345"}},
		{"a phone with the trunk prefix", "8 999 123 45 67", []string{"123", "45", "67", "8", "999"}, []string{"79991234567", "89991234567"}},
		{"a leading 8 of ten digits is just a digit", "8999123456", []string{"8999123456"}, []string{"8999123456"}},
		{"a phone in full-width forms", "＋７（９９９）", []string{"+7(999)"}, []string{"7999"}},
		{"a phone in Arabic-Indic digits", "٠١٢٣", []string{"٠١٢٣"}, []string{"0123"}},
		{"a phone with dashes of every kind", "12\u201034\u201156\u2013\u2014\u2212\ufe6378", []string{"12-34-56----78"}, []string{"12345678"}},
		{"a phone with dots and small forms", "\ufe6212.34\ufe5256\ufe597\ufe5a8", []string{"\ufe6212.34\ufe5256\ufe597\ufe5a8"}, []string{"12345678"}},
		{"a phone with a bidi mark in front", "\u202a+79991234567\u202c", []string{"+79991234567"}, []string{"79991234567", "89991234567"}},
		{"three digits are no phone", "+123", []string{"+123"}, nil},
		{"a letter makes it no phone", "1234 a", []string{"1234", "a"}, nil},
		{"a phone with a slash", "1234/5", []string{"1234/5"}, []string{"12345"}},
		{"a fraction is no digit", "1234½", []string{"1234½"}, nil},
		{"256 characters are enough", strings.Repeat("я", 256), []string{strings.Repeat("я", 256)}, nil},
		{"a character that folds to three counts as one", strings.Repeat("ﬃ", 256), []string{strings.Repeat("ffi", 256)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keyword, err := Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.words, keyword.Words()); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.phones, keyword.Phones(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("phones (-want +got):\n%s", diff)
			}
			if keyword.IsZero() {
				t.Error("is taken for no keyword")
			}
		})
	}
}

func TestParseKeywordRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
	}{
		{"no text", "", ErrEmpty},
		{"white space", " \t\u00a0\u3000", ErrEmpty},
		{"marks that fold to nothing", "\u0301\u200b \u202e", ErrEmpty},
		{"257 characters", strings.Repeat("я", 257), ErrTooLong},
		{"257 characters that fold to nothing", strings.Repeat("\u0301", 257), ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keyword, err := Parse(tt.text)
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrInvalid) || !keyword.IsZero() {
				t.Errorf("got %+v, %v; want %v", keyword, err, tt.want)
			}
		})
	}
}

func TestWordsAreThoseOfTheFoldingThatTextIsStoredWith(t *testing.T) {
	for text, want := range map[string][2][]string{
		"Jose\u0301 42":      {{"42", "jose"}, {"42", "jose"}},
		"O\u2019Brien":       {{"o\u2019brien"}, {"o'brien"}},
		"Anna\u2011Maria x":  {{"anna\u2011maria", "x"}, {"anna-maria", "x"}},
		"\uff76\uff9e":       {{"\uff76\uff9e"}, {"ガ"}},
		"\u1100\u1175\u11b7": {{"\u1100\u1175\u11b7"}, {"김"}},
		"a'b a\u2019b":       {{"a'b", "a\u2019b"}, {"a'b"}},
	} {
		k, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, [2][]string{k.WordsBy(FirstFolding), k.WordsBy(SecondFolding)}); diff != "" {
			t.Errorf("%+q (-want +got):\n%s", text, diff)
		}
	}
}

// Where an index is searched by the first folding, answers to the two differ.
func TestKeywordsThatTheFirstFoldingDistinguishesAreNotEqual(t *testing.T) {
	plain, err1 := Parse("o'brien")
	curly, err2 := Parse("o\u2019brien")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	words, _ := plain.Canonical()
	if other, _ := curly.Canonical(); plain == curly || words == other {
		t.Errorf("%+v and %+v are equal", plain, curly)
	}
}

func TestKeywordsThatMeanTheSameAreEqual(t *testing.T) {
	groups := [][]string{
		{"Анна Ковалёва", "ковалева  АННА", "анна ковалева анна", "анна ковал ковалева"},
		{"José", "jose", "Jose\u0301", "JOSE\u200b"},
		{"+7 999", " +7\t999 "},
	}
	var all []Keyword
	for _, group := range groups {
		first, err := Parse(group[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range group[1:] {
			if other, err := Parse(text); err != nil || other != first {
				t.Errorf("%q is %+v, %q is %+v (%v)", group[0], first, text, other, err)
			}
		}
		if slices.Contains(all, first) {
			t.Errorf("%q is equal to another group", group[0])
		}
		all = append(all, first)
	}
}

func TestDroppingWordsChangesNoMatch(t *testing.T) {
	short := rapid.StringMatching(`[ab]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		asked := rapid.SliceOfN(short, 1, 5).Draw(t, "asked")
		fields := rapid.SliceOfN(rapid.StringMatching(`[abc]{0,5}`), 1, 3).Draw(t, "fields")
		holdAll := func(words []string) bool {
			return !slices.ContainsFunc(words, func(word string) bool {
				return !slices.ContainsFunc(fields, func(field string) bool { return strings.Contains(field, word) })
			})
		}
		keyword, err := Parse(strings.Join(asked, " "))
		if err != nil {
			t.Fatal(err)
		}
		if holdAll(asked) != holdAll(keyword.Words()) {
			t.Fatalf("%q became %q, which matches otherwise", asked, keyword.Words())
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"Анна", "8 (999) 123-45-67", "\u200b", `" OR 1=1`, "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		keyword, err := Parse(text)
		if err != nil {
			return
		}
		if len(keyword.Words()) == 0 {
			t.Fatalf("%q has no words", text)
		}
		again, err := Parse(strings.Join(keyword.Words(), " "))
		if errors.Is(err, ErrTooLong) {
			return // folding has written out ligatures
		}
		if err != nil || !slices.Equal(again.Words(), keyword.Words()) {
			t.Errorf("%q became %q and then %q (%v)", text, keyword.Words(), again.Words(), err)
		}
	})
}
