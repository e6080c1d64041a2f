// Package budget lets callers leave calls that do not end in time.
//
// A client library may wait on locks, timers and connections of its own that no
// context ends. Who runs a call here returns when the context ends, whatever
// the library does.
package budget

import (
	"context"
	"errors"
)

var errEnded = errors.New("the call ended its goroutine")

// Calls bounds how many calls are under way, those included that their callers
// have left. It is safe for use by several goroutines.
type Calls struct{ slots chan struct{} }

// NewCalls allows n calls at a time, at least one.
func NewCalls(n int) *Calls { return &Calls{slots: make(chan struct{}, max(n, 1))} }

// outcome is how a call ended.
type outcome[T any] struct {
	value    T
	err      error
	panicked any // what it panicked with; nil: it did not
}

// Run returns what do returns, or the error of ctx if that ends first, also
// while it waits for its turn. Do gets ctx, and goes on in a goroutine of its
// own when its caller has left: it must write to nothing that the caller reads.
// A panic of do is one of the caller, if the caller is still there.
func Run[T any](ctx context.Context, c *Calls, do func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	ended := make(chan outcome[T], 1)
	go func() {
		o := outcome[T]{err: errEnded} // stays if do calls runtime.Goexit
		defer func() {
			o.panicked = recover()
			<-c.slots
			ended <- o
		}()
		o.value, o.err = do(ctx)
	}()
	select {
	case o := <-ended:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.value, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
