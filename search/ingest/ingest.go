package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/scopegate/scopegate/session"
)

// Defaults of Options.
const (
	DefaultBatchLines = 1000
	DefaultBatchBytes = 8 << 20
	DefaultAttempts   = 6
	DefaultBackoff    = 200 * time.Millisecond
)

// ErrRejected marks the end of a strict run at a bad line.
var ErrRejected = errors.New("line rejected")

// Options say how an input is read. Zero values take the defaults.
type Options struct {
	Type       Type // "": every line says its own; else lines are bare documents of it
	Strict     bool // stop at the first bad line; those before it are written, and some behind one that the store refused
	BatchLines int  // lines of one write, at most
	BatchBytes int  // bytes of one write, but for its last line
	// AtOnce is how many writes may run at a time, for a store that is faster so; 0:
	// one. Two that change the same record never run at the same time.
	AtOnce int
	// Rejects takes bad lines, those that the store refused (session.RefusedError)
	// among them: {"line": n, "reason": "…", "text": "…"}, where one
	// that is not UTF-8 has "base64", its bytes, for "text"; nil: they are only
	// counted. RejectsName, if set, is put into each as "file".
	Rejects     io.Writer
	RejectsName string
	// Attempts bounds the tries of a write that fails with
	// search.ErrUnavailable; the first pause between them is Backoff, each
	// further one twice as long.
	Attempts int
	Backoff  time.Duration
	// Progress, if set, is called after each write, by one goroutine.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Lines int64 // Report.Lines so far
	Bytes int64 // of Source.Size
}

// Report counts what became of an input. Lines is the sum of the others.
type Report struct {
	Lines    int64 // lines that are not blank
	Upserted int64
	Deleted  int64
	Missing  int64 // deletes of what was not there
	Rejected int64
}

// Add adds the counts of another report.
func (r *Report) Add(other Report) {
	r.Lines += other.Lines
	r.Upserted += other.Upserted
	r.Deleted += other.Deleted
	r.Missing += other.Missing
	r.Rejected += other.Rejected
}

// WriteError is a write that failed for good: every line before First is
// written (or rejected); of the lines First to Last, as far as can be known,
// none is; some behind them may be. Writing them again does no harm.
type WriteError struct {
	First, Last int64 // line numbers
	Err         error
}

// Error says from which line on the input must be imported again.
func (e *WriteError) Error() string {
	return fmt.Sprintf("storing lines %d to %d: %v; the lines before %d are done", e.First, e.Last, e.Err, e.First)
}

// Unwrap gives the writer's error.
func (e *WriteError) Unwrap() error { return e.Err }

// Run writes the changes that the source's lines hold, in their order. It may
// be run again over the same input: writes are idempotent. The report counts
// what surely happened, also beside an error.
//
// Errors: ErrRejected (strict), *WriteError, ndjson.ErrFormat for an input of
// another format, of which nothing is read, those of the source or of
// Options.Rejects, or ctx's: then the write under way is finished first. A
// source whose Read blocks forever keeps one goroutine until it returns.
func Run(ctx context.Context, w session.Writer, source *Source, o Options) (Report, error) {
	o = o.withDefaults()
	if o.Type != "" && !o.Type.valid() {
		return Report{}, fmt.Errorf("type %q: must be session, company or grant", o.Type)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	run := &run{
		writer:  retryingWriter{to: w, attempts: o.Attempts, backoff: o.Backoff},
		rejects: rejects{file: o.RejectsName, to: o.Rejects},
		options: o,
	}
	err := run.all(ctx, batches(ctx, source, o))
	return run.report, err
}

// all writes the batches and waits for each of them.
func (r *run) all(ctx context.Context, source iter.Seq[*batch]) error {
	defer r.discard()
	for b := range source {
		if err := r.start(ctx, b); err != nil {
			return err
		}
		if b.last {
			return r.waitAll()
		}
	}
	// Nothing but ctx ends the batches before the last one.
	return errors.Join(r.waitAll(), ctx.Err())
}

func (o Options) withDefaults() Options {
	if o.BatchLines <= 0 {
		o.BatchLines = DefaultBatchLines
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = DefaultBatchBytes
	}
	if o.Attempts <= 0 {
		o.Attempts = DefaultAttempts
	}
	if o.Backoff <= 0 {
		o.Backoff = DefaultBackoff
	}
	return o
}

// run is the state of one import.
type run struct {
	writer  retryingWriter
	rejects rejects
	options Options
	report  Report
	pending []*inFlight // being written, in their order
}

// take reports a batch: first its changes, then its rejected lines. So a rejected line
// is never written to Options.Rejects before its neighbours are stored.
func (r *run) take(f *inFlight) error {
	b, bad := f.batch, f.bad
	if err := r.count(f); err != nil {
		return err
	}
	for _, p := range bad {
		if err := r.rejects.write(p.line, p.err); err != nil {
			return err
		}
		r.report.Lines++
		r.report.Rejected++
	}
	if r.options.Progress != nil {
		r.options.Progress(Progress{Lines: r.report.Lines, Bytes: b.bytesRead})
	}
	if r.options.Strict && len(bad) > 0 {
		return fmt.Errorf("%w: line %d: %w", ErrRejected, bad[0].line.number, bad[0].err)
	}
	return b.err
}

func (r *run) count(f *inFlight) error {
	if f.err != nil {
		lines := f.batch.lines
		return &WriteError{First: lines[0].number, Last: lines[len(lines)-1].number, Err: f.err}
	}
	r.report.Lines += int64(len(f.good))
	r.report.Upserted += int64(f.written.Upserted)
	r.report.Deleted += int64(f.written.Deleted)
	r.report.Missing += int64(f.written.Missing)
	return nil
}

// Each calls f with the change of every line that is not blank, in order, and writes
// nothing: for input that must be seen whole before any of it is stored. It ends with
// the first error and the number of its line: one of Decode, f, or the source,
// ndjson.ErrFormat, or that of ctx.
func Each(ctx context.Context, source *Source, f func(session.Change) error) error {
	lines := newLineReader(source)
	for {
		l, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return lines.fault(err)
		case ctx.Err() != nil:
			return ctx.Err()
		case l.blank():
			continue
		}
		change, err := l.decode("")
		if err == nil {
			err = f(change)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
	}
}
