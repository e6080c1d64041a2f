package elastic

import (
	"context"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// instrumentation is the client's own, a span for each request without its
// body, but takes the tracer from the context as all of ours do, not from a
// global. No path holds an id of a session.
type instrumentation struct {
	elastictransport.Instrumentation
}

var _ elastictransport.Instrumentation = instrumentation{}

// Start begins the span; all other methods find it in the context.
func (instrumentation) Start(ctx context.Context, name string) context.Context {
	provider := trace.SpanFromContext(ctx).TracerProvider()
	return clientInstrumentation(provider).Start(ctx, name)
}

func newInstrumentation() instrumentation {
	return instrumentation{clientInstrumentation(noop.NewTracerProvider())}
}

func clientInstrumentation(provider trace.TracerProvider) elastictransport.Instrumentation {
	const captureBody = false
	return elastictransport.NewOtelInstrumentation(provider, captureBody, esapi.Version)
}
