package scan

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/scopegate/scopegate/search"
)

// TargetBytes is about how much a batch should hold: enough that a request
// matters little beside its rows, little enough that the two batches a snapshot
// holds are no burden beside many others.
const TargetBytes = 3 << 20

// Batch is some rows and the memory that they stand in, which is used again.
type Batch struct {
	Rows   []search.Row
	Buffer []byte
}

// Source reads batches in order. One goroutine at a time uses it.
type Source interface {
	// Read replaces what is in the batch by the next rows, at least one, or
	// fails, with io.EOF behind the last. It ends soon after its context, which
	// is the same for all reads.
	Read(ctx context.Context, into *Batch) error
	// Close is called once, when no Read runs.
	Close() error
}

// Ahead makes a snapshot of a source and closes it with the snapshot. While one
// batch is taken in, the next one is read, and no more: a reader that stops makes
// the engine stop, and a snapshot never holds more than two batches. When nobody
// asks for a batch for as long as patience, the source is closed, and what is
// left of the snapshot is search.ErrUnavailable: a reader that is too slow must
// not hold on to the engine for ever.
func Ahead(count int64, source Source, patience time.Duration) search.Snapshot {
	// A snapshot outlives the call that opened it and ends by Close. Its reads
	// are no part of that call's trace, which they would drown.
	ctx, cancel := context.WithCancel(context.Background())
	a := &ahead{count: count, source: source, patience: patience, ctx: ctx, cancel: cancel, coming: make(chan result, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read(&Batch{})
	a.idle = time.AfterFunc(patience, a.expire)
	return a
}

var (
	_ search.Snapshot = (*ahead)(nil)

	errClosed = fmt.Errorf("snapshot: %w: it is closed", search.ErrUnavailable)
	errPanic  = errors.New("snapshot: reading it panicked")
	errIdle   = fmt.Errorf("snapshot: %w: nobody read it for too long", search.ErrUnavailable)
)

type ahead struct {
	count    int64
	source   Source
	patience time.Duration
	ctx      context.Context //nolint:containedctx // of the reads, from opening to Close
	cancel   context.CancelFunc
	coming   chan result

	mu      sync.Mutex // held by Next: what waits for it has nothing to do before
	idle    *time.Timer
	running bool   // a result is still to come
	taken   *Batch // what the caller has; nil: nothing yet
	end     error  // how it ended
	closed  bool
	fault   error // of closing
}

type result struct {
	batch *Batch
	err   error
}

// Count implements search.Snapshot.
func (a *ahead) Count() int64 { return a.count }

func (a *ahead) read(into *Batch) {
	a.running = true
	go func() {
		r := result{batch: into}
		defer func() {
			// A panic is for whoever asks for the batch: here it would end the
			// process.
			if cause := recover(); cause != nil {
				r.err = fmt.Errorf("%w: %T\n%s", errPanic, cause, debug.Stack())
			}
			a.coming <- r
		}()
		r.err = a.source.Read(a.ctx, into)
	}()
}

// Next implements search.Snapshot.
func (a *ahead) Next(ctx context.Context) ([]search.Row, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.end == nil && ctx.Err() != nil {
		a.end = goneError(ctx)
	}
	if a.end != nil {
		return nil, a.end
	}
	a.idle.Stop()
	defer a.idle.Reset(a.patience)
	select {
	case <-ctx.Done():
		a.end = goneError(ctx)
		return nil, a.end
	case r := <-a.coming:
		return a.take(r)
	}
}

// take hands out a batch and has the one before it filled again.
func (a *ahead) take(r result) ([]search.Row, error) {
	a.running = false
	if r.err != nil {
		a.end = r.err
		return nil, r.err
	}
	spare := a.taken
	if spare == nil {
		spare = &Batch{}
	}
	a.taken = r.batch
	a.read(spare)
	return r.batch.Rows, nil
}

func goneError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("snapshot: %w: %w", search.ErrTimeout, ctx.Err())
	}
	return fmt.Errorf("snapshot: %w", ctx.Err())
}

// Close implements search.Snapshot.
func (a *ahead) Close() error {
	a.cancel() // what Next waits for ends
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.close(errClosed)
}

func (a *ahead) expire() {
	a.cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.close(errIdle) // Close tells of it
}

func (a *ahead) close(reason error) error {
	if a.closed {
		return a.fault
	}
	a.closed = true
	a.idle.Stop()
	if a.running {
		<-a.coming
		a.running = false
	}
	if a.end == nil {
		a.end = reason
	}
	a.fault = a.source.Close()
	return a.fault
}
