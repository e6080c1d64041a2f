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

// endWithError names the kind of failure only: the text is the engine's, and
// its span is the place for it.
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

// describe tells how each part was come by.
func (c *Cache) describe(span trace.Span, a *answer) {
	if !span.IsRecording() {
		return
	}
	now := c.now()
	attrs := make([]attribute.KeyValue, 0, 10)
	for _, l := range a.lookups() {
		if l == nil {
			continue
		}
		tier := l.found.tier
		if tier == "" {
			tier = "none"
		}
		names := attributesOf(l.part)
		attrs = append(attrs,
			names.outcome.String(l.found.outcome()),
			names.tier.String(tier),
			names.age.Int64(now.Sub(l.found.entry.loadedAt).Milliseconds()),
			names.shared.Bool(l.found.joined != nil),
			names.stored.Bool(l.found.stored),
		)
	}
	span.SetAttributes(attrs...) // once, which is cheaper
}

// attributeNames are what the span calls the things that it tells of a part.
type attributeNames struct{ outcome, tier, age, shared, stored attribute.Key }

// attributesOf has them written out: they are needed in every request.
func attributesOf(p part) attributeNames {
	switch p {
	case partCount:
		return attributeNames{"scopegate.cache.count", "scopegate.cache.count.tier", "scopegate.cache.count.age_ms",
			"scopegate.cache.count.shared", "scopegate.cache.count.stored"}
	case partSummary:
		return attributeNames{"scopegate.cache.summary", "scopegate.cache.summary.tier", "scopegate.cache.summary.age_ms",
			"scopegate.cache.summary.shared", "scopegate.cache.summary.stored"}
	case partPage:
	}
	return attributeNames{"scopegate.cache.page", "scopegate.cache.page.tier", "scopegate.cache.page.age_ms",
		"scopegate.cache.page.shared", "scopegate.cache.page.stored"}
}

// link leads from each part that was to come by another caller's load to the
// span under which that load can be seen, in the trace of that caller. A part
// that did not come is linked too: nothing else tells what it waited for.
func link(span trace.Span, a *answer) {
	for _, l := range a.lookups() {
		if l == nil {
			continue
		}
		if other := l.awaited(); other != nil && other.origin.IsValid() {
			span.AddLink(trace.Link{
				SpanContext: other.origin,
				Attributes:  []attribute.KeyValue{attribute.String("scopegate.cache.part", l.part.String())},
			})
		}
	}
}

// awaited is the load of another caller that the part came by or, if it did not
// come, was waited for; nil: there is none.
func (l *lookup) awaited() *load {
	if l.found.entry == nil && !l.mine {
		return l.load
	}
	return l.found.joined
}

// What outcome is one of.
const (
	resultHit       = "hit"
	resultStale     = "stale" // a hit that is renewed, or for want of an engine
	resultMiss      = "miss"
	resultCoalesced = "coalesced" // with the load of another caller
)

// outcome tells how an entry was come by.
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
