package searchtest

import (
	"strings"

	"github.com/scopegate/scopegate/search/keyword"
)

// longText returns a text of pseudo-random words without spaces, in which a longer
// part hardly ever occurs twice.
func longText(alphabet string, length int) []rune {
	letters := []rune(alphabet)
	text := make([]rune, 0, length)
	state := uint32(7)
	for range length {
		state = state*1664525 + 1013904223 // Numerical Recipes' generator
		text = append(text, letters[int(state>>16)%len(letters)])
	}
	return text
}

const (
	latin    = "abcdefghijklmnopqrstuvwxyz"
	cyrillic = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
	pictures = "\U0001f600\U0001f601\U0001f602\U0001f603\U0001f604\U0001f605\U0001f606\U0001f607"
)

func lengthFixture() []spec {
	of := func(id, field string, text []rune) spec {
		return spec{id, lengthCo, values{field: string(text)}}
	}
	return []spec{
		of("n1", "name", longText(latin, keyword.MaxFieldLen)),
		of("n2", "clientId", longText(cyrillic, keyword.MaxFieldLen)),
		of("n3", "telegramClientId", longText(pictures, keyword.MaxFieldLen)),
		of("n4", "name", longText(latin, 255)),
		of("n5", "whatsappPhone", longText("0123456789", keyword.MaxFieldLen)),
		of("n6", "name", []rune(strings.Repeat("ab ", 333)+"z")),
		of("n7", "name", []rune(strings.Repeat("\u00df", keyword.MaxFieldLen))),
	}
}

func lengthChecks() []check {
	wide, slavic := longText(latin, keyword.MaxFieldLen), longText(cyrillic, keyword.MaxFieldLen)
	smile, number := longText(pictures, keyword.MaxFieldLen), longText("0123456789", keyword.MaxFieldLen)
	part := func(text []rune, from, length int) string { return string(text[from:][:length]) }
	other := func(text string) string { return strings.ToUpper(text[:len(text)-1]) + "#" }
	words := func(text []rune, size, count int) string {
		var list []string
		for i := range count {
			list = append(list, part(text, i*size, size))
		}
		return strings.Join(list, " ")
	}
	return reads("length", lengthCo, []read{
		{name: "255 characters at the start", keyword: part(wide, 0, 255), want: "n1 n4"},
		{name: "256 characters at the start", keyword: part(wide, 0, 256), want: "n1"},
		{name: "256 characters in the middle", keyword: part(wide, 400, 256), want: "n1"},
		{name: "256 characters at the end", keyword: part(wide, 744, 256), want: "n1"},
		{name: "256 characters in capitals", keyword: strings.ToUpper(part(wide, 744, 256)), want: "n1"},
		{name: "256 characters, the last one wrong", keyword: other(part(wide, 744, 256))},
		{name: "256 characters past the end", keyword: part(wide, 745, 255) + "a"},
		{name: "255 Cyrillic characters", keyword: part(slavic, 300, 255), want: "n2"},
		{name: "256 Cyrillic characters", keyword: part(slavic, 744, 256), want: "n2"},
		{name: "256 emoji", keyword: part(smile, 500, 256), want: "n3"},
		{name: "256 emoji, the order wrong", keyword: part(smile, 500, 128) + part(smile, 200, 128)},
		{name: "256 digits", keyword: part(number, 744, 256), want: "n5"},
		{name: "64 words of three characters", keyword: words(wide, 3, 64), want: "n1 n4"},
		{name: "85 words of two characters", keyword: words(slavic, 2, 85), want: "n2"},
		{name: "51 words of four emoji", keyword: words(smile, 4, 51), want: "n3"},
		{name: "128 times the same letter", keyword: strings.Repeat("q ", 127) + "q", want: "n1 n4"},
		{name: "a character at the very end", keyword: part(slavic, 999, 1) + " " + part(slavic, 990, 10), want: "n2"},
		{name: "two characters at the very end", keyword: "ab z", want: "n6"},
		{name: "a keyword that grows by folding", keyword: strings.Repeat("\u00df", 256), want: "n7"},
		{name: "an odd part of what grew by folding", keyword: "sss", want: "n7"},
		{name: "256 blanks but one", keyword: strings.Repeat(" ", 128) + "\U0001f607" + strings.Repeat(" ", 127), want: "n3"},
		{name: "256 percent signs", keyword: strings.Repeat("%", 256)},
		{name: "256 quotes", keyword: strings.Repeat(`"`, 256)},
	})
}
