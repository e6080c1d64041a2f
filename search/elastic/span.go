package elastic

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/tenancy"
)

const tracerName = "github.com/scopegate/scopegate/search/elastic"

// tally adds up what the requests of one search took.
type tally struct {
	requests int
	took     int64 // milliseconds, by Elasticsearch's own clock
	shards   int
}

func (t *tally) add(a answer) {
	t.requests++
	t.took += a.Took
	t.shards = max(t.shards, a.Shards.Total)
}

// startSpan tells sizes only: what was searched for is personal data.
func startSpan(ctx context.Context, scope tenancy.Scope, wanted string) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(tracerName)
	return tracer.Start(ctx, "engine", trace.WithAttributes(
		attribute.String("db.system.name", "elasticsearch"),
		attribute.String("scopegate.search.kind", wanted),
		attribute.Int("scopegate.scope.size", scope.Len()),
	))
}

func endSpan(span trace.Span, hits int64, rows int, t tally, err error) {
	defer span.End()
	span.SetAttributes(
		attribute.Int("scopegate.engine.requests", t.requests),
		attribute.Int64("scopegate.engine.took_ms", t.took),
		attribute.Int("scopegate.engine.shards", t.shards),
	)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return
	}
	span.SetAttributes(
		attribute.Int64("scopegate.engine.hits", hits),
		attribute.Int("db.response.returned_rows", rows),
	)
}
