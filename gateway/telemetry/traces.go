package telemetry

import (
	"context"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// startTraces sends spans to where the environment says, else keeps the newest
// in memory. The sampler is OTEL_TRACES_SAMPLER's: by default the caller's
// decision, and all where there is none.
func (t *Telemetry) startTraces(ctx context.Context, res *resource.Resource, stored int) error {
	processor, err := t.spanProcessor(ctx, stored)
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSpanProcessor(processor))
	t.TracerProvider = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

func (t *Telemetry) spanProcessor(ctx context.Context, stored int) (sdktrace.SpanProcessor, error) {
	if !configured("TRACES") {
		store := NewStore(stored)
		t.Traces = store
		return store, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewBatchSpanProcessor(exporter), nil
}
