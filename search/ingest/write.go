package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// retryingWriter tries again while the store is unavailable: it may be busy
// with another writer, or be starting.
type retryingWriter struct {
	to       session.Writer
	attempts int
	backoff  time.Duration
}

// write finishes a try that has begun even when ctx ends, so that the report
// knows what is stored; only the pauses end with ctx. Changes that the store
// refuses are no error: all others are written.
func (w retryingWriter) write(ctx context.Context, changes []session.Change) (session.Written, []session.Refusal, error) {
	backoff := w.backoff
	for attempt := 1; ; attempt++ {
		written, err := w.to.Write(context.WithoutCancel(ctx), changes)
		var refused *session.RefusedError
		if errors.As(err, &refused) {
			return written, refused.Refused, nil
		}
		if err == nil || !errors.Is(err, search.ErrUnavailable) || attempt >= w.attempts {
			return written, nil, err
		}
		if !pause.For(ctx, backoff) {
			return session.Written{}, nil, errors.Join(ctx.Err(), err)
		}
		backoff *= 2
	}
}
