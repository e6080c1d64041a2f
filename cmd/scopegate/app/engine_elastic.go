package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/tenancy"
)

// elasticEngine is Elasticsearch. What is written to it is published in Redis, if
// there is one.
type elasticEngine struct{}

var (
	_ EngineType = elasticEngine{}
	_ Engine     = (*elastic.Store)(nil)
)

// Shape of an import. A batch is several requests at a time.
const (
	elasticBatch  = 4000 // lines
	elasticAtOnce = 2    // one is parsed and taken in while the other is indexed
)

func (elasticEngine) open(ctx context.Context, all config.Config) (*elastic.Store, error) {
	cfg := all.Elasticsearch
	return elastic.Open(ctx, elastic.Options{
		Addresses: cfg.Addresses, Username: cfg.Username, Password: cfg.Password.Reveal(), APIKey: cfg.APIKey.Reveal(),
		CAFile: cfg.CAFile, Index: cfg.Index, Shards: cfg.Shards, Replicas: cfg.Replicas,
		RefreshInterval: cfg.RefreshInterval, Workers: cfg.Workers, MaxPageBytes: int64(all.HTTP.MaxPage),
	})
}

// Open implements EngineType.
func (e elasticEngine) Open(ctx context.Context, cfg config.Config) (Engine, error) {
	store, err := e.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// Migrate implements EngineType. Open refuses no index.
func (elasticEngine) Migrate(context.Context, config.Config, func(done, of int64), *slog.Logger) error {
	return nil
}

// OpenBulk implements EngineType.
func (e elasticEngine) OpenBulk(ctx context.Context, cfg config.Config, invalidate string) (_ *BulkStore, err error) {
	var closers Closers
	defer func() {
		if err != nil {
			err = errors.Join(err, closers.Close())
		}
	}()
	store, err := e.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	closers.push(store.Close)
	// Nothing is read from the input before it is known where it can go.
	if err := store.Ready(ctx); err != nil {
		return nil, err
	}
	bulk := &BulkStore{batch: elasticBatch, AtOnce: elasticAtOnce, Close: func() error { return closers.Close() }}
	log, err := OpenPublisher(cfg, &closers)
	if err != nil {
		return nil, err
	}
	if log == nil {
		importer := store.Importer()
		bulk.Writer, bulk.Finish = importer, func(ctx context.Context, _ int64) error {
			if err := makeSearchable(context.WithoutCancel(ctx), importer); err != nil {
				return fmt.Errorf("all that is counted is stored, but searches may find it only after the refresh interval of the index (%w)", err)
			}
			return nil
		}
		return bulk, nil
	}
	if err := log.Ping(ctx); err != nil {
		return nil, fmt.Errorf("gateways could not be told of what is stored: %w", err)
	}
	writer := NewNotifyingWriter(store, log, invalidate)
	if err := writer.adopt(ctx); err != nil {
		return nil, fmt.Errorf("what imports before this one have left to tell gateways could not be read: %w", err)
	}
	bulk.Writer, bulk.Finish = writer, func(ctx context.Context, _ int64) error { return writer.Finish(ctx) }
	return bulk, nil
}

// OpenDump implements EngineType.
func (e elasticEngine) OpenDump(ctx context.Context, cfg config.Config) (Dumpable, error) {
	store, err := e.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// OpenIndices implements EngineType.
func (e elasticEngine) OpenIndices(ctx context.Context, cfg config.Config) (Indices, error) {
	store, err := e.open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// Log implements EngineType.
func (elasticEngine) Log(cfg config.Config, _ Engine, shared *redisstore.Client) (invalidation.Log, error) {
	return logInRedis(cfg, shared)
}

// Watch implements EngineType.
func (elasticEngine) Watch(cfg config.Config, store Engine) invalidation.Watch {
	index, ok := store.(*elastic.Store)
	if !ok || cfg.Cache.Watch == 0 {
		return invalidation.Watch{}
	}
	return invalidation.Watch{Version: index.SearchableVersion, Every: cfg.Cache.Watch}
}

// Faulty implements EngineType.
func (elasticEngine) Faulty(store Engine) FaultySource {
	if index, ok := store.(*elastic.Store); ok {
		return index
	}
	return nil
}

// Invalidate implements EngineType.
func (elasticEngine) Invalidate(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) (err error) {
	var closers Closers
	defer func() { err = errors.Join(err, closers.Close()) }()
	log, err := OpenPublisher(cfg, &closers)
	switch {
	case err != nil:
		return err
	case log == nil:
		return ErrNoRedis
	case len(companies) == 0:
		err = log.AppendAll(ctx)
	default:
		err = log.Append(ctx, companies)
	}
	if err != nil {
		return err
	}
	return log.Confirm(ctx)
}

// PublishEdit implements EngineType. What was published is not read back: that would
// take two seconds, and gateways follow within directory.refresh by themselves.
func (elasticEngine) PublishEdit(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) error {
	var closers Closers
	defer func() { _ = closers.Close() }() // what was published is published
	log, err := OpenPublisher(cfg, &closers)
	if err != nil || log == nil {
		return err
	}
	return log.Append(ctx, companies)
}

// Name implements EngineType.
func (elasticEngine) Name(cfg config.Config) string {
	return cfg.Engine + "/" + cfg.Elasticsearch.Index
}

// Folder implements EngineType.
func (elasticEngine) Folder(config.Config) string { return "" }

// Attrs implements EngineType.
func (elasticEngine) Attrs(cfg config.Config) []slog.Attr {
	return []slog.Attr{slog.Any("addresses", cfg.Elasticsearch.Addresses), slog.String("index", cfg.Elasticsearch.Index)}
}
