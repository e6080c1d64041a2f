package paging

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

var errPanic = errors.New("snapshot: reading it panicked")

// Pending is a batch that is being read. Whoever starts one must wait for it, also
// when its rows are not needed any more. To shorten the wait, end its context.
type Pending struct {
	done  chan struct{}
	batch *Batch
	err   error
}

// Start fills a batch in a goroutine of its own. A panic there would end the process;
// it becomes the error of Wait instead.
func Start(ctx context.Context, into *Batch, read func(context.Context, *Batch) error) *Pending {
	p := &Pending{done: make(chan struct{}), batch: into}
	go func() {
		defer close(p.done)
		defer func() {
			if cause := recover(); cause != nil {
				p.err = fmt.Errorf("%w: %T\n%s", errPanic, cause, debug.Stack())
			}
		}()
		p.err = read(ctx, into)
	}()
	return p
}

// Done returns a channel that is closed when Wait returns at once.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait waits until reading has ended. It returns the batch given to Start and the
// error of reading it.
func (p *Pending) Wait() (*Batch, error) {
	<-p.done
	return p.batch, p.err
}
