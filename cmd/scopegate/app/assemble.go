package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/cache"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway"
	"github.com/scopegate/scopegate/gateway/telemetry"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// app is the gateway without its listeners.
type app struct {
	api    http.Handler
	checks map[string]func(context.Context) error // of readiness, by name
}

// assemble makes the API and the checks of its readiness.
func assemble(ctx context.Context, p Parts, tel *telemetry.Telemetry, closers *Closers) (app, error) {
	verifier, err := tenancy.NewVerifier(ctx, verifierOptions(p.Config, tel.Logger))
	if err != nil {
		return app{}, err
	}
	closers.push(func() error { verifier.Close(); return nil })
	directory, err := tenancy.NewDirectory(ctx, directoryOptions(p, tel.Logger))
	if err != nil {
		return app{}, err
	}
	closers.push(func() error { directory.Close(); return nil })
	if err := measureDirectory(tel.MeterProvider, directory); err != nil {
		return app{}, err
	}
	if err := watchFaulty(EngineOf(p.Config).Faulty(p.Store), tel.MeterProvider, tel.Logger, closers); err != nil { //nolint:contextcheck // until it is closed
		return app{}, err
	}
	shared, err := sharedTier(p.Config.Redis, closers)
	if err != nil {
		return app{}, err
	}
	engine, err := limits.NewEngine(limits.EngineOptions{
		MaxLoads: maxLoads(p.Config.Limits.EngineLoads, p.Store), QueueWait: p.Config.Limits.QueueWait, MeterProvider: tel.MeterProvider, Logger: tel.Logger,
	})
	if err != nil {
		return app{}, err
	}
	answers, err := cached(p, tel, engine, shared, directory, closers) //nolint:contextcheck // it follows its log until it is closed
	if err != nil {
		return app{}, err
	}
	limiter, err := limiterOf(p.Config, shared, tel.Logger, closers) //nolint:contextcheck // leases are returned after a second
	if err != nil {
		return app{}, err
	}
	keys, err := cursorKeys(p.Config.Cursor, tel.Logger)
	if err != nil {
		return app{}, err
	}
	record, err := audit.Open(audit.Options{Path: p.Config.Audit.File, Writer: p.Logs})
	if err != nil {
		return app{}, err
	}
	closers.push(record.Close)
	temp, err := tempOf(p.Config.Exports, closers)
	if err != nil {
		return app{}, err
	}
	api, err := gateway.New(gateway.Options{ //nolint:contextcheck // a counter is set to 0 at start, outside any request
		Searcher: answers, Summarizer: answers, Verifier: verifier, Directory: directory, WithMaxAge: cache.WithMaxAge, CursorKeys: keys,
		Logger: tel.Logger, TracerProvider: tel.TracerProvider, MeterProvider: tel.MeterProvider,
		RequestTimeout: p.Config.HTTP.RequestTimeout, MaxBodyBytes: int64(p.Config.HTTP.MaxBody),
		MaxURLBytes: int(p.Config.HTTP.MaxURL), MaxHeaderBytes: int(p.Config.HTTP.MaxHeader),
		TrustedProxies: p.Config.HTTP.TrustedProxies, ForwardedHeader: p.Config.HTTP.ForwardedHeader, CORSOrigins: p.Config.HTTP.CORSOrigins,
		Limits: limitsOf(p.Config.Limits), Limiter: limiter,
		InFlight:    limits.Bytes{Account: int64(p.Config.Limits.AccountInFlight), All: int64(p.Config.Limits.InFlight)},
		MaxRequests: p.Config.HTTP.MaxRequests, StallTimeout: p.Config.HTTP.StallTimeout,
		Snapshotter: engine.Snapshotter(search.GuardSnapshots(p.Store)), Exports: exportsOf(p.Config.Exports, temp), Audit: record,
	})
	return app{api, map[string]func(context.Context) error{
		"engine":    engineCheck(p.Store, answers),
		"identity":  func(context.Context) error { return verifier.Ready() },
		"directory": func(context.Context) error { return directory.Ready() },
	}}, err
}

// engineCheck asks beside the check which index is searched: whoever looks at
// readiness after an alias was moved finds the cache on the new index.
func engineCheck(store Engine, answers answers) func(context.Context) error {
	c, ok := answers.(*cache.Cache)
	if !ok {
		return store.Ping
	}
	return func(ctx context.Context) error {
		if err := store.Ping(ctx); err != nil {
			return err
		}
		c.Identify(ctx)
		return nil
	}
}

