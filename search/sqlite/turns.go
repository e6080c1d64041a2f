package sqlite

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/search"
)

// turns lets one after another use what only one may use at a time. Unlike with
// a mutex, who waits can leave.
type turns struct {
	token  chan struct{} // holds one; who has it uses the rest
	closed bool
}

func newTurns() turns {
	t := turns{token: make(chan struct{}, 1)}
	t.token <- struct{}{}
	return t
}

// use runs f while nobody else does.
func (t *turns) use(ctx context.Context, f func() error) error {
	select {
	case <-ctx.Done():
		return engineError(ctx, ctx.Err())
	case <-t.token:
	}
	defer func() { t.token <- struct{}{} }()
	if t.closed {
		return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, errClosed)
	}
	return f()
}

// end waits for whose turn it is; after it nobody has one.
func (t *turns) end() {
	<-t.token
	t.closed = true
	t.token <- struct{}{}
}
