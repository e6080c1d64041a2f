package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/tenancy"
)

// sqliteEngine is the embedded engine. It publishes all that is written to it, in
// the same transaction.
type sqliteEngine struct{}

var (
	_ EngineType = sqliteEngine{}
	_ Engine     = (*sqlite.Store)(nil)
)

const (
	sqliteBatch = 1000 // lines
	// worthOptimizing is from how many changes on the indexes are put in order, so
	// that the first searches need not read around it.
	worthOptimizing = 10_000
)

func (sqliteEngine) open(ctx context.Context, cfg config.Config) (*sqlite.Store, error) {
	return sqlite.Open(ctx, sqlite.Options{
		Dir: cfg.SQLite.Dir, MaxWAL: int64(cfg.SQLite.MaxWAL), MaxPageBytes: int64(cfg.HTTP.MaxPage),
	})
}

// Open implements EngineType.
func (e sqliteEngine) Open(ctx context.Context, cfg config.Config) (Engine, error) {
	store, err := e.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// Migrate implements EngineType.
func (sqliteEngine) Migrate(ctx context.Context, cfg config.Config, progress func(done, of int64), logger *slog.Logger) error {
	done, err := sqlite.Migrate(ctx, cfg.SQLite.Dir, progress)
	if done.Unfit > 0 {
		logger.LogAttrs(ctx, slog.LevelWarn, "sessions that this version does not take are kept in a file",
			slog.Int64("sessions", done.Unfit), slog.String("file", done.UnfitFile))
	}
	return err
}

// OpenBulk implements EngineType.
func (e sqliteEngine) OpenBulk(ctx context.Context, cfg config.Config, _ string) (*BulkStore, error) {
	store, err := e.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &BulkStore{
		Writer: store, batch: sqliteBatch, AtOnce: 1, Close: store.Close,
		Finish: func(ctx context.Context, changed int64) error {
			if changed < worthOptimizing {
				return nil
			}
			return store.Optimize(ctx)
		},
	}, nil
}

// OpenDump implements EngineType.
func (sqliteEngine) OpenDump(ctx context.Context, cfg config.Config) (Dumpable, error) {
	archive, err := sqlite.OpenArchive(ctx, cfg.SQLite.Dir)
	if err != nil {
		return nil, err
	}
	return archive, nil
}

// OpenIndices implements EngineType.
func (sqliteEngine) OpenIndices(context.Context, config.Config) (Indices, error) {
	return nil, ErrNoIndices
}

// Log implements EngineType.
func (sqliteEngine) Log(cfg config.Config, store Engine, shared *redisstore.Client) (invalidation.Log, error) {
	if embedded, ok := store.(*sqlite.Store); ok {
		return embedded.Log(), nil
	}
	return logInRedis(cfg, shared)
}

// Watch implements EngineType.
func (sqliteEngine) Watch(config.Config, Engine) invalidation.Watch { return invalidation.Watch{} }

// Faulty implements EngineType.
func (sqliteEngine) Faulty(Engine) FaultySource { return nil }

// Invalidate implements EngineType.
func (e sqliteEngine) Invalidate(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) (err error) {
	store, err := e.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if len(companies) == 0 {
		return store.InvalidateAll(ctx)
	}
	return store.Invalidate(ctx, companies)
}

// PublishEdit implements EngineType.
func (sqliteEngine) PublishEdit(context.Context, config.Config, []tenancy.CompanyID) error {
	return nil
}

// Name implements EngineType.
func (sqliteEngine) Name(cfg config.Config) string { return cfg.Engine + "/" + cfg.SQLite.Dir }

// Folder implements EngineType.
func (sqliteEngine) Folder(cfg config.Config) string { return cfg.SQLite.Dir }

// Attrs implements EngineType.
func (sqliteEngine) Attrs(cfg config.Config) []slog.Attr {
	return []slog.Attr{slog.String("dir", cfg.SQLite.Dir)}
}
