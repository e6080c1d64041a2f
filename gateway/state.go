package gateway

import (
	"context"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/scopegate/scopegate/tenancy"
)

// exchangeKey is the place of the exchange in a Gin context.
type exchangeKey struct{}

// exchange is what the steps of one request tell each other. It never travels
// in a context.Context: what decides an answer is passed as an argument.
type exchange struct {
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
	returned  bool // the handlers came back; false while a panic unwinds
}

// exchangeOf finds the request's exchange, which begin has put there.
func exchangeOf(c *gin.Context) *exchange {
	return c.MustGet(exchangeKey{}).(*exchange)
}

// status is the status that the caller gets, also while a panic unwinds and
// recovery has yet to answer it.
func (x *exchange) status(c *gin.Context) int {
	if !x.returned && !c.Writer.Written() {
		return 500
	}
	return c.Writer.Status()
}

// routeOf is the route's template as the OpenAPI document writes it, "" for a
// path that is none of ours. Unlike the path it holds nothing of the caller's.
func routeOf(c *gin.Context) string {
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
		span.SetAttributes(refusalOf(err).attributes()...)
		span.SetStatus(codes.Error, code)
	}
	return err
}
