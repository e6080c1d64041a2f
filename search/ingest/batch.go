package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"

	"github.com/scopegate/scopegate/session"
)

// batch is a series of lines that are written together.
type batch struct {
	lines     []line
	parsed    []parsedLine
	bytesRead int64         // of the source, when the batch was full
	last      bool          // the input ends after it
	err       error         // why the input ended; nil at its regular end
	ready     chan struct{} // closed when parsed may be read
}

// parsedLine is a line and its change, or the reason why it has none.
type parsedLine struct {
	line   line
	change session.Change
	err    error
}

// batches reads, parses and yields a source's batches in their order. Several are
// parsed at a time. The number of batches that are read ahead is limited.
func batches(ctx context.Context, source *Source, o Options) iter.Seq[*batch] {
	return func(yield func(*batch) bool) {
		workers := parsers()
		work := make(chan *batch)
		ordered := make(chan *batch, workers)
		go read(ctx, source, o, work, ordered)
		for range workers {
			go func() {
				for b := range work {
					b.parse(o.Type)
				}
			}()
		}
		for {
			b, ok := next(ctx, ordered)
			if !ok || !yield(b) || b.last {
				return
			}
		}
	}
}

// next waits until the next batch is parsed, or ctx ends: a source may block
// forever.
func next(ctx context.Context, ordered <-chan *batch) (*batch, bool) {
	select {
	case b := <-ordered:
		select {
		case <-b.ready:
			return b, true
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return nil, false
}

// read divides the source into batches. It sends each to a parser and, in order, to
// the writer.
func read(ctx context.Context, source *Source, o Options, work, ordered chan<- *batch) {
	defer close(work)
	lines := newLineReader(source)
	for {
		b := readBatch(lines, source, o)
		for _, to := range []chan<- *batch{ordered, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				return
			}
		}
		if b.last {
			return
		}
	}
}

func readBatch(lines *lineReader, source *Source, o Options) *batch {
	b := &batch{ready: make(chan struct{})}
	defer func() { b.bytesRead = source.BytesRead() }()
	size := 0
	for len(b.lines) < o.BatchLines && size < o.BatchBytes {
		l, err := lines.next()
		if err != nil {
			b.last = true
			if !errors.Is(err, io.EOF) {
				b.err = lines.fault(err)
			}
			return b
		}
		if l.blank() {
			continue
		}
		b.lines = append(b.lines, l)
		size += len(l.text)
	}
	return b
}

// parsers is the number of batches that are parsed at a time. More would be faster
// than one writer.
func parsers() int { return min(4, runtime.GOMAXPROCS(0)) }

func (b *batch) parse(bare Type) {
	defer close(b.ready)
	b.parsed = make([]parsedLine, len(b.lines))
	for i, l := range b.lines {
		p := parsedLine{line: l}
		p.change, p.err = l.decode(bare)
		b.parsed[i] = p
	}
}

func (l line) decode(bare Type) (session.Change, error) {
	if l.tooLong {
		return session.Change{}, fmt.Errorf("%w: longer than %d bytes; this is its beginning", ErrLine, MaxLine)
	}
	change, err := Decode(l.text, bare)
	if err != nil {
		if at := notUTF8(l.text); at >= 0 {
			err = fmt.Errorf("%w: not UTF-8 at byte %d", ErrLine, at)
		}
	}
	return change, err
}

// split separates the lines with a change from the bad ones, both in order. A
// strict batch ends with the first bad line.
func (b *batch) split(strict bool) (good, bad []parsedLine) {
	good = make([]parsedLine, 0, len(b.parsed))
	for _, p := range b.parsed {
		if p.err == nil {
			good = append(good, p)
			continue
		}
		bad = append(bad, p)
		if strict {
			break
		}
	}
	return good, bad
}
