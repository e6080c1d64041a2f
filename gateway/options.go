package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Defaults of Options.
const (
	DefaultRequestTimeout = 30 * time.Second
	DefaultMaxBodyBytes   = 1 << 20
	// DefaultMaxURLBytes has room for the longest cursor and a long query.
	DefaultMaxURLBytes = 24 << 10
	DefaultMaxRequests = 1024
)

// instrumentation names this package's tracer and meter.
const instrumentation = "github.com/scopegate/scopegate/gateway"

// TokenVerifier verifies bearer tokens.
type TokenVerifier interface {
	// Verify returns the caller that a token identifies. Its errors wrap
	// tenancy.ErrTokenMissing, ErrTokenExpired, ErrTokenInvalid or
	// ErrKeysUnavailable; tenancy.RefusalOf returns their reason.
	Verify(ctx context.Context, token string) (tenancy.Principal, error)
	// Cached returns the caller of a token that Verify has accepted before, at the
	// cost of a hash and a look-up. It returns false if the token is not
	// remembered, or if Verify would refuse it now.
	Cached(token string) (tenancy.Principal, bool)
	// Revoked returns an error if the caller's token was revoked after it was
	// verified, also if it has expired since. Its errors wrap
	// tenancy.ErrTokenRevoked or tenancy.ErrRevocationsUnavailable.
	Revoked(p tenancy.Principal) error
}

// AuditLog records exports.
type AuditLog interface {
	// Write returns nil when the events are on disk, and an error if they are not.
	Write(ctx context.Context, events ...audit.Event) error
}

var _ AuditLog = (*audit.Log)(nil)

// Directory says which companies a caller may see. Its errors wrap
// tenancy.ErrForbidden or tenancy.ErrDirectoryStale.
type Directory interface {
	// Resolve returns the scope of a request: the companies of the selection that
	// the caller may see.
	Resolve(p tenancy.Principal, sel tenancy.Selection) (tenancy.Scope, error)
	// Supervised returns the scope of all companies that the caller may see.
	Supervised(p tenancy.Principal) (tenancy.Scope, error)
	// Companies returns the caller's scope as a tree in pre-order.
	Companies(p tenancy.Principal) ([]tenancy.CompanyNode, error)
	// Company returns the caller's own company.
	Company(p tenancy.Principal) (tenancy.Company, error)
	// Names returns the names of those of the companies that the caller may see.
	Names(p tenancy.Principal, ids []tenancy.CompanyID) (map[tenancy.CompanyID]string, error)
}

// Options are the parts that the public API is made of.
type Options struct {
	Searcher   search.Searcher   // required
	Summarizer search.Summarizer // required
	Verifier   TokenVerifier     // required
	Directory  Directory         // required
	// Snapshotter reads the rows of exports. nil: there are no exports; a request
	// for one is a 503.
	Snapshotter search.Snapshotter
	// Exports are the bounds of exports.
	Exports Exports
	// Audit records every export; nil: exports are not recorded.
	Audit AuditLog
	// WithMaxAge returns a context in which a cache answers only with what it
	// loaded at most that long ago; with age 0 it does not answer. It serves
	// Cache-Control of requests, max-age and no-cache. nil: there is no cache, or
	// Cache-Control of requests is ignored.
	WithMaxAge func(ctx context.Context, age time.Duration) context.Context
	// CursorKeys encrypt cursors, 32 bytes each: the first encrypts, all decrypt.
	// At least one is required. Gateways behind one address must share them.
	CursorKeys [][]byte
	// Logger gets one line for each request. It should add the trace and span ids
	// of the context, as that of telemetry does. Required.
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider // required
	MeterProvider  metric.MeterProvider // required
	// RequestTimeout bounds the time of the work on one request; a longer one is a
	// 504. 0: DefaultRequestTimeout.
	RequestTimeout time.Duration
	// MaxBodyBytes bounds a request's body; a longer one is a 413. 0:
	// DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// MaxURLBytes bounds a request's target; a longer one is a 414. 0:
	// DefaultMaxURLBytes.
	MaxURLBytes int
	// MaxHeaderBytes bounds the request line and the header; what is larger is
	// a 431. The server should take more, so that the 431 is a problem of the API's
	// form. 0: httpserver.DefaultMaxHeaderBytes.
	MaxHeaderBytes int
	// TrustedProxies are the addresses (CIDR or IP) of proxies whose
	// ForwardedHeader is believed; none by default.
	TrustedProxies []string
	// ForwardedHeader is the header in which they write the client's address:
	// XForwardedFor, Forwarded or XRealIP, in any case. "": XForwardedFor.
	ForwardedHeader string
	// Limits are the budgets of addresses, accounts and companies.
	Limits Limits
	// InFlight bounds the bytes of answers and bodies that are held in memory.
	InFlight limits.Bytes
	// MaxRequests is how many requests are answered at once; one more is a 503. One
	// account, or one address while the account is not known, may have a quarter of
	// them; one more is a 429. 0: DefaultMaxRequests.
	MaxRequests int
	// StallTimeout is how long a reader may take for each piece of an answer, of
	// 32 KiB at most; a slower reader is cut off. 0: DefaultStallTimeout.
	StallTimeout time.Duration
	// Limiter counts the usage of accounts and companies; nil: in this process.
	Limiter Limiter
	// CORSOrigins are the origins whose pages may read answers, each as a
	// browser writes it (https://HOST[:PORT]). None: there is no CORS.
	CORSOrigins []string
}

