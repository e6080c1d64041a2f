package tenancy

import (
	"context"
	"log/slog"
	"time"
)

// maxLoad bounds one refresh of what is read from a source.
const maxLoad = 10 * time.Second

// beat keeps something that is read from a source fresh.
type beat struct {
	what    string // for the log
	every   time.Duration
	refresh func(context.Context) error
	hurry   <-chan struct{} // has it refresh at once; nil: nothing does
	logger  *slog.Logger
}

// hurryRest is how long it does not hurry again: news may come all the time.
const hurryRest = 500 * time.Millisecond

// run refreshes on the beat until ctx ends. A failure is logged and left to the
// next beat: what it means is for those who ask how old the thing is.
func (b beat) run(ctx context.Context) {
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	hurry, failing := b.hurry, false
	var rested <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-rested:
			hurry, rested = b.hurry, nil
			continue
		case <-hurry:
			hurry, rested = nil, time.After(hurryRest)
		case <-tick.C:
		}
		err := b.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			b.logger.WarnContext(ctx, b.what+" not refreshed", slog.Any("error", err))
		case failing:
			b.logger.InfoContext(ctx, b.what+" refreshed again")
		}
		failing = err != nil
	}
}
