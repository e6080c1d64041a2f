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

// ErrRejected reports that a strict run stopped at a bad line.
var ErrRejected = errors.New("line rejected")

// Options configure how an input is read. Zero values stand for the defaults.
type Options struct {
	Type       Type // "": every line says its own; else lines are bare documents of it
	Strict     bool // stop at the first bad line. Lines before it are written, and, if the store refused it, perhaps some after it
	BatchLines int  // most lines of one write
	BatchBytes int  // most bytes of one write, without its last line
	// AtOnce is the number of writes that may run at a time, for stores that are
	// faster that way; 0: one. Two writes that change the same record never run at
	// the same time.
	AtOnce int
	// Rejects receives bad lines, including those that the store refused
	// (session.RefusedError): {"line": n, "reason": "…", "text": "…"}. A line that
	// is not UTF-8 has its bytes in "base64" instead of "text". nil: they are only
	// counted. RejectsName, if set, is added to each as "file".
	Rejects     io.Writer
	RejectsName string
	// Attempts is the largest number of tries of a write that fails with
	// search.ErrUnavailable. The first pause between them is Backoff; each further
	// one is twice as long.
	Attempts int
	Backoff  time.Duration
	// Progress, if set, is called after each write, by one goroutine.
	Progress func(Progress)
}

// Progress is the progress of a run.
type Progress struct {
	Lines int64 // Report.Lines so far
	Bytes int64 // of Source.Size
}

// Report counts the results of an input. Lines is the sum of the others.
type Report struct {
	Lines    int64 // lines that are not blank
	Upserted int64
	Deleted  int64
	Missing  int64 // deletes of records that did not exist
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

// WriteError is a write that failed permanently. Every line before First is written
// or rejected. As far as can be known, none of the lines First to Last is written;
// some later ones may be. Writing them again does no harm.
type WriteError struct {
	First, Last int64 // line numbers
	Err         error
}

// Error names the line from which the input must be imported again.
func (e *WriteError) Error() string {
	return fmt.Sprintf("storing lines %d to %d: %v; the lines before %d are done", e.First, e.Last, e.Err, e.First)
}

// Unwrap returns the writer's error.
func (e *WriteError) Unwrap() error { return e.Err }

// Run writes the changes in the source's lines, in their order. It may be repeated
// with the same input: writes are idempotent. With an error, the report contains
// what certainly happened before it.
//
// Errors: ErrRejected (strict); *WriteError; ndjson.ErrFormat for an input of
// another format, of which nothing is read; those of the source or of
// Options.Rejects; or that of ctx, after the running write has finished. A source
// whose Read blocks forever keeps one goroutine until it returns.
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
	// Only ctx ends the batches before the last one.
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
	pending []*inFlight // being written, in order
}

// take adds a batch to the report: first its changes, then its rejected lines. So a
// rejected line is never written to Options.Rejects before the lines around it are
// stored.
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

// Each calls f with the change of every line that is not blank, in order, and
// writes nothing. It is for input that must be read completely before any of it is
// stored. It stops at the first error and returns it with the number of its line:
// an error of Decode, f, the source or ctx, or ndjson.ErrFormat.
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
