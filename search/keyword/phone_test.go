package keyword

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestPhonesOfAKeyword(t *testing.T) {
	german := []string{"01713920001", "491713920001"} // national with the trunk prefix, and international
	tests := []struct {
		name, keyword string
		want          []string
	}{
		{"national with a trunk prefix", "0171 392 00 01", []string{"1713920001"}},
		{"national with a slash", "0171/3920001", []string{"1713920001"}},
		{"the trunk prefix in parentheses", "(0)171 3920001", []string{"1713920001"}},
		{"the area code in parentheses", "(0171) 3920001", []string{"1713920001"}},
		{"international with 00", "0049 171 3920001", german},
		{"international with +", "+49 171 3920001", german},
		{"international with + and a slash", "+49 171/3920001", german},
		{"international with the trunk prefix in parentheses", "+49 (0) 171 3920001", german},
		{"the same with 00, without spaces", "0049(0)1713920001", german},
		{"the same with white space in the parentheses", "+49 ( 0 ) 171 3920001", german},
		{"the same with a full-width zero", "+49（０）171 3920001", german},
		{"the same in Arabic-Indic digits", "+٤٩ (٠) ١٧١ ٣٩٢٠٠٠١", german},
		{"the trunk prefix without parentheses", "+49 0171 3920001", german},
		{"the country code in parentheses", "(+49) 171 3920001", german},
		{"tel:", "tel:+491713920001", german},
		{"TEL: in capitals, with white space", " TEL: +49-171-3920001", german},
		{"tel: in full-width letters", "ｔｅｌ：０１７１３９２０００１", []string{"1713920001"}},
		{"digits alone are not read as international", "491713920001", []string{"491713920001"}},
		{"a country code of three digits", "+380 67 1002030", []string{"0671002030"}},
		{"a country without a trunk prefix 0", "+1 (555) 010-0123", []string{"15550100123"}},
		{"the long vowel mark of Japanese", "090ー1234ー5678", []string{"9012345678"}},
		{"all in full-width", "０９０ー１２３４ー５６７８", []string{"9012345678"}},
		{"the half-width one", "090ｰ1234ｰ5678", []string{"9012345678"}},
		{"a long vowel mark in front", "ー09012345678", nil},
		{"a long vowel mark behind", "09012345678ー", nil},
		{"a leading 8 of eleven digits", "8 999 123-45-67", []string{"79991234567", "89991234567"}},
		{"a leading 7 of eleven digits", "+7 999 123-45-67", []string{"79991234567", "89991234567"}},
		{"the same with 00", "007 999 123-45-67", []string{"79991234567", "89991234567"}},
		{"an 8 of ten digits", "8999123456", []string{"8999123456"}},
		{"a 7 of twelve digits", "799912345678", []string{"799912345678"}},
		{"six digits are searched for as they are", "0171 39", []string{"017139"}},
		{"six digits with 00", "0049 17", []string{"004917"}},
		{"six digits with a zero in parentheses", "+4(0)171", []string{"40171"}},
		{"seven digits", "0171 392", []string{"171392"}},
		{"zeros alone", "0000000", []string{"00000"}},
		{"four digits", "12-34", []string{"1234"}},
		{"three digits", "12-3", nil},
		{"tel: alone", "tel:", nil},
		{"tel: in the middle", "1234 tel:5678", nil},
		{"other letters", "fax:12345", nil},
		{"dashes and signs of every kind", "₊49⁽0⁾171⁄392∕00‐0\u2024\u30311", nil},
		{"signs that look like those of a phone", "₊49⁽0⁾171⁄392∕00‐0\u20241", german},
		{"bidi and zero-width marks", "\u202a+49\u200b171\u20603920001\u202c", german},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := Parse(tt.keyword)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, k.Phones(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// finds reports whether the keyword finds a stored phone by its digits.
func finds(t interface{ Fatal(...any) }, text, stored string) bool {
	k, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(k.Phones(), func(phone string) bool { return strings.Contains(PhoneDigits(stored), phone) })
}

func TestTheNationalAndTheInternationalWritingFindEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom([]string{"20", "31", "380", "44", "49", "81", "972"}).Draw(t, "code")
		area := rapid.StringMatching(`[1-9][0-9]{1,3}`).Draw(t, "area")
		rest := rapid.StringMatching(`[0-9]{5,8}`).Draw(t, "rest")
		sign := rapid.SampledFrom([]string{"", " ", "-", "/", ".", "\u2011", "\u00a0", "\u30fc"}).Draw(t, "sign")
		national := "0" + area + sign + rest
		international := []string{
			"+" + code + sign + area + sign + rest, "00" + code + sign + area + sign + rest,
			"+" + code + " (0) " + area + sign + rest, "tel:+" + code + sign + area + sign + rest,
		}
		stored := []string{code + area + rest, international[0], international[1], international[2]}
		for _, written := range append(international, national) {
			for _, kept := range append(stored, national) {
				if !finds(t, written, kept) {
					t.Fatalf("%q does not find %q", written, kept)
				}
			}
		}
	})
}

