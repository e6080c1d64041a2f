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
	"github.com/scopegate/scopegate/gateway/ratelimit"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Defaults of Options.
const (
	DefaultRequestTimeout = 30 * time.Second
	DefaultMaxBodyBytes   = 1 << 20
	// DefaultMaxURLBytes holds a cursor at its longest and a long query.
	DefaultMaxURLBytes = 24 << 10
	DefaultMaxRequests = 1024
)

// instrumentation names this package's tracer and meter.
const instrumentation = "github.com/scopegate/scopegate/gateway"

// TokenVerifier turns a bearer token into the caller that it proves.
type TokenVerifier interface {
	// Verify's errors wrap tenancy.ErrTokenMissing, ErrTokenExpired,
	// ErrTokenInvalid or ErrKeysUnavailable, and tenancy.RefusalOf tells the
	// reason.
	Verify(ctx context.Context, token string) (tenancy.Principal, error)
	// Recall is the caller that Verify would find by a token that it has found
	// good before, at the cost of a hash and a look-up. False: it remembers no
	// such token, or Verify would refuse it now.
	Recall(token string) (tenancy.Principal, bool)
	// Revoked reports whether the caller's token has been taken back since, one
	// that has expired meanwhile included. Its errors wrap
	// tenancy.ErrTokenRevoked or tenancy.ErrRevocationsUnavailable.
	Revoked(p tenancy.Principal) error
}

// AuditLog keeps the record of what was taken out.
type AuditLog interface {
	// Write returns when the events are on disk, or that they are not.
	Write(ctx context.Context, events ...audit.Event) error
}

var _ AuditLog = (*audit.Log)(nil)

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
	// Names are those of the companies that the caller may ever see.
	Names(p tenancy.Principal, ids []tenancy.CompanyID) (map[tenancy.CompanyID]string, error)
}

// Options are the parts that the public API is made of.
type Options struct {
	Searcher   search.Searcher   // required
	Summarizer search.Summarizer // required
	Verifier   TokenVerifier     // required
	Directory  Directory         // required
	// Snapshotter reads exports; nil: there are none, and asking for one is a
	// 503.
	Snapshotter search.Snapshotter
	// Exports bound them.
	Exports Exports
	// Audit takes a line for every export; nil: there is no record of them.
	Audit AuditLog
	// WithMaxAge marks a search that a cache may answer only by what it loaded
	// no longer ago, for a caller's Cache-Control: max-age, and with 0 not at
	// all, for no-cache: the cache's WithMaxAge. nil: there is no cache, or
	// callers have no say.
	WithMaxAge func(ctx context.Context, age time.Duration) context.Context
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
	// MaxURLBytes bounds a request's target; a longer one is a 414. 0:
	// DefaultMaxURLBytes.
	MaxURLBytes int
	// MaxHeaderBytes bounds the request line and the header; what is larger is
	// a 431. The server should take more, so that the 431 is a problem of the API's
	// form. 0: httpserver.DefaultMaxHeaderBytes.
	MaxHeaderBytes int
	// TrustedProxies are the addresses (CIDR or IP) whose ForwardedHeader is
	// believed; none by default.
	TrustedProxies []string
	// ForwardedHeader is where they write whom a request is from: XForwardedFor,
	// Forwarded or XRealIP, in any case. "": XForwardedFor.
	ForwardedHeader string
	// Limits are the budgets of addresses, accounts and companies.
	Limits Limits
	// InFlight bounds the bytes that are held until callers have read or sent them.
	InFlight InFlight
	// MaxRequests is how many requests are answered at once; one more is a 503. A
	// quarter of them may be of one account, or of one address while the account is
	// not known; one more is a 429. 0: DefaultMaxRequests.
	MaxRequests int
	// StallTimeout is how long a reader may take for each piece, of 32 KiB at most,
	// of an answer; one that takes longer is cut off. 0: DefaultStallTimeout.
	StallTimeout time.Duration
	// Limiter counts what accounts and companies spend; nil: this process does.
	Limiter Limiter
	// CORSOrigins are the origins whose pages may read answers, each as a
	// browser writes it (https://HOST[:PORT]); none: there is no CORS.
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
	inFlight     *inFlight
	stall        time.Duration
	requests     *requests
	encoders     encoders
	timeout      time.Duration
	maxBodyBytes int64

	maxURLBytes, maxHeaderBytes int

	snapshots search.Snapshotter
	exports   Exports
	slots     *exportSlots
	audit     AuditLog

	limits      Limits
	limiter     Limiter
	addresses   *ratelimit.Process
	clients     clientAddresses
	warnUnknown sync.Once // of the first request whose client address cannot be read
	corsOrigins []string
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
		searcher: o.Searcher, summarizer: o.Summarizer, verifier: o.Verifier, directory: o.Directory, withMaxAge: o.WithMaxAge,
		cursors: cursors, logger: o.Logger, meters: meters,
		tracer:       o.TracerProvider.Tracer(instrumentation),
		timeout:      cmp.Or(o.RequestTimeout, DefaultRequestTimeout),
		maxBodyBytes: cmp.Or(o.MaxBodyBytes, DefaultMaxBodyBytes),
		inFlight:     newInFlight(o.InFlight.withDefaults(), func(more int64) { meters.inFlight.Add(context.Background(), more) }),
		stall:        cmp.Or(o.StallTimeout, DefaultStallTimeout),
		requests:     newRequests(cmp.Or(o.MaxRequests, DefaultMaxRequests)),
		encoders:     newEncoders(),

		maxURLBytes:    cmp.Or(o.MaxURLBytes, DefaultMaxURLBytes),
		maxHeaderBytes: cmp.Or(o.MaxHeaderBytes, httpserver.DefaultMaxHeaderBytes),
		corsOrigins:    o.CORSOrigins,
		snapshots:      o.Snapshotter, exports: o.Exports.withDefaults(), audit: o.Audit,
		limits: o.Limits, limiter: o.Limiter, addresses: ratelimit.NewProcess(ratelimit.DefaultMaxKeys),
	}
	a.slots = newExportSlots(a.exports)
	if a.limiter == nil {
		a.limiter = ratelimit.NewProcess(ratelimit.DefaultMaxKeys)
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
	return errors.Join(append(faults, o.Limits.validate(), o.InFlight.validate(), o.Exports.validate())...)
}

// newEngine is a Gin engine that answers for nothing by itself: no writers of
// its own, no redirects (their Location would repeat the query), no look at
// forwarding headers (of several lines it reads the first, which may be the
// caller's own).
func newEngine() *gin.Engine {
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
	engine.ForwardedByClientIP = false
	return engine
}
