package searchtest

import (
	"slices"
	"testing"
	"unicode"
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
