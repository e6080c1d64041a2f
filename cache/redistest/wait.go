package redistest

import (
	"testing"
	"time"
)

// Eventually waits for what takes its time, and fails the test when it takes
// longer than any machine would.
func Eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	Within(tb, time.Minute, what, is)
}

// Within waits for what is promised to come by then.
func Within(tb testing.TB, bound time.Duration, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	tb.Fatalf("not within %s: %s", bound, what)
}
