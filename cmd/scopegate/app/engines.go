package app

import (
	"context"

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
