package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Engine keeps sessions, companies and grants, and searches them.
type Engine interface {
	search.Searcher
	search.Snapshotter
	search.Summarizer
	session.Writer
	tenancy.Source
	// EditDirectory hands the directory to f and writes the changes that f makes of
	// it, in steps that matter where there are no transactions. No other edit runs
	// at the same time. f may be called again when it is found that another
	// producer was faster. Errors: those of f and search.ErrConflict, with nothing
	// written; any other, after which some changes may be.
	EditDirectory(ctx context.Context, f func(tenancy.Records) ([][]session.Change, error)) (session.Written, error)
	Ping(ctx context.Context) error
	// Identity tells the sessions that are searched from all others.
	Identity(ctx context.Context) (string, error)
	Close() error
}

var (
	_ Engine = (*sqlite.Store)(nil)
	_ Engine = (*elastic.Store)(nil)
)

// OpenEngine opens the configured one. Elasticsearch may be down at that time:
// readiness tells.
func OpenEngine(ctx context.Context, cfg config.Config) (Engine, error) {
	if cfg.Engine == config.EngineElasticsearch {
		return OpenElastic(ctx, cfg)
	}
	return OpenSQLite(ctx, cfg)
}

// OpenSQLite opens the embedded engine, which makes its folder.
func OpenSQLite(ctx context.Context, cfg config.Config) (*sqlite.Store, error) {
	return sqlite.Open(ctx, sqlite.Options{
		Dir: cfg.SQLite.Dir, MaxWAL: int64(cfg.SQLite.MaxWAL), MaxPageBytes: int64(cfg.HTTP.MaxPage),
	})
}

// OpenElastic opens Elasticsearch, which may be down at that time.
func OpenElastic(ctx context.Context, all config.Config) (*elastic.Store, error) {
	cfg := all.Elasticsearch
	return elastic.Open(ctx, elastic.Options{
		Addresses: cfg.Addresses, Username: cfg.Username, Password: cfg.Password.Reveal(), APIKey: cfg.APIKey.Reveal(),
		CAFile: cfg.CAFile, Index: cfg.Index, Shards: cfg.Shards, Replicas: cfg.Replicas,
		RefreshInterval: cfg.RefreshInterval, Workers: cfg.Workers, MaxPageBytes: int64(all.HTTP.MaxPage),
	})
}

// dataName tells the data of one engine from others'.
func dataName(cfg config.Config) string {
	if cfg.Engine == config.EngineElasticsearch {
		return cfg.Engine + "/" + cfg.Elasticsearch.Index
	}
	return cfg.Engine + "/" + cfg.SQLite.Dir
}

// BulkStore is an engine as a large import uses it.
type BulkStore struct {
	session.Writer

	batch  int // lines that are best written at a time
	AtOnce int // writes that are best under way at a time
	// Finish makes what was written searchable and tells gateways of it, or makes
	// searches of it fast.
	Finish func(ctx context.Context, changed int64) error
	Close  func() error
}

// Shape of an import. A batch for Elasticsearch is several requests at a time.
const (
	sqliteBatch   = 1000
	elasticBatch  = 4000
	elasticAtOnce = 2 // one is parsed and taken in while the other is indexed
	finishTimeout = time.Minute
	// worthOptimizing is from how many changes on SQLite's indexes are put in
	// order, so that the first searches need not read around it.
	worthOptimizing = 10_000
)

// OpenBulkStore opens the configured engine, which must be there.
// The command line is what invalidates companies with the same configuration, for
// messages.
func OpenBulkStore(ctx context.Context, cfg config.Config, invalidate string) (*BulkStore, error) {
	if cfg.Engine == config.EngineElasticsearch {
		return openBulkElastic(ctx, cfg, invalidate)
	}
	store, err := OpenSQLite(ctx, cfg)
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

func openBulkElastic(ctx context.Context, cfg config.Config, invalidate string) (_ *BulkStore, err error) {
	var closers Closers
	defer func() {
		if err != nil {
			err = errors.Join(err, closers.Close())
		}
	}()
	store, err := OpenElastic(ctx, cfg)
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

// BatchOf is how many lines are written at a time: as asked for, else what suits
// the engine.
func (s *BulkStore) BatchOf(asked *int) int {
	if asked != nil {
		return *asked
	}
	return s.batch
}

// FinishAnyway is for an import that did not come to its end, perhaps because
// ctx did: what is counted as stored shall be found.
func (s *BulkStore) FinishAnyway(ctx context.Context, changed int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return s.Finish(ctx, changed)
}
