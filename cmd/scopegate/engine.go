package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/scopegate/scopegate/session"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/tenancy"
)

// engine keeps sessions, companies and grants, and searches them.
type engine interface {
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
	_ engine = (*sqlite.Store)(nil)
	_ engine = (*elastic.Store)(nil)
)

// openEngine opens the configured one. Elasticsearch may be down at that time:
// readiness tells.
func openEngine(ctx context.Context, cfg config.Config) (engine, error) {
	if cfg.Engine == config.EngineElasticsearch {
		return openElastic(ctx, cfg)
	}
	return openSQLite(ctx, cfg)
}

func openSQLite(ctx context.Context, cfg config.Config) (*sqlite.Store, error) {
	return sqlite.Open(ctx, sqlite.Options{
		Dir: cfg.SQLite.Dir, MaxWAL: int64(cfg.SQLite.MaxWAL), MaxPageBytes: int64(cfg.HTTP.MaxPage),
	})
}

// holdsData refuses a folder of the embedded engine that is not there: opening it
// would make it.
func holdsData(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s has no data of the embedded engine: there is no %s in it", dir, sqlite.FileName)}
	}
	return nil
}

func openElastic(ctx context.Context, all config.Config) (*elastic.Store, error) {
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

// bulkStore is an engine as a large import uses it.
type bulkStore struct {
	session.Writer

	batch  int // lines that are best written at a time
	atOnce int // writes that are best under way at a time
	// finish makes what was written searchable and tells gateways of it, or makes
	// searches of it fast.
	finish func(ctx context.Context, changed int64) error
	close  func() error
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

// openBulkStore opens the configured engine, which must be there.
// The flags are those that the configuration was read by.
func openBulkStore(ctx context.Context, cfg config.Config, flags configFlags) (*bulkStore, error) {
	if cfg.Engine == config.EngineElasticsearch {
		return openBulkElastic(ctx, cfg, flags)
	}
	store, err := openSQLite(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &bulkStore{
		Writer: store, batch: sqliteBatch, atOnce: 1, close: store.Close,
		finish: func(ctx context.Context, changed int64) error {
			if changed < worthOptimizing {
				return nil
			}
			return store.Optimize(ctx)
		},
	}, nil
}

func openBulkElastic(ctx context.Context, cfg config.Config, flags configFlags) (_ *bulkStore, err error) {
	var closers closeStack
	defer func() {
		if err != nil {
			err = errors.Join(err, closers.close())
		}
	}()
	store, err := openElastic(ctx, cfg)
	if err != nil {
		return nil, err
	}
	closers.push(store.Close)
	// Nothing is read from the input before it is known where it can go.
	if err := store.Ready(ctx); err != nil {
		return nil, err
	}
	bulk := &bulkStore{batch: elasticBatch, atOnce: elasticAtOnce, close: func() error { return closers.close() }}
	log, err := openToucher(cfg, &closers)
	if err != nil {
		return nil, err
	}
	if log == nil {
		importer := store.Importer()
		bulk.Writer, bulk.finish = importer, func(ctx context.Context, _ int64) error {
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
	writer := newTellingWriter(store, log, flags)
	if err := writer.adopt(ctx); err != nil {
		return nil, fmt.Errorf("what imports before this one have left to tell gateways could not be read: %w", err)
	}
	bulk.Writer, bulk.finish = writer, func(ctx context.Context, _ int64) error { return writer.finish(ctx) }
	return bulk, nil
}

func (s *bulkStore) batchOf(asked *int) int {
	if asked != nil {
		return *asked
	}
	return s.batch
}

// finishAnyway is for an import that did not come to its end, perhaps because
// ctx did: what is counted as stored shall be found.
func (s *bulkStore) finishAnyway(ctx context.Context, changed int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return s.finish(ctx, changed)
}
