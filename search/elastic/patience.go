package elastic

import (
	"context"
	"errors"
	"time"

	"github.com/scopegate/scopegate/pause"
)

// Pauses between two attempts.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// patience is how long writers go on asking an Elasticsearch that turns them away.
// The pauses between attempts double.
type patience struct {
	pause time.Duration
	until time.Time
}

func (s *Store) newPatience() *patience {
	return &patience{pause: firstPause, until: time.Now().Add(s.limits.patience)}
}

// left reports whether another attempt may be made.
func (p *patience) left() bool { return time.Now().Before(p.until) }

// wait pauses before the next attempt. Its error is the context's.
func (p *patience) wait(ctx context.Context) error {
	err := sleep(ctx, p.pause)
	p.pause = min(2*p.pause, longestPause)
	return err
}

// insist runs f, and again while Elasticsearch is too busy for it.
func (s *Store) insist(ctx context.Context, f func() error) error {
	p := s.newPatience()
	for {
		err := f()
		if !errors.Is(err, errBusy) || !p.left() {
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

// sleep spreads pauses, so that those who were turned away together do not come
// back together.
func sleep(ctx context.Context, d time.Duration) error {
	if !pause.Jittered(ctx, d) {
		return contextError(ctx)
	}
	return nil
}
