package budget

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

// newTestBreaker is a breaker and what it logs.
func newTestBreaker() (*Breaker, *bytes.Buffer) {
	log := &bytes.Buffer{}
	return NewBreaker(BreakerLog{
		Logger: slog.New(slog.NewTextHandler(log, nil)), Failing: "it is failing", Recovered: "it answers again",
	}), log
}

func failing(context.Context) (int, error) { return 0, errDown }

func answering(context.Context) (int, error) { return 7, nil }

func TestABreakerLogsTheBeginningOfAnOutageWithItsCauseAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newTestBreaker()
		for range 3 * BreakerCalls {
			_, err := Call(t.Context(), b, time.Second, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			if b.IsOpen() && errors.Is(err, ErrOpen) {
				time.Sleep(BreakerDelay) // the next call tries again, and fails
			}
		}
		if got := log.String(); strings.Count(got, "it is failing") != 1 || !strings.Contains(got, "cause=") || strings.Contains(got, `cause=""`) {
			t.Errorf("the log of the outage: %q", got)
		}
		time.Sleep(BreakerDelay)
		if value, err := Call(t.Context(), b, time.Second, answering); value != 7 || err != nil {
			t.Errorf("after the outage: %d, %v", value, err)
		}
		if got := log.String(); strings.Count(got, "it answers again") != 1 {
			t.Errorf("the log of its end: %q", got)
		}
		synctest.Wait()
	})
}

func TestAnOpenBreakerCallsNothing(t *testing.T) {
	b, _ := newTestBreaker()
	for range BreakerFailures {
		if _, err := Call(t.Context(), b, time.Minute, failing); !errors.Is(err, errDown) {
			t.Fatalf("while it is closed: %v", err)
		}
	}
	called := false
	call := func(context.Context) (int, error) { called = true; return 0, nil }
	_, counted := Call(t.Context(), b, time.Minute, call)
	_, uncounted := CallUncounted(t.Context(), b, time.Minute, call)
	if called || !errors.Is(counted, ErrOpen) || !errors.Is(uncounted, ErrOpen) {
		t.Errorf("called: %t, errors %v and %v", called, counted, uncounted)
	}
}

func TestCallsThatAreNotCountedDoNotOpenABreaker(t *testing.T) {
	b, log := newTestBreaker()
	for range 3 * BreakerCalls {
		if _, err := CallUncounted(t.Context(), b, time.Minute, failing); !errors.Is(err, errDown) {
			t.Fatalf("got %v", err)
		}
	}
	if !b.IsClosed() || log.Len() > 0 {
		t.Errorf("it is %s, the log %q", b.State(), log)
	}
}
