package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scopegate/scopegate/search"
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
	Strict     bool // stop at the first bad line; those before it are written
	BatchLines int  // lines of one write, at most
	BatchBytes int  // bytes of one write, but for its last line
	// Rejects takes bad lines: {"line": n, "reason": "…", "text": "…"}; nil: they
	// are only counted. RejectsName, if set, is put into each as "file".
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
// none is. Writing them again does no harm.
type WriteError struct {
	First, Last int64 // line numbers
	Err         error
}

// Error tells from which line on the input has to be imported again.
func (e *WriteError) Error() string {
	return fmt.Sprintf("storing lines %d to %d: %v; the lines before %d are done", e.First, e.Last, e.Err, e.First)
}

// Unwrap gives the writer's error.
func (e *WriteError) Unwrap() error { return e.Err }

// Run writes the changes that the source's lines hold, in their order. It may
// be run again over the same input: writes are idempotent. The report counts
// what surely happened, also beside an error.
//
// Errors: ErrRejected (strict), *WriteError, those of the source or of
// Options.Rejects, or ctx's: then the write under way is finished first. A
// source whose Read blocks forever keeps one goroutine until it returns.
func Run(ctx context.Context, w search.Writer, source *Source, o Options) (Report, error) {
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
	for b := range batches(ctx, source, o) {
		if err := run.take(ctx, b); err != nil || b.last {
			return run.report, err
		}
	}
	return run.report, ctx.Err() // nothing else ends the batches before the last one
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

// run is what the writing end keeps.
type run struct {
	writer  retryingWriter
	rejects rejects
	options Options
	report  Report
}

// take writes one parsed batch: the changes first, then what was rejected among
// them, so that a rejected line is never on record before its neighbours are
// stored.
func (r *run) take(ctx context.Context, b *batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	changes, bad := b.split(r.options.Strict)
	if err := r.write(ctx, b, changes); err != nil {
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

func (r *run) write(ctx context.Context, b *batch, changes []search.Change) error {
	if len(changes) == 0 {
		return nil
	}
	written, err := r.writer.write(ctx, changes)
	if err != nil {
		return &WriteError{First: b.lines[0].number, Last: b.lines[len(b.lines)-1].number, Err: err}
	}
	r.report.Lines += int64(len(changes))
	r.report.Upserted += int64(written.Upserted)
	r.report.Deleted += int64(written.Deleted)
	r.report.Missing += int64(written.Missing)
	return nil
}