// api holds what the handlers need.
type api struct {
	searcher     search.Searcher
	summarizer   search.Summarizer
	verifier     TokenVerifier
	directory    Directory
	withMaxAge   func(context.Context, time.Duration) context.Context
	cursors      *cursorSealer
	logger       *slog.Logger
	tracer       trace.Tracer
	meters       *meters
	compressors  compressors
	writers      writerPool
	inFlight     *limits.InFlight
	stall        time.Duration
	requests     *limits.Requests
	encoders     encoders
	timeout      time.Duration
	maxBodyBytes int64

	maxURLBytes, maxHeaderBytes int

	snapshots search.Snapshotter
	exports   Exports
	slots     *limits.Exports
	audit     AuditLog

	limits      Limits
	limiter     Limiter
	addresses   *limits.Process
	clients     clientAddresses
	warnUnknown sync.Once // of the first request whose client address cannot be read
	corsOrigins []string
}

// New makes the handler of the public API. Its error names every option that is
// missing or invalid.
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
		searcher: o.Searcher, summarizer: o.Summarizer, verifier: o.Verifier, directory: o.Directory, withMaxAge: o.WithMaxAge,
		cursors: cursors, logger: o.Logger, meters: meters,
		tracer:       o.TracerProvider.Tracer(instrumentation),
		timeout:      cmp.Or(o.RequestTimeout, DefaultRequestTimeout),
		maxBodyBytes: cmp.Or(o.MaxBodyBytes, DefaultMaxBodyBytes),
		inFlight:     limits.NewInFlight(o.InFlight.WithDefaults(), meters.addInFlight),
		stall:        cmp.Or(o.StallTimeout, DefaultStallTimeout),
		requests:     limits.NewRequests(cmp.Or(o.MaxRequests, DefaultMaxRequests)),
		encoders:     newEncoders(),

		maxURLBytes:    cmp.Or(o.MaxURLBytes, DefaultMaxURLBytes),
		maxHeaderBytes: cmp.Or(o.MaxHeaderBytes, httpserver.DefaultMaxHeaderBytes),
		corsOrigins:    o.CORSOrigins,
		snapshots:      o.Snapshotter, exports: o.Exports.withDefaults(), audit: o.Audit,
		limits: o.Limits, limiter: o.Limiter, addresses: limits.NewProcess(limits.DefaultMaxKeys),
	}
	a.slots = limits.NewExports(a.exports.AtOnce, a.exports.PerAccount, a.exports.PerCompany)
	if a.limiter == nil {
		a.limiter = limits.NewProcess(limits.DefaultMaxKeys)
	}
	if a.clients, err = newClientAddresses(o.TrustedProxies, o.ForwardedHeader); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	engine := newEngine()
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
		{"Searcher", o.Searcher == nil}, {"Summarizer", o.Summarizer == nil}, {"Verifier", o.Verifier == nil}, {"Directory", o.Directory == nil},
		{"Logger", o.Logger == nil}, {"TracerProvider", o.TracerProvider == nil}, {"MeterProvider", o.MeterProvider == nil},
	} {
		if part.missing {
			faults = append(faults, fmt.Errorf("%s is required", part.name))
		}
	}
	if o.RequestTimeout < 0 {
		faults = append(faults, errors.New("RequestTimeout must not be negative"))
	}
	if o.MaxRequests < 0 || o.StallTimeout < 0 {
		faults = append(faults, errors.New("MaxRequests and StallTimeout must not be negative"))
	}
	if o.MaxBodyBytes < 0 {
		faults = append(faults, errors.New("MaxBodyBytes must not be negative"))
	}
	if o.MaxURLBytes < 0 || o.MaxHeaderBytes < 0 {
		faults = append(faults, errors.New("MaxURLBytes and MaxHeaderBytes must not be negative"))
	}
	if slices.Contains(o.CORSOrigins, "*") || slices.Contains(o.CORSOrigins, "") {
		faults = append(faults, errors.New("CORSOrigins must each be one origin"))
	}
	return errors.Join(append(faults, o.Limits.validate(), o.InFlight.Validate(), o.Exports.validate())...)
}

// newEngine makes a Gin engine without Gin's own answers: no logging or recovery, no
// redirects (their Location would repeat the query), and no reading of forwarding
// headers (Gin reads the first line, which may be the caller's own).
func newEngine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.ContextWithFallback = true
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	// With the escaped path an id may hold an encoded slash. Gin would decode the
	// values like a query, where "+" is a space; sessionID decodes them as a path.
	engine.UseEscapedPath = true
	engine.UnescapePathValues = false
	engine.ForwardedByClientIP = false
	return engine
}
