package cache

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/search"
)

const instrumentation = "github.com/scopegate/scopegate/cache"

func startSpan(ctx context.Context) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(instrumentation)
	return tracer.Start(ctx, "cache")
}

// endWithError names only the kind of failure: the text is in the engine's span.
func endWithError(span trace.Span, err error) {
	kind := "other"
	switch {
	case errors.Is(err, context.Canceled):
		span.SetAttributes(attribute.String("error.type", "canceled"))
		return // the caller's choice is no fault of the search
	case errors.Is(err, search.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		kind = "timeout"
	case errors.Is(err, search.ErrUnavailable):
		kind = "unavailable"
	case errors.Is(err, search.ErrForeignRow):
		kind = "foreign_row"
	}
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, kind)
}

// describe says how each part was found.
func (c *Cache) describe(span trace.Span, r *request) {
	if !span.IsRecording() {
		return
	}
	now := c.now()
	attrs := make([]attribute.KeyValue, 0, 10)
	for i := range r.lookups {
		l := &r.lookups[i]
		tier := l.found.tier
		if tier == "" {
			tier = "none"
		}
		names := l.part.kind().attributes()
		attrs = append(attrs,
			names.outcome.String(l.found.outcome()),
			names.tier.String(tier),
			names.age.Int64(now.Sub(l.found.entry.about().loadedAt).Milliseconds()),
			names.shared.Bool(l.found.joined != nil),
			names.stored.Bool(l.found.stored),
		)
	}
	span.SetAttributes(attrs...) // once, which is cheaper
}

// attributeNames are the names of what a span says of a part. They are written
// out for each kind: they are needed in every request.
type attributeNames struct{ outcome, tier, age, shared, stored attribute.Key }

// link links each part that another caller's call was to bring to the span under
// which that call can be seen, in the trace of that caller. A part that did not
// come is linked too: nothing else says what it waited for.
func link(span trace.Span, r *request) {
	for i := range r.lookups {
		l := &r.lookups[i]
		if other := l.awaited(); other != nil && other.origin.IsValid() {
			span.AddLink(trace.Link{
				SpanContext: other.origin,
				Attributes:  []attribute.KeyValue{attribute.String("scopegate.cache.part", l.part.kind().String())},
			})
		}
	}
}

// awaited is the call of another caller that brought the part or, if it did not
// come, was waited for; nil: there is none.
func (l *lookup) awaited() *call {
	if l.found.entry == nil && !l.leader {
		return l.call
	}
	return l.found.joined
}

// What outcome is one of.
const (
	resultHit       = "hit"
	resultStale     = "stale" // a hit that is refreshed, or served since the engine fails
	resultMiss      = "miss"
	resultCoalesced = "coalesced" // with the call of another caller
)

// outcome says how an entry was found.
func (f found) outcome() string {
	switch {
	case f.stale:
		return resultStale
	case f.tier != "":
		return resultHit
	case f.joined != nil:
		return resultCoalesced
	}
	return resultMiss
}
