package gateway

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/tenancy"
)

// stateKey is the key of the state in a Gin context.
type stateKey struct{}

// requestState is what the steps of one request share. It is not put into a
// context.Context: what decides an answer is passed as an argument.
type requestState struct {
	started   time.Time
	requestID string
	traceID   string // hex, as in problems
	principal tenancy.Principal
	fromMemo  bool // the token was verified before, so principal is set early
	scopeSize int  // companies, once resolved
	resolved  bool // the scope is known
	timings   timings
	address   string // key of the address whose budget was charged, "" for none
	failure   string // code of the problem that was answered, "" for none
	refusal   refusal
}

// newState is the middleware that makes the request's state.
func newState(c *gin.Context) {
	c.Set(stateKey{}, &requestState{started: time.Now(), requestID: newRequestID(c.Request)})
}

// stateFrom returns the state that newState has made for the request.
func stateFrom(c *gin.Context) *requestState {
	return c.MustGet(stateKey{}).(*requestState)
}

// callersRequestID matches the X-Request-Id values that are taken over from callers.
// They go into logs and headers, so no character may have a meaning there.
var callersRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// newRequestID takes over the caller's request id if there is exactly one and it is
// valid, and makes one otherwise.
func newRequestID(r *http.Request) string {
	if ids := r.Header.Values("X-Request-Id"); len(ids) == 1 && callersRequestID.MatchString(ids[0]) {
		return ids[0]
	}
	return uuid.NewString()
}

// answerPolicy is the Content-Security-Policy of all answers except the page at /docs.
const answerPolicy = "default-src 'none'; frame-ancestors 'none'"

// commonHeaders is the middleware that sets the headers of every answer, problems
// included.
func commonHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Request-Id", stateFrom(c).requestID)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Authorization")
	h.Set("X-Content-Type-Options", "nosniff")
	// An answer is data. Opened as a page it may load nothing and may not be in a
	// frame; pages of other origins may not embed it. CORS is not affected.
	h.Set("Content-Security-Policy", answerPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // a URL may hold a name
}

// routeTemplate returns the route's template as the OpenAPI document writes it, ""
// if no route matches. Unlike the path it holds nothing that a caller wrote.
func routeTemplate(c *gin.Context) string {
	return strings.Replace(c.FullPath(), ":id", "{id}", 1)
}

// step runs one step of a request in a span, and adds its duration to took. An error
// is recorded by its code only: its text may hold what the caller searched for.
func (a *api) step(ctx context.Context, name string, took *time.Duration, run func(ctx context.Context) error, attrs ...attribute.KeyValue) error {
	ctx, span := a.tracer.Start(ctx, name)
	defer span.End()
	if len(attrs) > 0 {
		span.SetAttributes(attrs...)
	}
	start := time.Now()
	err := run(ctx)
	*took += time.Since(start)
	if err != nil {
		code := problemFor(ctx, err).code
		span.SetAttributes(attribute.String("error.type", code))
		span.SetAttributes(newRefusal(err).attributes()...)
		span.SetStatus(codes.Error, code)
	}
	return err
}

// Attributes of a refusal in logs and spans; reasonKey is a label of the metric too.
const (
	reasonKey = "reason"
	claimKey  = "claim"
)

// refusal is the reason why a caller was refused, for the operator: the answer to the
// caller has less. The zero refusal means that there was none.
type refusal struct {
	reason tenancy.Reason
	claim  string // with tenancy.ReasonClaim
}

func newRefusal(err error) refusal {
	reason, claim, _ := tenancy.RefusalOf(err)
	return refusal{reason, claim}
}

func (r refusal) reasonAttribute() attribute.KeyValue {
	return attribute.String(reasonKey, string(r.reason))
}

func (r refusal) attributes() []attribute.KeyValue {
	if r.reason == "" {
		return nil
	}
	attrs := []attribute.KeyValue{r.reasonAttribute()}
	if r.claim != "" {
		attrs = append(attrs, attribute.String(claimKey, r.claim))
	}
	return attrs
}

func (r refusal) logged() []slog.Attr {
	if r.reason == "" {
		return nil
	}
	attrs := []slog.Attr{slog.String(reasonKey, string(r.reason))}
	if r.claim != "" {
		attrs = append(attrs, slog.String(claimKey, r.claim))
	}
	return attrs
}

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
