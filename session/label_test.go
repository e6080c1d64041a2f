package session

import (
	"regexp"
	"testing"
	"unicode"
)

// Headings of CSV are not quoted, and a table of a workbook must not have one twice.
func TestEveryFieldHasDistinctLabelsThatNeedNoQuotes(t *testing.T) {
	plain := regexp.MustCompile(`^[\pL][\pL\pN ()%-]*$`)
	for _, language := range []Language{English, Russian} {
		seen := map[string]string{}
		for _, f := range Fields() {
			label := f.Label.In(language)
			if !plain.MatchString(label) {
				t.Errorf("%s of %s is %q: it must be letters, digits, spaces, brackets, hyphens or %%", language, f.Name, label)
			}
			if other, double := seen[label]; double {
				t.Errorf("%s and %s have the same label %q", other, f.Name, label)
			}
			seen[label] = f.Name
		}
	}
	for _, f := range Fields() {
		for _, r := range f.Label.EN {
			if unicode.Is(unicode.Cyrillic, r) {
				t.Errorf("%s: %q is not English", f.Name, f.Label.EN)
				break
			}
		}
	}
}

func TestLanguagesAreReadByTheirFirstSubtag(t *testing.T) {
	for tag, want := range map[string]Language{"en": English, "EN": English, "en-GB": English, "ru": Russian, "ru_RU": Russian, "RU-ru": Russian} {
		if got, ok := ParseLanguage(tag); got != want || !ok {
			t.Errorf("%s: %s, %t", tag, got, ok)
		}
	}
	for _, tag := range []string{"", "de", "rus", "-ru", "english"} {
		if _, ok := ParseLanguage(tag); ok {
			t.Errorf("%q has labels", tag)
		}
	}
}
