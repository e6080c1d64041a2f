package scan

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scopegate/scopegate/search"
)

// TargetBytes is about how much a batch should hold: enough that a request
// matters little beside its rows, little enough that the few batches a snapshot
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
	// Close is called once, when no Read runs and their context has ended.
	Close() error
}

// Ahead makes a snapshot of a source and closes it with the snapshot. While one
// batch is taken in, the next one is read, and no more: a reader that stops makes
// the engine stop, and Ahead never holds more than two batches. When nobody
// asks for a batch for as long as patience, the source is closed, and what is
// left of the snapshot is search.ErrUnavailable: a reader that is too slow must
// not hold on to the engine for ever.
func Ahead(count int64, source Source, patience time.Duration) search.Snapshot {
	// A snapshot outlives the call that opened it and ends by Close. Its reads
	// are no part of that call's trace, which they would drown.
	ctx, cancel := context.WithCancel(context.Background())
	a := &ahead{count: count, source: source, patience: patience, ctx: ctx, cancel: cancel}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read(&Batch{})
	a.idle = time.AfterFunc(patience, a.expire)
	return a
}

var (
	_ search.Snapshot = (*ahead)(nil)

	errClosed = fmt.Errorf("snapshot: %w: it is closed", search.ErrUnavailable)
	errIdle   = fmt.Errorf("snapshot: %w: nobody read it for too long", search.ErrUnavailable)
)

type ahead struct {
	count    int64
	source   Source
	patience time.Duration
	ctx      context.Context //nolint:containedctx // of the reads, from opening to Close
	cancel   context.CancelFunc

	mu     sync.Mutex // held by Next: what waits for it has nothing to do before
	idle   *time.Timer
	coming *Reading // nil: none was begun behind the end
	taken  *Batch   // what the caller has; nil: nothing yet
	end    error    // how it ended
	closed bool
	fault  error // of closing
}

// Count implements search.Snapshot.
func (a *ahead) Count() int64 { return a.count }

func (a *ahead) read(into *Batch) { a.coming = Begin(a.ctx, into, a.source.Read) }

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
	case <-a.coming.Done():
		return a.take()
	}
}

// take hands out a batch and has the one before it filled again.
func (a *ahead) take() ([]search.Row, error) {
	batch, err := a.coming.Wait()
	a.coming = nil
	if err != nil {
		a.end = err
		return nil, err
	}
	spare := a.taken
	if spare == nil {
		spare = &Batch{}
	}
	a.taken = batch
	a.read(spare)
	return batch.Rows, nil
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
	if a.coming != nil {
		_, _ = a.coming.Wait() // nobody wants it now
		a.coming = nil
	}
	if a.end == nil {
		a.end = reason
	}
	a.fault = a.source.Close()
	return a.fault
}
