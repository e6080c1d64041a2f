package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/scopegate/scopegate/tenancy"
)

// stateKey is the key of the state in a Gin context.
type stateKey struct{}

// requestState is what the steps of one request share. It never travels
// in a context.Context: what decides an answer is passed as an argument.
type requestState struct {
	started   time.Time
	requestID string
	traceID   string // hex, as in problems
	principal tenancy.Principal
	recalled  bool // principal was known by its token before authentication
	scopeSize int  // companies, once resolved
	resolved  bool // the scope is known
	timings   timings
	address   string // whose budget has paid for it, "" for nobody's
	failure   string // code of the problem that was answered, "" for none
	refusal   refusal
}

// stateFrom returns the state that newState has made for the request.
func stateFrom(c *gin.Context) *requestState {
	return c.MustGet(stateKey{}).(*requestState)
}

// routeTemplate is the route's template as the OpenAPI document writes it, "" for a
// path that is none of ours. Unlike the path it holds nothing of the caller's.
func routeTemplate(c *gin.Context) string {
	return strings.Replace(c.FullPath(), ":id", "{id}", 1)
}

// step runs one step of the walk in a span of its own and adds to its timing.
// An error is recorded by its code only: its text may hold what was asked for.
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

// callersRequestID is what a caller's own X-Request-Id must look like to be
// taken over: it goes into logs and headers, so nothing that either could take
// for structure.
var callersRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// answerPolicy is the Content-Security-Policy of all that is no page.
const answerPolicy = "default-src 'none'; frame-ancestors 'none'"

// newState makes the request's state.
func newState(c *gin.Context) {
	c.Set(stateKey{}, &requestState{started: time.Now(), requestID: newRequestID(c.Request)})
}

// commonHeaders sets the headers that every answer has, a problem too.
func commonHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Request-Id", stateFrom(c).requestID)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Authorization")
	h.Set("X-Content-Type-Options", "nosniff")
	// An answer is data: opened as a page it may load nothing and be in no
	// frame, nor may a page of another origin embed it. CORS is not touched.
	h.Set("Content-Security-Policy", answerPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // a URL may hold a name
}

// newRequestID takes over the caller's request id if it sent exactly one that is
// fit for it, and makes one otherwise.
func newRequestID(r *http.Request) string {
	if ids := r.Header.Values("X-Request-Id"); len(ids) == 1 && callersRequestID.MatchString(ids[0]) {
		return ids[0]
	}
	return uuid.NewString()
}

// The names under which a refusal stands in logs and spans, and its reason as a
// label of the metric.
const (
	reasonKey = "reason"
	claimKey  = "claim"
)

// refusal is why a caller was refused, for those who run the gateway: the caller
// is told less. The zero refusal is none.
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
