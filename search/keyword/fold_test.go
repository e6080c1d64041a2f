package keyword

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty text stays empty", "", ""},
		{"ASCII is lower-cased", "Anna-MARIA 42", "anna-maria 42"},
		{"punctuation is left alone", `*?"/\:[]{}()+^~`, `*?"/\:[]{}()+^~`},
		{"a composed Latin letter loses its mark", "José Åström", "jose astrom"},
		{"a decomposed Latin letter loses its mark", "Jose\u0301 A\u030astro\u0308m", "jose astrom"},
		{"several marks are lost at once", "Nguyễn Thị Hồng", "nguyen thi hong"},
		{"a mark on a stroked letter is lost with the stroke", "Ǿ ǿ ø\u0301", "o o o"},
		{"strokes and hooks are lost", "Łódź Đorđe Ħal Ŧ ƒ ɓ", "lodz dorde hal t f b"},
		{"ligatures are written out", "Ærø œuvre ǅ Ĳ ﬁ ﬄ ﬆ", "aero oeuvre dz ij fi ffl st"},
		{"letters with a name of their own", "ß ẞ ð Þ ŋ ſ ŉ ŀ ĸ", "ss ss d th n s n l q"},
		{"letters above the line are letters", "1ª 2º xⁿ", "1a 2o xn"},
		{"the Turkish i has no dot to lose", "İstanbul ılık Iğdır i\u0307", "istanbul ilik igdir i"},
		{"the Kelvin and the Ångström sign are letters", "\u212a \u212b", "k a"},
		{"ё is е", "Ёлка ёж Е\u0308лка е\u0308ж", "елка еж елка еж"},
		{"й is not и", "Йод мой", "йод мой"},
		{"й is й when decomposed", "И\u0306од мои\u0306", "йод мой"},
		{"й with a stress mark is й", "и\u0306\u0301", "й"},
		{"a stress mark is lost", "Рома\u0301н", "роман"},
		{"other Cyrillic letters keep their marks", "Її Ўў Ѓѓ І\u0308 у\u0306", "її ўў ѓѓ ї ў"},
		{"Greek keeps its tonos", "Ά ά α\u0301 Α\u0301 ά", "ά ά ά ά ά"},
		{"Greek of three marks is one letter however composed",
			"\u1f85 \u1f8d \u1f05\u0345 \u1f81\u0301 \u03b1\u0314\u0301\u0345 \u0391\u0314\u0301\u0345",
			"\u1f85 \u1f85 \u1f85 \u1f85 \u1f85 \u1f85"},
		{"a letter without a capital of its own in one piece", "\u0390 ι\u0308\u0301 Ι\u0308\u0301 Ϊ\u0301", "\u0390 \u0390 \u0390 \u0390"},
		{"the final sigma is a sigma", "Σίσυφος ΣΊΣΥΦΟΣ", "σίσυφοσ σίσυφοσ"},
		{"the micro sign is a mu", "µ μ Μ", "μ μ μ"},
		{"Georgian capitals", "ᲐᲑ აბ", "აბ აბ"},
		{"Hebrew and Arabic are left alone", "שלום سلام", "שלום سلام"},
		{"CJK and emoji are left alone", "東京 がぎ 😀", "東京 がぎ 😀"},
		{"full-width forms are ASCII", "ＡＢｃ１２３（）＋－．～", "abc123()+-.~"},
		{"the ideographic space is a space", "東\u3000京", "東 京"},
		{"bidi controls are dropped", "a\u200eb\u200fc\u061cd\u202ae\u202bf\u202cg\u202dh\u202ei\u2066j\u2067k\u2068l\u2069m", "abcdefghijklm"},
		{"zero-width marks and soft hyphens are dropped", "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "abcdefg"},
		{"a text of nothing but marks is empty", "\u0301\u200b\u036f", ""},
		{"a decomposed symbol is the composed one", "a<\u0338b", "a≮b"},
		{"a decomposed symbol with white space between is none", "< \u0338", "< "},
		{"apostrophes of every kind are one", "O\u2019Brien Мар\u02bcяна a\u2032b\u00b4c`d\u2018e\u201bf\uff07g\uff40h\u02bbi\u1fefj", "o'brien мар'яна a'b'c'd'e'f'g'h'i'j"},
		{"hyphens and dashes are one", "a\u2010b\u2011c\u2012d\u2013e\u2014f\u2015g\u2212h\uff0di\ufe63j", "a-b-c-d-e-f-g-h-i-j"},
		{"variation selectors are dropped", "\u2764\ufe0f 1\ufe0f\u20e3 葛\U000e0100 \u180b\u180f", "\u2764 1\u20e3 葛 "},
		{"half-width kana are full-width", "ﾔﾏﾀﾞ ﾀﾛｳ ﾊﾟﾊﾟ ｽｰﾂ ｳﾞｧ ﾜﾞ", "ヤマダ タロウ パパ スーツ ヴァ ヷ"},
		{"kana with a mark of the other width", "カ\uff9e \uff76\u3099", "ガ ガ"},
		{"decomposed kana are the composed ones", "か\u3099き\u3099は\u309a", "がぎぱ"},
		{"か is not が", "か が", "か が"},
		{"a mark of its own stays", "\u3099 ん\u3099 \uff9e", "\u3099 ん\u3099 \u3099"},
		{"marks between the parts are dropped", "か\u200b\u0301\ufe00\u3099", "が"},
		{"Hangul jamo are syllables", "\u1100\u1175\u11b7\u1106\u1175\u11ab\u110c\u116e\u11ab", "김민준"},
		{"a final consonant after a syllable", "\uae30\u11b7 \ub9bc\u11b7", "김 \ub9bc\u11b7"},
		{"jamo that are no syllable stay", "\u1100 \u1175 \u11b7 \u1100\u11b7 \u1113\u1161", "\u1100 \u1175 \u11b7 \u1100\u11b7 \u1113\u1161"},
		{"nukta in one piece and in two", "\u095c \u0921\u093c \u0929 \u0928\u093c", "\u0921\u093c \u0921\u093c \u0929 \u0929"},
		{"Bengali and Sinhala vowels of two and three parts", "\u09c7\u09be \u0dd9\u0dcf\u0dca \u0ddc\u0dca", "\u09cb \u0ddd \u0ddd"},
		{"tashkeel and tatweel are dropped", "مُحَمَّد م\u0640\u0640حمد", "محمد محمد"},
		{"Arabic presentation forms are letters", "\ufee3\ufea4\ufee4\ufeaa \ufefb \ufdf2 \ufb7a", "محمد لا الله چ"},
		{"forms of Arabic marks are dropped", "a\ufe70b\ufe71c\ufc60d\ufcf2e", "abcde"},
		{"alef with hamza and maddah, composed or not", "\u0623\u0627\u0654 \u0622\u0627\u0653 \u0626\u064a\u0654", "\u0623\u0623 \u0622\u0622 \u0626\u0626"},
		{"alef with hamza is not alef", "\u0623 \u0627", "\u0623 \u0627"},
		{"duplicates of Unicode are one character", "\u2126 \uf900 \ufb1d \U0002f800", "ω \u8c48 \u05d9\u05b4 \u4e3d"},
		{"bytes that are no UTF-8 become U+FFFD", "A\xffb\xd0", "a\ufffdb\ufffd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Fold(tt.text); got != tt.want {
				t.Errorf("Fold(%+q) = %+q, want %+q", tt.text, got, tt.want)
			}
		})
	}
}

