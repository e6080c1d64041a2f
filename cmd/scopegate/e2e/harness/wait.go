package harness

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// AwaitCallers returns when n requests wait for what the cache loads. That a
// request has joined another's load shows nowhere but in where it stands.
func AwaitCallers(t *testing.T, n int) {
	t.Helper()
	const waiting = "scopegate/cache.(*Cache).wait("
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		stacks := make([]byte, 32<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if strings.Count(string(stacks), waiting) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are no %d requests in %s…):\n%s", n, waiting, stacks)
		}
	}
}

// Heard is how soon gateways answer anew after an invalidation: a second, on a
// machine that has nothing else to do.
const Heard = 10 * time.Second

// Eventually waits for what takes its time, and fails the test when it takes
// longer than any machine would.
func Eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	Within(t, time.Minute, what, is)
}

// Within waits for what is promised to come by then.
func Within(t *testing.T, bound time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within %s: %s", bound, what)
}

// RevocationBound is the contract's: a grant taken away is invisible by then.
const RevocationBound = 15 * time.Second
