package budget

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWhenAllFailsAttemptsAreLittleMoreThanCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := NewRetries()
		repeated := 0
		calls := rapid.IntRange(1, 2000).Draw(t, "calls")
		for range calls {
			r.Attempt()
			if r.Allow() {
				repeated++
			}
		}
		if repeated > firstSaved+calls/10+1 {
			t.Fatalf("%d of %d calls were repeated", repeated, calls)
		}
		if calls < firstSaved && repeated != calls {
			t.Fatalf("%d of %d calls were repeated; a few always may", repeated, calls)
		}
	})
}

func TestNoMoreRepetitionsAreSavedThanASmallNumber(t *testing.T) {
	r := NewRetries()
	for range 100_000 {
		r.Attempt()
	}
	repeated := 0
	for r.Allow() {
		repeated++
	}
	if repeated != mostRetries {
		t.Errorf("%d were saved, want %d", repeated, mostRetries)
	}
}
