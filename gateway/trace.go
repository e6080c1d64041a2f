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

// trace starts a server span for the request, in the caller's trace if there is a
// traceparent, and sends its ids in traceresponse.
//
// otelgin is not used, for three reasons. It records text of callers that cannot be
// left out (url.path, which holds session ids, user_agent.original, client.address,
// http.request.method_original). It restores the request's context before recovery
// runs, so that the problem of a panic would have no trace id. It records neither the
// status nor the metrics of a request that panicked. The attributes here follow the
// same conventions, without those that hold text of callers.
func (a *api) trace(c *gin.Context) {
	state, method, route := stateFrom(c), methodName(c.Request), routeTemplate(c)
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), traceparentOnly(c.Request))
	// The route is set at the start: a sampler may need it.
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

// traceparentOnly leaves out tracestate and baggage: free text of callers that would
// be in every exported span, and that nothing here reads.
func traceparentOnly(r *http.Request) propagation.TextMapCarrier {
	return propagation.MapCarrier{"traceparent": r.Header.Get("traceparent")}
}

// randomSpanContext makes random ids for when tracing is off, so that headers, logs
// and problems of one request still share an id.
func randomSpanContext() trace.SpanContext {
	var config trace.SpanContextConfig
	_, _ = rand.Read(config.TraceID[:]) // never fails, see crypto/rand
	_, _ = rand.Read(config.SpanID[:])
	return trace.NewSpanContext(config)
}

// endServerSpan sets all attributes in one call, which is cheaper, and ends the span.
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
	// The spans of auth and scope have these attributes too, but people search for
	// the server span.
	if state.principal.Company().Valid() {
		attrs = append(attrs, tenantAttributes(state.principal)...)
	}
	if state.resolved {
		attrs = append(attrs, scopeSize(state.scopeSize))
	}
	span.SetAttributes(attrs...)
	// A 4xx is not an error of a server span (OpenTelemetry's HTTP conventions).
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

// spanName is the method and the route (OpenTelemetry's HTTP conventions).
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
