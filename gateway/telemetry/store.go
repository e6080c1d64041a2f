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

// DefaultStoredSpans is enough for the spans of some hundred requests.
const DefaultStoredSpans = 4096

// Store stores the newest spans in memory, so that traces can be read without a
// collector. When it is full, a new span replaces the oldest, so that old traces are
// incomplete. Safe for use by several goroutines.
type Store struct {
	mu    sync.Mutex
	spans []storedSpan // a ring once full
	next  int          // index of the next span
	size  int
}

var _ sdktrace.SpanProcessor = (*Store)(nil)

// storedSpan is a copy of a span: the SDK's own must not be kept.
type storedSpan struct {
	trace      trace.TraceID
	id, parent trace.SpanID
	name       string
	start, end time.Time
	failed     bool
	attributes []attribute.KeyValue // not modified any more
}

// NewStore makes a store for that number of spans; 0 or less: DefaultStoredSpans.
func NewStore(size int) *Store {
	if size <= 0 {
		size = DefaultStoredSpans
	}
	return &Store{size: size}
}

// OnStart implements sdktrace.SpanProcessor.
func (s *Store) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd stores a copy of the span.
func (s *Store) OnEnd(span sdktrace.ReadOnlySpan) {
	sc, parent := span.SpanContext(), span.Parent()
	stored := storedSpan{
		trace: sc.TraceID(), id: sc.SpanID(), parent: parent.SpanID(),
		name: span.Name(), start: span.StartTime(), end: span.EndTime(),
		failed:     span.Status().Code == codes.Error,
		attributes: span.Attributes(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spans) < s.size {
		s.spans = append(s.spans, stored)
		return
	}
	s.spans[s.next] = stored
	s.next = (s.next + 1) % s.size
}

// Shutdown implements sdktrace.SpanProcessor; the spans stay.
func (s *Store) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (s *Store) ForceFlush(context.Context) error { return nil }

// traces groups the stored spans by trace, ordered by start.
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
