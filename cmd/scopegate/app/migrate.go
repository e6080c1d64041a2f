package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway"
	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/search/sqlite"
)

// retryWhileMigrating is when callers may ask again.
const retryWhileMigrating = 10 * time.Second

// OpenServed opens the engine for a gateway. Data of an older schema is migrated
// first. Both listeners answer meanwhile: /livez that the process is alive, /readyz
// how far the migration is, and the API that it is unavailable.
func OpenServed(ctx context.Context, cfg config.Config, logs io.Writer) (Engine, error) {
	engine := EngineOf(cfg)
	store, err := engine.Open(ctx, cfg)
	if !errors.Is(err, sqlite.ErrOutdated) {
		return store, err
	}
	if err := migrateServed(ctx, Parts{Config: cfg, Logs: logs}, engine); err != nil {
		return nil, err
	}
	return engine.Open(ctx, cfg)
}

func migrateServed(ctx context.Context, p Parts, engine EngineType) (err error) {
	var closers Closers
	defer func() { err = errors.Join(err, closers.Close()) }()
	tel, err := startTelemetry(ctx, p, &closers)
	if err != nil {
		return err
	}
	public, admin, err := listen(ctx, p, &closers)
	if err != nil {
		return err
	}
	encryption, err := listenerTLS(p.Config.TLS, tel.Logger)
	if err != nil {
		return err
	}
	var m migration
	adminHandler := httpserver.NewAdmin(httpserver.AdminOptions{
		Checks: map[string]func(context.Context) error{"migration": m.check}, Metrics: tel.Metrics,
	})
	if httpserver.IsLoopback(admin) {
		adminHandler = httpserver.LoopbackHosts(adminHandler)
	}
	unavailable := gateway.Unavailable("The data is being brought up to date. Try again later.", retryWhileMigrating)
	options := serverOptions(p.Config, encryption, unavailable, nil, tel)
	options.DrainDelay = 0 // nobody was sent here
	running := servers{
		public: httpserver.New(options),                                                                                                           //nolint:contextcheck // counters are set to 0 at start, outside any request
		admin:  httpserver.New(httpserver.Options{Name: "admin", Handler: adminHandler, Logger: tel.Logger, MaxConnections: maxAdminConnections}), //nolint:contextcheck // likewise
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- running.serve(serving, public, admin) }()
	tel.Logger.LogAttrs(ctx, slog.LevelWarn, "the data is of an older schema and is migrated before it is served",
		slog.String("api", schemeOf(encryption)+public.Addr().String()), slog.String("admin", "http://"+admin.Addr().String()))
	err = m.run(ctx, p.Config, engine, tel.Logger)
	stop()
	return errors.Join(err, <-ended)
}

// migration is how far it is.
type migration struct{ done, of atomic.Int64 }

// check is the reason why the gateway is not ready.
func (m *migration) check(context.Context) error {
	return fmt.Errorf("%d of %d sessions are written anew", m.done.Load(), m.of.Load())
}

// reportEvery is how often the log says how far it is.
const reportEvery = 10 * time.Second

func (m *migration) run(ctx context.Context, cfg config.Config, engine EngineType, logger *slog.Logger) error {
	reported := time.Now()
	err := engine.Migrate(ctx, cfg, func(done, of int64) {
		m.done.Store(done)
		m.of.Store(of)
		if time.Since(reported) >= reportEvery {
			reported = time.Now()
			logger.LogAttrs(ctx, slog.LevelInfo, "migrating", slog.Int64("done", done), slog.Int64("of", of))
		}
	}, logger)
	if err == nil {
		logger.LogAttrs(ctx, slog.LevelInfo, "the data is migrated", slog.Int64("sessions", m.done.Load()))
	}
	return err
}
