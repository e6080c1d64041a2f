package ingest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// inFlight is one batch that is being written.
type inFlight struct {
	batch   *batch
	good    []parsedLine // one for each change
	changes []session.Change
	bad     []parsedLine
	records map[record]struct{}
	done    chan struct{} // closed when the results may be read
	written session.Written
	refused []session.Refusal
	err     error
}

// record identifies what a change writes or deletes.
type record struct {
	kind session.Kind
	id   any // unique in its kind: the id of a session or company, or the grant itself
}

func toRecord(c session.Change) record {
	switch {
	case c.Kind == session.KindCompany:
		return record{c.Kind, c.Company.ID}
	case c.Kind == session.KindGrant:
		return record{c.Kind, c.Grant}
	case c.Delete:
		return record{c.Kind, c.SessionID}
	}
	return record{c.Kind, c.Session.ID()}
}

func (r *run) newInFlight(b *batch) *inFlight {
	f := &inFlight{batch: b, done: make(chan struct{})}
	f.good, f.bad = b.split(r.options.Strict)
	f.changes = make([]session.Change, len(f.good))
	for i, p := range f.good {
		f.changes[i] = p.change
	}
	if r.options.AtOnce > 1 {
		f.records = make(map[record]struct{}, len(f.changes))
		for _, c := range f.changes {
			f.records[toRecord(c)] = struct{}{}
		}
	}
	return f
}

// overlaps reports whether both batches change the same record: then their order
// matters.
func (f *inFlight) overlaps(other *inFlight) bool {
	small, large := f.records, other.records
	if len(small) > len(large) {
		small, large = large, small
	}
	for r := range small {
		if _, both := large[r]; both {
			return true
		}
	}
	return false
}

func (f *inFlight) write(ctx context.Context, w retryingWriter) {
	defer close(f.done)
	if len(f.changes) > 0 {
		f.written, f.refused, f.err = w.write(ctx, f.changes)
	}
}

// reject turns the lines of refused changes into bad lines.
func (f *inFlight) reject() {
	if len(f.refused) == 0 {
		return
	}
	reasons := make(map[int]string, len(f.refused))
	for _, r := range f.refused {
		reasons[r.Change] = r.Reason
	}
	var stored []parsedLine
	for i, p := range f.good {
		if reason, ok := reasons[i]; ok {
			p.err = errors.New(reason)
			f.bad = append(f.bad, p)
			continue
		}
		stored = append(stored, p)
	}
	f.good = stored
	slices.SortFunc(f.bad, func(a, b parsedLine) int { return cmp.Compare(a.line.number, b.line.number) })
}

// start begins to write a batch once there is room and no running batch changes the
// same records. It returns the error of an earlier batch, if any.
func (r *run) start(ctx context.Context, b *batch) error {
	f := r.newInFlight(b)
	for len(r.pending) > 0 && (len(r.pending) >= r.options.AtOnce || r.overlaps(f)) {
		if err := r.wait(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil { // ctx may have ended during the wait
		return errors.Join(r.waitAll(), err)
	}
	r.pending = append(r.pending, f)
	go f.write(ctx, r.writer)
	if r.options.Strict && len(f.bad) > 0 {
		return r.waitAll() // nothing after this line is written
	}
	return nil
}

func (r *run) overlaps(f *inFlight) bool {
	for _, other := range r.pending {
		if f.overlaps(other) {
			return true
		}
	}
	return false
}

// wait waits for the oldest running batch and counts it.
func (r *run) wait() error {
	f := r.pending[0]
	<-f.done
	f.reject()
	r.pending = r.pending[1:]
	return r.take(f)
}

func (r *run) waitAll() error {
	for len(r.pending) > 0 {
		if err := r.wait(); err != nil {
			return err
		}
	}
	return nil
}

// discard waits for the batches that are still running after a failure, and ignores
// their results: nothing is written after Run has returned.
func (r *run) discard() {
	for _, f := range r.pending {
		<-f.done
	}
	r.pending = nil
}

// retryingWriter retries while the store is unavailable: it may be busy with
// another writer, or starting.
type retryingWriter struct {
	to       session.Writer
	attempts int
	backoff  time.Duration
}

// write completes a running attempt even when ctx ends, so that the report counts
// what is stored. Only the pauses end with ctx. Refused changes are not an error:
// all others are written.
func (w retryingWriter) write(ctx context.Context, changes []session.Change) (session.Written, []session.Refusal, error) {
	backoff := w.backoff
	for attempt := 1; ; attempt++ {
		written, err := w.to.Write(context.WithoutCancel(ctx), changes)
		var refused *session.RefusedError
		if errors.As(err, &refused) {
			return written, refused.Refused, nil
		}
		if err == nil || !errors.Is(err, search.ErrUnavailable) || attempt >= w.attempts {
			return written, nil, err
		}
		if !pause.For(ctx, backoff) {
			return session.Written{}, nil, errors.Join(ctx.Err(), err)
		}
		backoff *= 2
	}
}
