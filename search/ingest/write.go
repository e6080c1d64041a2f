package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/scopegate/scopegate/search"
)

// retryingWriter tries again while the store is unavailable: it may be busy
// with another writer, or be starting.
type retryingWriter struct {
	to       search.Writer
	attempts int
	backoff  time.Duration
}

// write finishes a try that has begun even when ctx ends, so that the report
// knows what is stored; only the pauses end with ctx. Changes that the store
// refuses are no error: all others are written.
func (w retryingWriter) write(ctx context.Context, changes []search.Change) (search.Written, []search.Refusal, error) {
	pause := w.backoff
	for attempt := 1; ; attempt++ {
		written, err := w.to.Write(context.WithoutCancel(ctx), changes)
		var refused *search.RefusedError
		if errors.As(err, &refused) {
			return written, refused.Refused, nil
		}
		if err == nil || !errors.Is(err, search.ErrUnavailable) || attempt >= w.attempts {
			return written, nil, err
		}
		if !sleep(ctx, pause) {
			return search.Written{}, nil, errors.Join(ctx.Err(), err)
		}
		pause *= 2
	}
}

// sleep reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
