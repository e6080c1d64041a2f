package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Defaults of Options.
const (
	DefaultRequestTimeout = 30 * time.Second
	DefaultMaxBodyBytes   = 1 << 20
)

// instrumentation names this package's tracer and meter.
const instrumentation = "github.com/scopegate/scopegate/gateway"

// TokenVerifier turns a bearer token into the caller that it proves.
type TokenVerifier interface {
	// Verify's errors wrap tenancy.ErrTokenMissing, ErrTokenExpired,
	// ErrTokenInvalid or ErrKeysUnavailable.
	Verify(ctx context.Context, token string) (tenancy.Principal, error)
}

// Directory says which companies a caller may see. Its errors wrap
// tenancy.ErrForbidden or tenancy.ErrDirectoryStale.
type Directory interface {
	// Resolve turns what the caller asks for into the scope of the request.
	Resolve(p tenancy.Principal, sel tenancy.Selection) (tenancy.Scope, error)
	// Supervised is all that the caller may ever see.
	Supervised(p tenancy.Principal) (tenancy.Scope, error)
	// Companies is the caller's scope as a tree in pre-order.
	Companies(p tenancy.Principal) ([]tenancy.CompanyNode, error)
	// Company is the caller's own.
	Company(p tenancy.Principal) (tenancy.Company, error)
}

// Options are the parts that the public API is made of.
type Options struct {
	Searcher  search.Searcher // required
	Verifier  TokenVerifier   // required
	Directory Directory       // required
	// Revalidate marks a search that no cache may answer, for a caller's
	// Cache-Control: no-cache: the cache's WithRevalidate. nil: there is no
	// cache, or callers have no say.
	Revalidate func(context.Context) context.Context
	// CursorKeys seal cursors, 32 bytes each; the first seals, all open. At
	// least one is required; gateways behind one address share them.
	CursorKeys [][]byte
	// Logger gets one line a request. It is expected to add the trace and span
	// id of the context, as telemetry's does. Required.
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider // required
	MeterProvider  metric.MeterProvider // required
	// RequestTimeout bounds the work on one request; a request that runs out
	// of it is a 504. 0: DefaultRequestTimeout.
	RequestTimeout time.Duration
	// MaxBodyBytes bounds a request's body; a longer one is a 413. 0:
	// DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// TrustedProxies are the addresses (CIDR or IP) whose X-Forwarded-For is
	// believed; none by default.
	TrustedProxies []string
}

// api holds what the handlers need.
type api struct {
	searcher     search.Searcher
	verifier     TokenVerifier
	directory    Directory
	revalidate   func(context.Context) context.Context
	cursors      *cursorSealer
	logger       *slog.Logger
	tracer       trace.Tracer
	meters       *meters
	compressors  compressors
	timeout      time.Duration
	maxBodyBytes int64
}

// New makes the public API. Its error names every option that is missing or
// wrong.
func New(o Options) (http.Handler, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	cursors, err := newCursorSealer(o.CursorKeys)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	meters, err := newMeters(o.MeterProvider)
	if err != nil {
		return nil, fmt.Errorf("gateway: metrics: %w", err)
	}
	a := &api{
		searcher: o.Searcher, verifier: o.Verifier, directory: o.Directory, revalidate: o.Revalidate,
		cursors: cursors, logger: o.Logger, meters: meters,
		tracer:       o.TracerProvider.Tracer(instrumentation),
		timeout:      valueOr(o.RequestTimeout, DefaultRequestTimeout),
		maxBodyBytes: valueOr(o.MaxBodyBytes, DefaultMaxBodyBytes),
	}
	engine, err := newEngine(o.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("gateway: trusted proxies: %w", err)
	}
	if err := a.route(engine); err != nil {
		return nil, fmt.Errorf("gateway: routes: %w", err)
	}
	return engine, nil
}

func (o Options) validate() error {
	var faults []error
	for _, part := range []struct {
		name    string
		missing bool
	}{
		{"Searcher", o.Searcher == nil}, {"Verifier", o.Verifier == nil}, {"Directory", o.Directory == nil},
		{"Logger", o.Logger == nil}, {"TracerProvider", o.TracerProvider == nil}, {"MeterProvider", o.MeterProvider == nil},
	} {
		if part.missing {
			faults = append(faults, fmt.Errorf("%s is required", part.name))
		}
	}
	if o.RequestTimeout < 0 {
		faults = append(faults, errors.New("RequestTimeout must not be negative"))
	}
	if o.MaxBodyBytes < 0 {
		faults = append(faults, errors.New("MaxBodyBytes must not be negative"))
	}
	return errors.Join(faults...)
}

func valueOr[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// newEngine is a Gin engine that answers for nothing by itself: no writers of
// its own, no redirects (their Location would repeat the query), no trust in
// forwarding headers but of the given proxies.
func newEngine(trustedProxies []string) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.ContextWithFallback = true
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	// Routing by the escaped path lets an id hold an encoded slash. Gin would
	// then decode values as a query, where "+" is a space: sessionID does it.
	engine.UseEscapedPath = true
	engine.UnescapePathValues = false
	return engine, engine.SetTrustedProxies(trustedProxies)
}
