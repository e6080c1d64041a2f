package keyword

import (
	"maps"
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
		rapid.SampledFrom([]rune("\u0300\u0301\u0306\u0308\u0313\u0314\u0342\u0345\u0338\u200b\u200d\u00ad\u202e")),
		rapid.Rune(),
	))
}

func TestFoldingWhatIsFoldedChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := foldText().Draw(t, "text")
		once := Fold(text)
		if twice := Fold(once); twice != once {
			t.Fatalf("Fold(%+q) = %+q, and again %+q", text, once, twice)
		}
	})
}

func TestFoldAppliesTheLongestRuleAtEachPosition(t *testing.T) {
	rules := maps.Collect(FirstFolding.Rules())
	longest := 0
	for from := range rules {
		longest = max(longest, utf8.RuneCountInString(from))
	}
	naive := func(text string) string {
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
		return out.String()
	}
	rapid.Check(t, func(t *rapid.T) {
		text := foldText().Draw(t, "text")
		if got, want := Fold(text), naive(text); got != want {
			t.Fatalf("Fold(%+q) = %+q, want %+q", text, got, want)
		}
	})
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

func TestFoldRulesAreSortedAndShapedAsTheIndexNeeds(t *testing.T) {
	last := ""
	for from := range FirstFolding.Rules() {
		if from <= last {
			t.Errorf("%+q comes behind %+q", from, last)
		}
		last = from
		for i, r := range []rune(from) {
			if i > 0 && (r < 0x300 || r > 0x36f) {
				t.Errorf("%+q goes on with %U, which is no combining mark", from, r)
			}
		}
	}
}

func TestFoldRulesStopWhenTheReaderDoes(t *testing.T) {
	for range FirstFolding.Rules() {
		break // a yield after false would panic
	}
}

func TestFoldFingerprintIsThatOfTheTable(t *testing.T) {
	// When this fails the table has changed: all text that was folded with the old
	// one must be written again. Engines notice it by the fingerprint.
	const want = "73f9a2aa160217781cef3a467f12e08d0fce25ee4eb5c100901092036b556b74"
	if got := FirstFolding.Fingerprint(); got != want {
		t.Errorf("FirstFolding.Fingerprint() = %s, want %s", got, want)
	}
}

func TestFoldOfFoldedTextDoesNotAllocate(t *testing.T) {
	for _, text := range []string{"anna 42", "ковалева анна", "東京", strings.Repeat("x", 1000)} {
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
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fold(text)
			}
		})
	}
}
