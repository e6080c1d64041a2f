package app

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/search/ingest"
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

// EngineType is all that the gateway and the commands do in another way for each
// engine. An engine that lacks a part of it does not compile.
type EngineType interface {
	// Open opens the engine. It may be down at that time: readiness reports it.
	Open(ctx context.Context, cfg config.Config) (Engine, error)
	// Migrate brings data of an older schema up to date, which Open refuses. Nothing is
	// left to do for an engine whose Open never does.
	Migrate(ctx context.Context, cfg config.Config, progress func(done, of int64), logger *slog.Logger) error
	// OpenBulk opens the engine, which must be up, for a large import. invalidate is
	// the command line that invalidates companies with the same settings, for
	// messages.
	OpenBulk(ctx context.Context, cfg config.Config, invalidate string) (*BulkStore, error)
	// OpenDump opens the data to be read as a whole, also that of an older schema.
	OpenDump(ctx context.Context, cfg config.Config) (Dumpable, error)
	// OpenIndices opens the indices to create and to show them. Error: ErrNoIndices.
	OpenIndices(ctx context.Context, cfg config.Config) (Indices, error)

	// Log is where writers of the store publish what they have changed; nil when
	// there is no such place. shared is nil without Redis.
	Log(cfg config.Config, store Engine, shared *redisstore.Client) (invalidation.Log, error)
	// Watch is how changes are noticed that nobody has published; zero: no change can
	// be made without.
	Watch(cfg config.Config, store Engine) invalidation.Watch
	// Faulty counts the documents of the store that are no sessions; nil: there can
	// be none.
	Faulty(store Engine) FaultySource

	// Invalidate publishes that sessions of the companies, of all if there are none,
	// were changed by other means. It returns when that can be read back. Error:
	// ErrNoRedis.
	Invalidate(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) error
	// PublishEdit publishes the companies that Engine.EditDirectory has changed, if
	// it has not done so itself and there is a place for it.
	PublishEdit(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) error

	// Name tells the data of the settings from all other data.
	Name(cfg config.Config) string
	// Folder is the folder of this machine that holds the data; "" for an engine
	// elsewhere.
	Folder(cfg config.Config) string
	// Attrs say in the log where the data is. There is no secret in them.
	Attrs(cfg config.Config) []slog.Attr
}

// Dumpable is data that is read as a whole.
type Dumpable interface {
	ingest.Snapshot
	io.Closer
}

// Indices can be created and shown.
type Indices interface {
	// Create makes those that are not there and returns their names, also beside an
	// error.
	Create(ctx context.Context) ([]string, error)
	Status(ctx context.Context) (elastic.Status, error)
	// Migrate, AbortMigration and DropOld bring the sessions into an index of this
	// program's schema, undo that, and end it: see elastic.Store.
	Migrate(ctx context.Context, o elastic.MigrateOptions) (elastic.Migrated, error)
	AbortMigration(ctx context.Context) (deleted string, err error)
	DropOld(ctx context.Context, o elastic.MigrateOptions) (dropped string, err error)
	Close() error
}

// Errors of what an engine or its settings do not have.
var (
	ErrNoIndices = errors.New("no indices to see to")
	ErrNoRedis   = errors.New("redis.addresses is not set: without Redis gateways cannot be told, and serve no answer for longer than cache.fresh")
)

// engineTypes are all engines, by the value of the setting engine.
func engineTypes() map[string]EngineType {
	return map[string]EngineType{config.EngineSQLite: sqliteEngine{}, config.EngineElasticsearch: elasticEngine{}}
}

// EngineOf is the configured one. The settings must be valid.
func EngineOf(cfg config.Config) EngineType { return engineTypes()[cfg.Engine] }

// DataFolder is the folder that the configured engine holds its data in; "" for
// none. The settings may be invalid.
func DataFolder(cfg config.Config) string {
	if engine := EngineOf(cfg); engine != nil {
		return engine.Folder(cfg)
	}
	return ""
}
