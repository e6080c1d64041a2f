package gateway

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/search"
)

// ahead reads one batch of a snapshot while another is being written. There are
// two batches in all, whatever the reader's pace.
type ahead struct {
	read   chan *batch // to be written
	free   chan *batch // to be read into
	now    *batch      // being written
	cancel context.CancelFunc
	ended  chan struct{}
}

// batch is the engine's rows with bytes of its own: those of the engine are gone
// with its next ones.
type batch struct {
	rows  []search.Row
	bytes []byte
	err   error
}

// readAhead begins to read; stop must be called.
func readAhead(ctx context.Context, snapshot search.Snapshot) *ahead {
	a := &ahead{read: make(chan *batch, 1), free: make(chan *batch, 2), ended: make(chan struct{})}
	a.free <- &batch{}
	a.free <- &batch{}
	ctx, a.cancel = context.WithCancel(ctx)
	go a.run(ctx, snapshot)
	return a
}

func (a *ahead) run(ctx context.Context, snapshot search.Snapshot) {
	defer close(a.ended)
	for {
		var b *batch
		select {
		case b = <-a.free:
		case <-ctx.Done():
			return
		}
		b.fill(ctx, snapshot)
		select {
		case a.read <- b:
		case <-ctx.Done():
			return
		}
		if b.err != nil {
			return
		}
	}
}

// fill reads the next rows. A panic is the request's to answer: here it would end
// the process.
func (b *batch) fill(ctx context.Context, snapshot search.Snapshot) {
	defer func() {
		if cause := recover(); cause != nil {
			b.err = fmt.Errorf("%w: %s", errPanic, panicText(cause))
		}
	}()
	rows, err := snapshot.Next(ctx)
	b.rows, b.err = b.rows[:0], err
	size := 0
	for _, row := range rows {
		size += len(row.JSON)
	}
	if cap(b.bytes) < size {
		b.bytes = make([]byte, 0, size)
	}
	b.bytes = b.bytes[:0]
	for _, row := range rows {
		start := len(b.bytes)
		b.bytes = append(b.bytes, row.JSON...)
		b.rows = append(b.rows, search.Row{CompanyID: row.CompanyID, JSON: b.bytes[start:len(b.bytes):len(b.bytes)]})
	}
}

// next are the next rows, valid until the next call; the error is that of the
// snapshot, or why ctx has ended.
func (a *ahead) next(ctx context.Context) ([]search.Row, error) {
	if a.now != nil {
		a.free <- a.now // there is room: it came from there
		a.now = nil
	}
	select {
	case a.now = <-a.read:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if a.now.err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx) // what an engine makes of it tells less
	}
	return a.now.rows, a.now.err
}

// stop returns when nothing reads any more, so that the snapshot can be closed.
func (a *ahead) stop() {
	a.cancel()
	<-a.ended
}