// foldText draws texts in which rules meet: bases, marks, invisible marks and any
// other characters next to each other.
func foldText() *rapid.Generator[string] {
	return rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune("aAéßıİеЕёиИйЙіуαΑάϊΐυςσΣω<＜ǆﬁ　Ａ ")),
		rapid.SampledFrom([]rune("`'’ʼ-–かカｶが\u3099\u309aﾞﾟアالوي\u0653\u0654\u0655\u064e\u0651ﻻﷲ\u1100\u1112\u1161\u1175\u11a8\u11c2가힣\u0921\u093c\u095c\u0928\u0929\u09c7\u09be\u0dd9\u0dcf\u0dca\u0ddc\ufe0f\u180b")),
		rapid.SampledFrom([]rune("\u0300\u0301\u0306\u0308\u0313\u0314\u0342\u0345\u0338\u200b\u200d\u00ad\u202e")),
		rapid.Rune(),
	))
}

// foldings are all versions.
func foldings() []Folding { return []Folding{FirstFolding, SecondFolding} }

func TestFoldingWhatIsFoldedChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := foldText().Draw(t, "text")
		for _, f := range foldings() {
			once := f.Fold(text)
			if twice := f.Fold(once); twice != once {
				t.Fatalf("%d: %+q is folded to %+q, and that to %+q", f, text, once, twice)
			}
		}
	})
}

