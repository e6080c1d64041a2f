package sqlite

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/tenancy"
)

const tracerName = "github.com/scopegate/scopegate/search/sqlite"

// startSpan tells sizes only: what was searched for is personal data.
func startSpan(ctx context.Context, scope tenancy.Scope, wanted string) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(tracerName)
	return tracer.Start(ctx, "engine", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "sqlite"),
		attribute.String("scopegate.search.kind", wanted),
		attribute.Int("scopegate.scope.size", scope.Len()),
	))
}

func endSpan(span trace.Span, rows int, err error) {
	defer span.End()
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return
	}
	span.SetAttributes(attribute.Int("db.response.returned_rows", rows))
}
