package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/gateway/telemetry"
	"github.com/scopegate/scopegate/search/schema"
)

// flushTimeout bounds how long the last traces may take to leave.
const flushTimeout = 5 * time.Second

// Parts are what a gateway is made of, beside its settings.
type Parts struct {
	Config config.Config
	Store  Engine // stays its owner's to close
	Logs   io.Writer
	// Listener is the public one if it is open already, for config.Listen; nil:
	// it is to be opened.
	Listener net.Listener
	// Extra are further routes on the public listener, by http.ServeMux
	// pattern: the demo's. nil for none.
	Extra map[string]http.Handler
	// LoopbackHosts refuses requests to the public listener whose Host is no
	// loopback name. Not with serve: a proxy of the same machine sends the name
	// that the public knows.
	LoopbackHosts bool
}

// Running is a gateway with both listeners open.
type Running struct {
	URL      string // of the API, http://HOST:PORT or https://HOST:PORT
	AdminURL string
	ended    chan struct{}
	err      error // set before ended is closed
}

// Start puts the parts together and serves them until ctx is done; Wait
// returns after that.
func Start(ctx context.Context, p Parts) (_ *Running, err error) {
	var closers Closers
	defer func() {
		if err != nil {
			err = errors.Join(err, closers.Close())
		}
	}()
	tel, err := startTelemetry(ctx, p, &closers)
	if err != nil {
		return nil, err
	}
	// The listeners are open before anything asks them: the demo's key set is
	// fetched from the public one.
	public, admin, err := listen(ctx, p, &closers)
	if err != nil {
		return nil, err
	}
	readiness := &httpserver.Readiness{}
	assembled, err := assemble(ctx, p, tel, &closers)
	if err != nil {
		return nil, err
	}
	encryption, err := listenerTLS(p.Config.TLS, tel.Logger)
	if err != nil {
		return nil, err
	}
	g := &Running{
		URL:      schemeOf(encryption) + public.Addr().String(),
		AdminURL: "http://" + admin.Addr().String(),
		ended:    make(chan struct{}),
	}
	publicHandler := withExtra(assembled.api, p.Extra)
	if p.LoopbackHosts {
		publicHandler = httpserver.LoopbackHosts(publicHandler)
	}
	adminHandler := httpserver.NewAdmin(httpserver.AdminOptions{Readiness: readiness, Checks: assembled.checks, Metrics: tel.Metrics, Traces: tel.Traces})
	if httpserver.IsLoopback(admin) {
		adminHandler = httpserver.LoopbackHosts(adminHandler)
	}
	servers := servers{
		public: httpserver.New(serverOptions(p.Config, encryption, publicHandler, readiness, tel)), //nolint:contextcheck // counters are set to 0 at start, outside any request
		admin: httpserver.New(httpserver.Options{ //nolint:contextcheck // likewise
			Name: "admin", Handler: adminHandler, Logger: tel.Logger, MaxConnections: maxAdminConnections, MeterProvider: tel.MeterProvider,
		}),
	}
	logStart(ctx, p.Config, tel, g)
	go func() {
		defer close(g.ended)
		g.err = errors.Join(servers.serve(ctx, public, admin), closers.Close())
	}()
	return g, nil
}

// logStart tells what is served and by what, for whoever reads the log of a
// gateway without its settings at hand. There is no secret in it.
func logStart(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, g *Running) {
	attrs := []slog.Attr{
		slog.String("api", g.URL), slog.String("admin", g.AdminURL), slog.String("version", schema.Program()),
		slog.String("engine", cfg.Engine),
	}
	attrs = append(attrs, EngineOf(cfg).Attrs(cfg)...)
	issuers := make([]string, len(cfg.Identity.Issuers))
	for i, issuer := range cfg.Identity.Issuers {
		issuers[i] = issuer.Issuer
	}
	attrs = append(attrs, slog.Any("issuers", issuers), slog.Duration("cache_fresh", cfg.Cache.Fresh), slog.Any("redis", append([]string{}, cfg.Redis.Addresses...)),
		slog.String("directory", orElse(cfg.Directory.File, "engine")), slog.String("audit", orElse(cfg.Audit.File, "stderr")),
		slog.Bool("traces_in_process", tel.Traces != nil))
	tel.Logger.LogAttrs(ctx, slog.LevelInfo, "serving", attrs...)
	for _, warning := range cfg.Warnings() {
		tel.Logger.LogAttrs(ctx, slog.LevelWarn, "setting to look at", slog.String("setting", warning))
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Wait returns when all is stopped: the reason, if it is not that ctx was done.
func (g *Running) Wait() error {
	<-g.ended
	return g.err
}

func startTelemetry(ctx context.Context, p Parts, closers *Closers) (*telemetry.Telemetry, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(p.Config.Log.Level)); err != nil {
		return nil, err
	}
	tel, err := telemetry.Start(ctx, telemetry.Options{Version: schema.Program(), LogWriter: p.Logs, LogLevel: level})
	if err != nil {
		return nil, err
	}
	closers.push(func() error {
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		// Traces that nobody takes are no reason for a stop to have failed.
		if err := tel.Shutdown(flush); err != nil {
			tel.Logger.WarnContext(ctx, "the last traces and metrics could not be sent", slog.Any("error", err))
		}
		return nil
	})
	return tel, nil
}

// listen opens what is not open yet.
func listen(ctx context.Context, p Parts, closers *Closers) (public, admin net.Listener, err error) {
	if public = p.Listener; public == nil {
		if public, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.Listen); err != nil {
			return nil, nil, fmt.Errorf("setting listen: %w", err)
		}
	}
	closers.push(Closing(public))
	if admin, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.Admin.Listen); err != nil {
		return nil, nil, fmt.Errorf("setting admin.listen: %w", err)
	}
	closers.push(Closing(admin))
	return public, admin, nil
}

// Closing closes the listener, unless its server did.
func Closing(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// maxAdminConnections are more than probes and collectors need.
const maxAdminConnections = 128

// withExtra asks the extra routes first. A path that is none of theirs goes to
// the API as it came: http.ServeMux would redirect an unclean one, with its
// query in the Location.
func withExtra(api http.Handler, extra map[string]http.Handler) http.Handler {
	if len(extra) == 0 {
		return api
	}
	mux := http.NewServeMux()
	for pattern, handler := range extra {
		mux.Handle(pattern, handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// servers are the two listeners' servers.
type servers struct{ public, admin *httpserver.Server }

// serve runs both until ctx is done or one fails. The admin listener answers
// until the public one has drained: that is when probes matter.
func (s servers) serve(ctx context.Context, public, admin net.Listener) error {
	publicCtx, stopPublic := context.WithCancel(ctx)
	defer stopPublic()
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin()
	adminEnded := make(chan error, 1)
	go func() {
		adminEnded <- s.admin.Serve(adminCtx, admin)
		stopPublic()
	}()
	err := s.public.Serve(publicCtx, public)
	stopAdmin()
	return errors.Join(err, <-adminEnded)
}

// Closers closes what was opened, the last first.
type Closers []func() error

func (s *Closers) push(f func() error) { *s = append(*s, f) }

// Close closes all, and returns the errors joined.
func (s *Closers) Close() error {
	var errs []error
	for _, f := range slices.Backward(*s) {
		errs = append(errs, f())
	}
	*s = nil
	return errors.Join(errs...)
}
