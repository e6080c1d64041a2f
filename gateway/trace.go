package gateway

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/tenancy"
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
	state, method, route := stateFrom(c), methodName(c.Request), routeTemplate(c)
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), traceparentOnly(c.Request))
	// The route is there from the start: a sampler may go by it.
	ctx, span := a.tracer.Start(ctx, spanName(method, route),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(routeAttributes(method, route)...))
	if !span.SpanContext().IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, randomSpanContext())
	}
	defer func() { endServerSpan(c, state, span) }()

	sc := trace.SpanContextFromContext(ctx)
	state.traceID = sc.TraceID().String()
	c.Header("traceresponse", "00-"+state.traceID+"-"+sc.SpanID().String()+"-"+sc.TraceFlags().String())
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

// endServerSpan tells all that is known at the end at once, which is cheaper.
func endServerSpan(c *gin.Context, state *requestState, span trace.Span) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	status := c.Writer.Status()
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs,
		attribute.String("url.scheme", requestScheme(c.Request)),
		attribute.String("network.protocol.version", strings.TrimPrefix(c.Request.Proto, "HTTP/")),
		attribute.Int("http.response.status_code", status))
	if size := c.Writer.Size(); size > 0 {
		attrs = append(attrs, attribute.Int("http.response.body.size", size))
	}
	if state.failure != "" {
		attrs = append(attrs, attribute.String("error.type", state.failure))
	}
	attrs = append(attrs, state.refusal.attributes()...)
	// What auth and scope found is on their spans too, but this is the one that
	// people look for.
	if state.principal.Company().Valid() {
		attrs = append(attrs, tenantAttributes(state.principal)...)
	}
	if state.resolved {
		attrs = append(attrs, scopeSize(state.scopeSize))
	}
	span.SetAttributes(attrs...)
	// A client's mistake is no error of the server's span (OpenTelemetry's
	// HTTP conventions).
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, state.failure)
	}
}

func tenantAttributes(p tenancy.Principal) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Int64("scopegate.company.id", int64(p.Company())),
		attribute.Bool("scopegate.supervisor", p.Supervisor()),
	}
}

func scopeSize(companies int) attribute.KeyValue {
	return attribute.Int("scopegate.scope.size", companies)
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

func requestScheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
