package telemetry

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// DefaultStoredSpans is how many spans a Store keeps: some hundred requests.
const DefaultStoredSpans = 4096

// Store keeps the newest spans in memory, so that traces can be looked at
// without a collector. It is bounded: an old span gives way to a new one, so a
// trace may come to lack spans, the earliest ended first. Safe for use by
// several goroutines.
type Store struct {
	mu    sync.Mutex
	spans []storedSpan // a ring once full
	next  int          // where the next span goes
	size  int
}

var _ sdktrace.SpanProcessor = (*Store)(nil)

// storedSpan is a copy: an SDK span may not be held on to.
type storedSpan struct {
	trace      trace.TraceID
	id, parent trace.SpanID
	name       string
	start, end time.Time
	failed     bool
	attributes []attribute.KeyValue // of a snapshot, which nobody changes any more
}

// NewStore makes a store of the given number of spans; 0 or less:
// DefaultStoredSpans.
func NewStore(size int) *Store {
	if size <= 0 {
		size = DefaultStoredSpans
	}
	return &Store{size: size}
}

// OnStart implements sdktrace.SpanProcessor.
func (s *Store) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps a copy of the span.
func (s *Store) OnEnd(span sdktrace.ReadOnlySpan) {
	sc, parent := span.SpanContext(), span.Parent()
	kept := storedSpan{
		trace: sc.TraceID(), id: sc.SpanID(), parent: parent.SpanID(),
		name: span.Name(), start: span.StartTime(), end: span.EndTime(),
		failed:     span.Status().Code == codes.Error,
		attributes: span.Attributes(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spans) < s.size {
		s.spans = append(s.spans, kept)
		return
	}
	s.spans[s.next] = kept
	s.next = (s.next + 1) % s.size
}

// Shutdown implements sdktrace.SpanProcessor; the spans stay.
func (s *Store) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (s *Store) ForceFlush(context.Context) error { return nil }

// traces groups the kept spans by trace, each in order of their start.
func (s *Store) traces() map[trace.TraceID][]storedSpan {
	s.mu.Lock()
	byTrace := make(map[trace.TraceID][]storedSpan)
	for _, span := range s.spans {
		byTrace[span.trace] = append(byTrace[span.trace], span)
	}
	s.mu.Unlock()
	for _, spans := range byTrace {
		slices.SortStableFunc(spans, func(a, b storedSpan) int { return cmp.Compare(a.start.UnixNano(), b.start.UnixNano()) })
	}
	return byTrace
}
