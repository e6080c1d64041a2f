package searchtest

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search/keyword"
)

func TestSuitePassesOnTheNaiveEngine(t *testing.T) {
	t.Parallel()
	Run(t, func(testing.TB) Engine { return newMemory(hooks{}) })
}

func TestGeneratedPassesOnTheNaiveEngine(t *testing.T) {
	t.Parallel()
	RunGenerated(t, func(testing.TB) Engine { return newMemory(hooks{}) })
}

func TestNoTwoChecksHaveOneName(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range slices.Concat(checks(), deepChecks(), wideChecks()) {
		if seen[c.name] {
			t.Errorf("two checks are named %q", c.name)
		}
		seen[c.name] = true
	}
	if len(seen) < 200 {
		t.Errorf("%d checks, want at least 200", len(seen))
	}
}

func TestNoTwoSessionsOfTheFixtureHaveOneID(t *testing.T) {
	seen := map[string]bool{}
	for _, doc := range fixture(t) {
		if seen[doc.ID()] {
			t.Errorf("two sessions have the id %q", doc.ID())
		}
		seen[doc.ID()] = true
	}
}

func TestDecimalDigitsComeInRunsOfTen(t *testing.T) {
	for _, r := range unicode.Nd.R16 {
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("U+%04X to U+%04X is no run of tens", r.Lo, r.Hi)
		}
	}
	for _, r := range unicode.Nd.R32 {
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("U+%04X to U+%04X is no run of tens", r.Lo, r.Hi)
		}
	}
}

func TestTheNaiveScanReadsPhonesAsKeywordsDo(t *testing.T) {
	text := rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune("00112345789٠١۹０９")), rapid.SampledFrom([]rune("00 +()-./ー–（）\u3000\u200b⁺⁄")), rapid.SampledFrom([]rune("0123456789")),
	))
	heads := rapid.SampledFrom([]string{"", "", "+", "00", "tel:", "8", "7", "+49 (0) ", "+49 0", "0049"})
	digits := rapid.StringMatching(`(0|00|49|7|8)?[0-9]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		asked := heads.Draw(t, "head") + text.Draw(t, "text")
		k, err := keyword.Parse(asked)
		if err != nil {
			return
		}
		naive := readKeyword(asked)
		stored := digits.Draw(t, "stored")
		if rapid.Bool().Draw(t, "own") {
			stored = digitsOf(asked)
		}
		in := func(phone string) bool { return strings.Contains(stored, phone) }
		if got, want := slices.ContainsFunc(k.Phones(), in), slices.ContainsFunc(naive.phones, in); got != want {
			t.Fatalf("%q finds %q: %t, want %t; %q, want one of %q", asked, stored, got, want, k.Phones(), naive.phones)
		}
	})
}
