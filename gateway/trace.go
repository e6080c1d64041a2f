package gateway

import (
	"crypto/rand"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// trace gives the request a server span, in the caller's trace if a traceparent
// came with it, and tells its ids in traceresponse.
//
// otelgin is not used, for three reasons: it puts what callers wrote into
// attributes that cannot be left out (url.path, which holds session ids,
// user_agent.original, client.address, http.request.method_original); it
// restores the request's context before recovery runs, which would leave a
// panic's problem without a trace id; and it records neither the status nor the
// metrics of a request that panicked. The attributes here follow the same
// conventions, those with nothing of the caller's in them.
func (a *api) trace(c *gin.Context) {
	x, method, route := exchangeOf(c), methodOf(c.Request), routeOf(c)
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), traceparentOnly(c.Request))
	attrs := append(routeAttributes(method, route),
		attribute.String("url.scheme", schemeOf(c.Request)),
		attribute.String("network.protocol.version", strconv.Itoa(c.Request.ProtoMajor)+"."+strconv.Itoa(c.Request.ProtoMinor)))
	ctx, span := a.tracer.Start(ctx, spanName(method, route),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	if !span.SpanContext().IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, randomSpanContext())
	}
	defer func() { endServerSpan(c, x, span) }()

	sc := trace.SpanContextFromContext(ctx)
	x.traceID = sc.TraceID().String()
	c.Header("traceresponse", "00-"+x.traceID+"-"+sc.SpanID().String()+"-"+sc.TraceFlags().String())
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// traceparentOnly leaves out tracestate and baggage: free text that would
// travel into every exported span, and nothing here reads it.
func traceparentOnly(r *http.Request) propagation.TextMapCarrier {
	return propagation.MapCarrier{"traceparent": r.Header.Get("traceparent")}
}

// randomSpanContext stands in where tracing is off, so that headers, logs and
// problems can still be told to belong together.
func randomSpanContext() trace.SpanContext {
	var config trace.SpanContextConfig
	_, _ = rand.Read(config.TraceID[:]) // never fails, see crypto/rand
	_, _ = rand.Read(config.SpanID[:])
	return trace.NewSpanContext(config)
}

func endServerSpan(c *gin.Context, x *exchange, span trace.Span) {
	status := x.status(c)
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if size := c.Writer.Size(); size > 0 {
		span.SetAttributes(attribute.Int("http.response.body.size", size))
	}
	if x.failure != "" {
		span.SetAttributes(attribute.String("error.type", x.failure))
	}
	// A client's mistake is no error of the server's span (OpenTelemetry's
	// HTTP conventions).
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, x.failure)
	}
	span.End()
}

func routeAttributes(method, route string) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String("http.request.method", method)}
	if route != "" {
		attrs = append(attrs, attribute.String("http.route", route))
	}
	return attrs
}

// spanName is the method and the route, as OpenTelemetry's HTTP conventions
// have it.
func spanName(method, route string) string {
	if method == otherMethod {
		method = "HTTP"
	}
	if route == "" {
		return method
	}
	return method + " " + route
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
