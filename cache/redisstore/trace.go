package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// instrument makes a span of each call, without what is stored and under which
// name: by default the instrumentation writes both into it.
func instrument(client redis.UniversalClient) error {
	options := []redisotel.TracingOption{
		redisotel.WithTracerProvider(callersProvider{}),
		redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false),
	}
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return redisotel.InstrumentTracing(client, options...)
	}
	// Left to itself it gives each node of a cluster the addresses of all those
	// before.
	cluster.OnNewNode(func(node *redis.Client) {
		_ = redisotel.InstrumentTracing(node, slices.Clone(options)...) // fails for unknown types of client only
	})
	return nil
}

// callersProvider traces a call the way its caller is traced: under a request
// by the provider of the request's span, and not at all where there is none,
// as when connections are made beside the calls.
type callersProvider struct{ embedded.TracerProvider }

var _ trace.TracerProvider = callersProvider{}

// Tracer implements trace.TracerProvider.
func (callersProvider) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return callersTracer{name: name, options: options}
}

type callersTracer struct {
	embedded.Tracer
	name    string
	options []trace.TracerOption
}

// Start implements trace.Tracer.
func (t callersTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	provider := trace.SpanFromContext(ctx).TracerProvider()
	return provider.Tracer(t.name, t.options...).Start(ctx, name, options...)
}
