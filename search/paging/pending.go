package paging

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

var errPanic = errors.New("snapshot: reading it panicked")

// Pending is a batch on its way. Who begins one waits for it, also when its rows
// are no longer wanted: its context makes that short.
type Pending struct {
	done  chan struct{}
	batch *Batch
	err   error
}

// Start has a batch filled by a goroutine of its own. A panic of it is an error
// of the reading: it is for whoever wants the batch, here it would end the
// process.
func Start(ctx context.Context, into *Batch, read func(context.Context, *Batch) error) *Pending {
	r := &Pending{done: make(chan struct{}), batch: into}
	go func() {
		defer close(r.done)
		defer func() {
			if cause := recover(); cause != nil {
				r.err = fmt.Errorf("%w: %T\n%s", errPanic, cause, debug.Stack())
			}
		}()
		r.err = read(ctx, into)
	}()
	return r
}

// Done is closed when Wait has nothing to wait for.
func (r *Pending) Done() <-chan struct{} { return r.done }

// Wait returns the batch that was given to Start, and how reading it ended.
func (r *Pending) Wait() (*Batch, error) {
	<-r.done
	return r.batch, r.err
}