// naiveFold applies the passes as Elasticsearch's character filters do.
func naiveFold(f Folding) func(string) string {
	passes := make([]map[string]string, 0, 3)
	longest := 0
	for _, pass := range f.Passes() {
		passes = append(passes, maps.Collect(pass))
		for from := range pass {
			longest = max(longest, utf8.RuneCountInString(from))
		}
	}
	return func(text string) string {
		for _, rules := range passes {
			var out strings.Builder
			for runes := []rune(text); len(runes) > 0; {
				taken, to := 1, string(runes[0])
				for n := min(longest, len(runes)); n > 0; n-- {
					if rule, ok := rules[string(runes[:n])]; ok {
						taken, to = n, rule
						break
					}
				}
				out.WriteString(to)
				runes = runes[taken:]
			}
			text = out.String()
		}
		return text
	}
}

func TestFoldAppliesTheLongestRuleAtEachPosition(t *testing.T) {
	for _, f := range foldings() {
		naive := naiveFold(f)
		rapid.Check(t, func(t *rapid.T) {
			text := foldText().Draw(t, "text")
			if got, want := f.Fold(text), naive(text); got != want {
				t.Fatalf("%d: %+q is folded to %+q, want %+q", f, text, got, want)
			}
		})
		for _, pass := range f.Passes() {
			for from := range pass {
				if got, want := f.Fold(from), naive(from); got != want || f.Fold(want) != want {
					t.Errorf("%d: %+q is folded to %+q, want %+q, which is folded to %+q", f, from, got, want, f.Fold(want))
				}
			}
		}
	}
}

// Canonically equal text differs from its composed form in the order of marks, or in
// compositions that Unicode excludes. Folding knows the compositions only.
func TestFoldOfEveryCodePointIsThatOfItsCanonicalForms(t *testing.T) {
	for r := range unicode.MaxRune + 1 {
		if !utf8.ValidRune(r) {
			continue
		}
		want := Fold(string(r))
		for _, form := range []norm.Form{norm.NFC, norm.NFD} {
			if other := form.String(string(r)); Fold(other) != want {
				t.Errorf("%U is folded to %+q, %+q to %+q", r, want, other, Fold(other))
			}
		}
	}
}

func TestFoldKnowsWhichTextTheFirstFoldingFoldsOtherwise(t *testing.T) {
	differs := 0
	check := func(t interface{ Fatalf(string, ...any) }, text string) {
		folded, isNew := SecondFolding.table().fold(text)
		if first := FirstFolding.Fold(text); first != folded {
			differs++
			if !isNew {
				t.Fatalf("%+q is folded to %+q and was to %+q", text, folded, first)
			}
		}
	}
	for r := range unicode.MaxRune + 1 {
		check(t, string(r))
	}
	if differs < 1500 {
		t.Errorf("%d code points are folded otherwise than before", differs)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, foldText().Draw(t, "text")) })
}

func TestFoldOfEveryCodePointIgnoresCase(t *testing.T) {
	for r := range unicode.MaxRune + 1 {
		if !utf8.ValidRune(r) || isDropped(r) {
			continue
		}
		want := Fold(string(r))
		for _, other := range []rune{unicode.ToUpper(r), unicode.ToLower(r), unicode.ToTitle(r), unicode.SimpleFold(r)} {
			if got := Fold(string(other)); got != want && !isDropped(other) {
				t.Errorf("%U folds to %+q, %U to %+q", r, want, other, got)
			}
		}
	}
}

// isDropped reports whether folding removes the character. U+0345 is a mark and
// removed, although it has a capital, Ι.
func isDropped(r rune) bool { return Fold(string(r)) == "" }

