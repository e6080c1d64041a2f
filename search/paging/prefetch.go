package paging

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scopegate/scopegate/search"
)

// TargetBytes is about the size of a batch, in bytes. It is large enough that the
// cost of a request is small against that of its rows, and small enough for many
// snapshots at a time.
const TargetBytes = 3 << 20

// Batch is a series of rows and the memory that they are in, which is reused.
type Batch struct {
	Rows   []search.Row
	Buffer []byte
}

// Source reads batches in order. One goroutine at a time uses it.
type Source interface {
	// Read replaces the contents of the batch with the next rows, at least one, or
	// fails; after the last row with io.EOF. It ends soon after its context, which
	// is the same for all reads.
	Read(ctx context.Context, into *Batch) error
	// Close is called once, when no Read runs and their context has ended.
	Close() error
}

// Keeper is a Source that the engine releases when nobody reads it for a while.
type Keeper interface {
	Source
	// Keep asks the engine to hold the source for longer. No Read runs meanwhile. If
	// it fails, the next Read fails.
	Keep(ctx context.Context)
	// KeepEvery returns how often Keep is needed while nothing is read.
	KeepEvery() time.Duration
}

// Prefetch makes a snapshot of a source, and closes the source with the snapshot.
// While the caller uses one batch, the next one is read, and no further one: a
// caller that stops makes the engine stop, and a snapshot never has more than two
// batches.
//
// The snapshot holds the source until it is closed, however long the caller uses a
// batch. The caller must limit that time, since it knows whether it makes progress.
func Prefetch(count int64, source Source) search.Snapshot {
	// A snapshot outlives the call that opened it and ends with Close. Its reads are not
	// part of the trace of that call: they would make most of it.
	ctx, cancel := context.WithCancel(context.Background())
	a := &prefetching{count: count, source: source, ctx: ctx, cancel: cancel}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read(&Batch{})
	if keeper, ok := source.(Keeper); ok {
		a.idle = time.AfterFunc(keeper.KeepEvery(), func() { a.extend(keeper) })
	}
	return a
}

var (
	_ search.Snapshot = (*prefetching)(nil)

	errClosed = fmt.Errorf("snapshot: %w: it is closed", search.ErrUnavailable)
)

type prefetching struct {
	count  int64
	source Source
	ctx    context.Context //nolint:containedctx // of the reads, until Close
	cancel context.CancelFunc

	mu     sync.Mutex  // Next holds it while it waits
	idle   *time.Timer // calls keep; nil: the source needs no keeping
	coming *Pending    // nil: none after the end
	taken  *Batch      // the caller's batch; nil: none yet
	end    error       // the error that ended it
	closed bool
	fault  error // the error of closing
}

// Count implements search.Snapshot.
func (a *prefetching) Count() int64 { return a.count }

func (a *prefetching) read(into *Batch) { a.coming = Start(a.ctx, into, a.source.Read) }

// Next implements search.Snapshot.
func (a *prefetching) Next(ctx context.Context) ([]search.Row, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.end == nil && ctx.Err() != nil {
		a.end = goneError(ctx)
	}
	if a.end != nil {
		return nil, a.end
	}
	select {
	case <-ctx.Done():
		a.end = goneError(ctx)
		return nil, a.end
	case <-a.coming.Done():
		return a.take()
	}
}

// take returns a batch and starts to refill the previous one.
func (a *prefetching) take() ([]search.Row, error) {
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
func (a *prefetching) Close() error {
	a.cancel() // ends what Next waits for
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return a.fault
	}
	a.closed = true
	if a.idle != nil {
		a.idle.Stop()
	}
	if a.coming != nil {
		_, _ = a.coming.Wait() // its rows are not needed
		a.coming = nil
	}
	if a.end == nil {
		a.end = errClosed
	}
	a.fault = a.source.Close()
	return a.fault
}

// extend asks the engine to hold the source for longer, unless a running read does so
// or no read follows.
func (a *prefetching) extend(keeper Keeper) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.end != nil {
		return
	}
	select {
	case <-a.coming.Done():
		keeper.Keep(a.ctx)
	default:
	}
	a.idle.Reset(keeper.KeepEvery())
}
