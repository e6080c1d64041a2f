package pause

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPauseLastsUnlessItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !For(t.Context(), time.Second) || time.Since(began) != time.Second {
			t.Errorf("it lasted %s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if For(ctx, time.Hour) || time.Since(began) != time.Second {
			t.Errorf("its context ended, and it lasted %s", time.Since(began))
		}
	})
}

func TestJitteredPausesDifferWithinTheirBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 100 {
			began := time.Now()
			if !Jittered(t.Context(), time.Second) {
				t.Fatal("it ended early")
			}
			took := time.Since(began)
			if took < time.Second/2 || took > time.Second {
				t.Fatalf("it lasted %s", took)
			}
			seen[took] = true
		}
		if len(seen) < 50 {
			t.Errorf("100 pauses are of %d lengths", len(seen))
		}
		if !Jittered(t.Context(), 0) {
			t.Error("none at all ends early")
		}
	})
}