func TestFoldOfEveryComposedCodePointIsThatOfItsDecomposition(t *testing.T) {
	seen := 0
	for r := range unicode.MaxRune + 1 {
		parts := []rune(norm.NFD.String(string(r)))
		isOther := func(r rune) bool { return r < 0x300 || r > 0x36f }
		if len(parts) == 1 || slices.ContainsFunc(parts[1:], isOther) {
			continue
		}
		seen++
		if got, want := Fold(string(parts)), Fold(string(r)); got != want {
			t.Errorf("%U folds to %+q, decomposed (%U) to %+q", r, want, parts, got)
		}
	}
	if seen < 800 {
		t.Errorf("found %d composed code points, expected 800 or more", seen)
	}
}

func TestRulesAreSortedAndShapedAsTheIndexNeeds(t *testing.T) {
	for _, f := range foldings() {
		for number, pass := range f.Passes() {
			last := ""
			for from := range pass {
				if from <= last {
					t.Errorf("%+q comes behind %+q", from, last)
				}
				last = from
				for i, r := range []rune(from) {
					if number == 0 && i > 0 && (r < 0x300 || r > 0x36f) {
						t.Errorf("%+q goes on with %U, which is no combining mark", from, r)
					}
				}
			}
		}
		starts := map[rune]int{}
		for from := range f.Passes()[0] {
			first, _ := utf8.DecodeRuneInString(from)
			if starts[first]++; starts[first] > math.MaxUint8 {
				t.Errorf("%U begins more rules than the index can count", first)
			}
		}
		if n := len(f.table().rules); n > math.MaxUint16 {
			t.Errorf("%d rules are more than the index can number", n)
		}
	}
}

func TestPartsOfCompositionsAreFolded(t *testing.T) {
	rules := maps.Collect(SecondFolding.Passes()[0])
	for _, p := range secondPairs {
		for _, r := range []rune{p.first, p.second, p.to} {
			if to, ok := rules[string(r)]; ok {
				t.Errorf("%U is folded to %+q, so %U is never composed", r, to, p.to)
			}
		}
	}
}

func TestRulesStopWhenTheReaderDoes(t *testing.T) {
	for _, f := range foldings() {
		for _, pass := range f.Passes() {
			for range pass {
				break // a yield after false would panic
			}
		}
	}
}

func TestFingerprintsStayAsTheyAre(t *testing.T) {
	// When this fails the rules have changed: text that is stored would not be found.
	// Make another version of the folding instead, and a step of the schema.
	want := map[Folding]string{
		FirstFolding:  "73f9a2aa160217781cef3a467f12e08d0fce25ee4eb5c100901092036b556b74",
		SecondFolding: "abc76bc6e9f006c4eb728c88fba49282a2f3c4e85e1f3ad036cbfdda4fbfef63",
	}
	for f, fingerprint := range want {
		if got := f.Fingerprint(); got != fingerprint {
			t.Errorf("folding %d has fingerprint %s, want %s", f, got, fingerprint)
		}
	}
}

func TestFoldOfFoldedTextDoesNotAllocate(t *testing.T) {
	for _, text := range []string{"anna 42", "ковалева анна", "東京", "김민준 がぎ", "দেবনাগরী সোনার", "محمد", strings.Repeat("x", 1000)} {
		if n := testing.AllocsPerRun(100, func() { Fold(text) }); n != 0 {
			t.Errorf("Fold(%q) allocates %v times", text, n)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range []string{"Anna", "И\u0306", "\xff\u0301", "ﬄ\u200b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := Fold(text)
		if !utf8.ValidString(once) {
			t.Errorf("Fold(%+q) = %+q is no UTF-8", text, once)
		}
		if twice := Fold(once); twice != once {
			t.Errorf("Fold(%+q) = %+q, and again %+q", text, once, twice)
		}
	})
}

func BenchmarkFold(b *testing.B) {
	for name, text := range map[string]string{
		"lower ASCII":    "client-90125-abcdef",
		"mixed ASCII":    "Maria Lindqvist",
		"Cyrillic":       "Анна Ковалёва",
		"lower Cyrillic": "анна ковалева",
		"Arabic":         "محمد علي",
		"Hangul":         "김민준",
		"half-width":     "ﾔﾏﾀﾞ ﾀﾛｳ",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fold(text)
			}
		})
	}
}
