package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/session"
)

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