// phoneText draws texts of the characters that phones are read from, and of others.
func phoneText() *rapid.Generator[string] {
	return rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune("00112345789٠١۹０９")), rapid.SampledFrom([]rune("00 +()-./ー–（）　")), rapid.SampledFrom([]rune("tel:x")),
	))
}

func TestAPhoneIsFoundAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(tel:|\+|00)?[0-9() /.+-]{0,20}[0-9]{4}`).Draw(t, "text")
		if !finds(t, text, text) {
			t.Fatalf("%q is not found by itself", text)
		}
	})
}

func checkPhones(t interface{ Fatalf(string, ...any) }, text string) {
	folded := Fold(text)
	phones := phonesOf(folded)
	digits := PhoneDigits(folded)
	if len(phones) > 0 && !slices.ContainsFunc(phones, func(p string) bool { return strings.Contains(digits, p) }) {
		t.Fatalf("%q is not found by its own digits %s: %q", text, digits, phones)
	}
	for i, phone := range phones {
		if len(phone) < minPhoneDigits || PhoneDigits(phone) != phone || i > 0 && phones[i-1] >= phone {
			t.Fatalf("%q became %q", text, phones)
		}
		for j, other := range phones {
			if i != j && strings.Contains(phone, other) {
				t.Fatalf("%q became %q, where one is part of another", text, phones)
			}
		}
	}
	if len(phones) > 4 {
		t.Fatalf("%q became %q, which are too many", text, phones)
	}
}

func TestPhonesAreDigitsAndNoneIsPartOfAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkPhones(t, phoneText().Draw(t, "text")) })
}

func FuzzPhone(f *testing.F) {
	for _, seed := range []string{"+49 (0) 171 3920001", "tel:0049171", "０９０ー１２３４ー５６７８", "8 (999) 123-45-67", "((0)0)", "\xff1234", "00(0)0012"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkPhones(t, text) })
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"anna", "Анна Ковалёва", "+7 (999) 123-45-67", "79991234567", "김민준"} {
		b.Run(fmt.Sprintf("%q", text), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestPhoneDigits(t *testing.T) {
	tests := []struct{ name, phone, want string }{
		{"none", "", ""},
		{"no digits", "call me", ""},
		{"as people write it", "+7 (999) 123-45-67", "79991234567"},
		{"in full-width forms", "＋７９９９", "7999"},
		{"in Devanagari", "०१२३४५६७८९", "0123456789"},
		{"in mathematical bold and double-struck", "𝟎𝟏𝟗𝟘𝟡", "01909"},
		{"superscripts and fractions are no decimal digits", "1²½Ⅳ", "1"},
		{"broken UTF-8", "1\xff2", "12"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := PhoneDigits(tt.phone); got != tt.want {
				t.Errorf("PhoneDigits(%q) = %q, want %q", tt.phone, got, tt.want)
			}
		})
	}
}

func TestDecimalDigitsStandInRunsOfTen(t *testing.T) {
	for _, run := range unicode.Nd.R16 {
		if run.Stride != 1 || (run.Hi-run.Lo+1)%10 != 0 {
			t.Errorf("U+%04X–U+%04X by %d", run.Lo, run.Hi, run.Stride)
		}
	}
	for _, run := range unicode.Nd.R32 {
		if run.Stride != 1 || (run.Hi-run.Lo+1)%10 != 0 {
			t.Errorf("U+%04X–U+%04X by %d", run.Lo, run.Hi, run.Stride)
		}
	}
}
