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

// flight is one batch being written.
type flight struct {
	batch   *batch
	good    []parsedLine // one of each change
	changes []session.Change
	bad     []parsedLine
	records map[record]struct{}
	done    chan struct{} // closed when what follows may be read
	written session.Written
	refused []session.Refusal
	err     error
}

// record is what a change is of.
type record struct {
	kind session.Kind
	id   any // of its kind: a session's, a company's, or the grant itself
}

func recordOf(c session.Change) record {
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

func (r *run) newFlight(b *batch) *flight {
	f := &flight{batch: b, done: make(chan struct{})}
	f.good, f.bad = b.split(r.options.Strict)
	f.changes = make([]session.Change, len(f.good))
	for i, p := range f.good {
		f.changes[i] = p.change
	}
	if r.options.AtOnce > 1 {
		f.records = make(map[record]struct{}, len(f.changes))
		for _, c := range f.changes {
			f.records[recordOf(c)] = struct{}{}
		}
	}
	return f
}

// meets reports whether both change one record: then the order counts.
func (f *flight) meets(other *flight) bool {
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

func (f *flight) write(ctx context.Context, w retryingWriter) {
	defer close(f.done)
	if len(f.changes) > 0 {
		f.written, f.refused, f.err = w.write(ctx, f.changes)
	}
}

// reject makes bad lines of those whose changes the store has refused.
func (f *flight) reject() {
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

// launch begins to write a batch when there is room, and nothing under way that
// it changes too. It ends with the failure of a batch before it.
func (r *run) launch(ctx context.Context, b *batch) error {
	f := r.newFlight(b)
	for len(r.flights) > 0 && (len(r.flights) >= r.options.AtOnce || r.meets(f)) {
		if err := r.land(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil { // perhaps since the wait began
		return errors.Join(r.landAll(), err)
	}
	r.flights = append(r.flights, f)
	go f.write(ctx, r.writer)
	if r.options.Strict && len(f.bad) > 0 {
		return r.landAll() // nothing behind this line is written
	}
	return nil
}

func (r *run) meets(f *flight) bool {
	for _, other := range r.flights {
		if f.meets(other) {
			return true
		}
	}
	return false
}

// land waits for the oldest batch under way and takes its outcome.
func (r *run) land() error {
	f := r.flights[0]
	<-f.done
	f.reject()
	r.flights = r.flights[1:]
	return r.take(f)
}

func (r *run) landAll() error {
	for len(r.flights) > 0 {
		if err := r.land(); err != nil {
			return err
		}
	}
	return nil
}

// abandon waits for what is still under way behind a failure: nothing is written
// any more when Run has returned.
func (r *run) abandon() {
	for _, f := range r.flights {
		<-f.done
	}
	r.flights = nil
}

// retryingWriter tries again while the store is unavailable: it may be busy
// with another writer, or be starting.
type retryingWriter struct {
	to       session.Writer
	attempts int
	backoff  time.Duration
}

// write finishes a try that has begun even when ctx ends, so that the report
// knows what is stored; only the pauses end with ctx. Changes that the store
// refuses are no error: all others are written.
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