// measureDirectory counts the problems of the directory, as a metric.
func measureDirectory(provider metric.MeterProvider, directory *tenancy.Directory) error {
	_, err := provider.Meter("github.com/scopegate/scopegate/cmd/scopegate").Int64ObservableGauge("scopegate.directory.problems",
		metric.WithUnit("{problem}"), metric.WithDescription("Faults of the companies and grants that are contained; see the log."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(directory.ProblemCount()))
			return nil
		}))
	return err
}

// freshJitter is by which share of cache.fresh an answer may be fresh for a
// shorter time.
const freshJitter = 0.1

// answers are what the API asks for.
type answers interface {
	search.Searcher
	search.Summarizer
}

// maxLoads is the setting, or twice the searches that the engine itself runs at a time
// if that is less: the cost of a load is about 2.
func maxLoads(setting int, store Engine) int {
	if engine, ok := store.(interface{ MaxSearches() int }); ok {
		return min(setting, 2*engine.MaxSearches()) //nolint:mnd // see above
	}
	return setting
}

// cached is the engine, guarded, behind the cache; without one when nothing may
// stay fresh.
func cached(p Parts, tel *telemetry.Telemetry, engine *limits.Engine, shared *redisstore.Client, directory *tenancy.Directory, closers *Closers) (answers, error) {
	guarded := struct {
		search.Searcher
		search.Summarizer
	}{engine.Searcher(search.Guard(p.Store)), engine.Summarizer(search.GuardSummaries(p.Store))}
	loads := limits.NewLoads(p.Config.Limits.AccountLoads)
	if p.Config.Cache.Fresh == 0 {
		return struct {
			search.Searcher
			search.Summarizer
		}{loads.Searcher(guarded), loads.Summarizer(guarded)}, nil
	}
	keys, err := p.Config.Cache.DecodedKeys()
	if err != nil {
		return nil, err
	}
	log, err := EngineOf(p.Config).Log(p.Config, p.Store, shared)
	if err != nil {
		return nil, err
	}
	if log != nil {
		log = notifyingLog{log, directory}
	}
	c, err := cache.New(guarded, cache.Options{
		Summarizer: guarded,
		MaxBytes:   int64(p.Config.Cache.MaxSize), Fresh: p.Config.Cache.Fresh,
		Stale: p.Config.Cache.Stale, StaleIfError: p.Config.Cache.StaleIfError, Jitter: freshJitter, Log: log,
		LoadTimeout: p.Config.HTTP.RequestTimeout, MeterProvider: tel.MeterProvider, Logger: tel.Logger,
		Redis: shared, Keys: keys, Namespace: cacheNamespace(p.Config), Watch: EngineOf(p.Config).Watch(p.Config, p.Store), Admission: loads, Identity: p.Store.Identity,
	})
	if err != nil {
		return nil, err
	}
	closers.push(func() error { c.Close(); return nil })
	return c, nil
}

// sharedTier is nil when no Redis is configured.
func sharedTier(cfg config.Redis, closers *Closers) (*redisstore.Client, error) {
	if len(cfg.Addresses) == 0 {
		return nil, nil //nolint:nilnil // no tier is what cache.Options takes nil for
	}
	o := redisstore.Options{
		Addresses: cfg.Addresses, Cluster: cfg.Cluster, MasterName: cfg.MasterName,
		Username: cfg.Username, Password: cfg.Password.Reveal(),
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword.Reveal(),
		DB: cfg.DB, Budget: cfg.Budget,
	}
	if cfg.TLS {
		authorities, err := ReadAuthorities(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("setting redis.ca_file: %w", err)
		}
		o.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	shared, err := redisstore.New(o)
	if err != nil {
		return nil, err
	}
	closers.push(shared.Close)
	return shared, nil
}

// notifyingLog refreshes the directory as soon as the log reports a change: writes of
// companies and grants are published like those of sessions.
type notifyingLog struct {
	invalidation.Log

	directory *tenancy.Directory
}

// Next implements invalidation.Log.
func (l notifyingLog) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	batch, err := l.Log.Next(ctx, at)
	if err == nil && len(batch.Events) > 0 {
		l.directory.TriggerRefresh()
	}
	return batch, err
}
